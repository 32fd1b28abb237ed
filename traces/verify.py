"""Is a run's folder complete and unaltered? Every record, every blob, every reference."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from traces import names
from traces.blobs import is_sha
from traces.errors import TandemError
from traces.reader import salvage_run
from traces.run import RecordedSpan, Run, SpanStatus
from traces.storage import BLOB_FOLDER, RESULT_FILE

MAX_RESULT_BYTES = 1 << 24


class Level(StrEnum):
    """How grave a finding is."""

    ERROR = "error"
    """The record is not what was written, or not whole: do not build on it."""
    NOTE = "note"
    """Worth knowing; the record is sound."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that verification has to say; `code` is stable."""

    level: Level
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What verification found.

    Attributes:
        findings: Errors and notes, in the order in which they were found.
        spans: How many spans are on record.
        lost: Names of the spans that never ended, outermost first.
        blobs: How many blobs were read and checked.
    """

    findings: tuple[Finding, ...]
    spans: int = 0
    lost: tuple[str, ...] = ()
    blobs: int = 0

    @property
    def ok(self) -> bool:
        """Whether the record is sound: no finding is an error."""
        return all(finding.level is not Level.ERROR for finding in self.findings)


def verify(folder: Path) -> VerifyReport:
    """Check a run's folder. A run that was killed is sound; one with a flipped bit or a missing blob is not.

    Raises:
        TandemError: `RUN_NOT_FOUND`. Everything else is a finding.
    """
    try:
        salvage = salvage_run(folder)
    except TandemError as error:
        if error.code == "RUN_NOT_FOUND":
            raise
        return VerifyReport((Finding(Level.ERROR, error.code, error.message),))
    run = salvage.run
    spans = [span for _, span in run.walk()]
    wanted = _references(run, spans)
    findings = [
        *(Finding(Level.ERROR, "TRACE_CORRUPT", fault) for fault in salvage.faults),
        *_ending(run, spans),
        *_links(run, spans),
        *_blobs(run, wanted),
        *_result(run),
        *_vocabulary(run, spans),
    ]
    lost = tuple(span.name for span in spans if span.status is SpanStatus.LOST)
    return VerifyReport(tuple(findings), len(spans), lost, len(wanted))


def _ending(run: Run, spans: list[RecordedSpan]) -> Iterator[Finding]:
    if run.torn_bytes:
        yield Finding(
            Level.NOTE, "TORN_TAIL", f"the last write was cut short; {run.torn_bytes} bytes dropped"
        )
    if not run.closed:
        yield Finding(
            Level.NOTE, "NOT_CLOSED", "the run was killed, its disk failed, or it is still going on"
        )
    for span in spans:
        if span.status is SpanStatus.LOST:
            yield Finding(Level.NOTE, "SPAN_LOST", f"`{span.name}` began and never ended")
    if failed := run.close_attributes.get(names.EXPORT_FAILED):
        yield Finding(Level.NOTE, "EXPORT_FAILED", f"{failed} spans did not reach the OTLP endpoint")


def _links(run: Run, spans: list[RecordedSpan]) -> Iterator[Finding]:
    known = {span.ref for span in spans}
    for span in spans:
        for link in span.links:
            if link.target.trace_id == run.trace_id and link.target not in known:
                yield Finding(
                    Level.ERROR, "LINK_DANGLING", f"`{span.name}` is {link.kind} a span that is not there"
                )


def _references(run: Run, spans: list[RecordedSpan]) -> dict[str, str]:
    """Every blob that is referred to, with the first place that does."""
    wanted: dict[str, str] = {}
    holders = [("the run", run.attributes)]
    holders.extend((f"`{log.name}`", log.attributes) for log in run.logs)
    for span in spans:
        holders.append((f"`{span.name}`", span.attributes))
        holders.extend((f"`{log.name}` in `{span.name}`", log.attributes) for log in span.logs)
    for where, attributes in holders:
        for key, value in attributes.items():
            if names.is_blob(key):
                wanted.setdefault(str(value), f"{where} ({key})")
    return wanted


def _blobs(run: Run, wanted: dict[str, str]) -> Iterator[Finding]:
    for name, where in wanted.items():
        try:
            run.blobs.get(name)
        except TandemError as error:
            yield Finding(Level.ERROR, error.code, f"{error.message}; {where} refers to it")
    folder = run.folder / BLOB_FOLDER
    strays = [] if not folder.is_dir() else [path for path in folder.iterdir() if path.name not in wanted]
    unused = sum(is_sha(path.name) for path in strays)
    if unused:
        yield Finding(Level.NOTE, "BLOB_UNUSED", f"{unused} blobs that nothing on record refers to")
    if len(strays) > unused:
        yield Finding(
            Level.NOTE, "FILE_UNKNOWN", f"{len(strays) - unused} files among the blobs that are none"
        )


def _result(run: Run) -> Iterator[Finding]:
    path = run.folder / RESULT_FILE
    if not path.is_file():
        yield Finding(Level.NOTE, "RESULT_MISSING", f"no {RESULT_FILE}: the command did not reach an outcome")
        return
    try:
        if path.stat().st_size > MAX_RESULT_BYTES or not isinstance(json.loads(path.read_bytes()), dict):
            raise ValueError("not one JSON object of sensible size")
    except (OSError, ValueError, RecursionError) as cause:
        yield Finding(Level.ERROR, "RESULT_CORRUPT", f"{RESULT_FILE} cannot be read: {cause}")


def _vocabulary(run: Run, spans: list[RecordedSpan]) -> Iterator[Finding]:
    keys = set(run.attributes).union(*(span.attributes for span in spans))
    kinds = {span.name.split(" ", 1)[0] for span in spans}
    strange = sorted((keys - set(names.ATTRIBUTES)) | (kinds - set(names.SPANS)))
    if strange:
        yield Finding(
            Level.NOTE, "NAME_UNKNOWN", f"names that the schema does not know: {', '.join(strange[:8])}"
        )
