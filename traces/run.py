"""A recorded run as data: what `traces.reader` gives and everything else looks at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from traces.blobs import BlobStore
from traces.storage import BLOB_FOLDER


@dataclass(frozen=True, slots=True)
class SpanRef:
    """Names a span, so that others can link to it. Ids are lower-case hex, 32 and 16 digits."""

    trace_id: str
    span_id: str


class SpanStatus(StrEnum):
    """How a span ended."""

    OK = "ok"
    ERROR = "error"
    LOST = "lost"
    """It never ended: its process died, or the disk did."""


@dataclass(frozen=True, slots=True)
class RecordedLink:
    """A cause: what is linked to, and why (one of `names.LinkKind`)."""

    target: SpanRef
    kind: str


@dataclass(frozen=True, slots=True)
class LogRecord:
    """Something that happened at one instant during a span."""

    name: str
    time_ns: int
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RecordedSpan:
    """One piece of work.

    Attributes:
        ref: Its name for links.
        parent_id: Span id of what contains it; None for a root.
        name: As in `traces.names`.
        start_ns: Since the epoch, ns.
        end_ns: Since the epoch, ns; None when it is lost.
        attributes: By name; later values have replaced earlier ones.
        links: Its causes.
        logs: In the order in which they were written.
        status: How it ended.
        code: Stable code of the error; empty when there was none.
        message: The error in words; may be empty.
        children: What it contains, in the order in which they started.
    """

    ref: SpanRef
    parent_id: str | None
    name: str
    start_ns: int
    end_ns: int | None
    attributes: Mapping[str, Any]
    links: tuple[RecordedLink, ...]
    logs: tuple[LogRecord, ...]
    status: SpanStatus
    code: str
    message: str
    children: tuple[RecordedSpan, ...]

    @property
    def duration_s(self) -> float | None:
        """How long it took, s; None when it is lost."""
        return None if self.end_ns is None else (self.end_ns - self.start_ns) / 1e9

    def walk(self) -> Iterator[tuple[int, RecordedSpan]]:
        """This span and all below, depth first, each with its depth under this one."""
        stack = [(0, self)]
        while stack:
            depth, span = stack.pop()
            yield depth, span
            stack.extend((depth + 1, child) for child in reversed(span.children))


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that a run's folder says about what happened.

    Attributes:
        folder: Where it was read from.
        trace_id: 32 hex digits.
        started_ns: Since the epoch, ns.
        last_ns: Time of the last thing on record, ns.
        attributes: Facts about the whole run.
        roots: Top-level spans, in the order in which they started.
        logs: Log records outside of any span, e.g. of a stop from another thread.
        closed: Whether the recorder was closed; a run that was killed is not.
        close_attributes: What the recorder said at close, e.g. about the export.
        torn_bytes: Length of an interrupted last write that was dropped; 0 for none.
        records: How many good records the log holds.
    """

    folder: Path
    trace_id: str
    started_ns: int
    last_ns: int
    attributes: Mapping[str, Any]
    roots: tuple[RecordedSpan, ...]
    logs: tuple[LogRecord, ...]
    closed: bool
    close_attributes: Mapping[str, Any]
    torn_bytes: int
    records: int

    @property
    def blobs(self) -> BlobStore:
        """The run's blobs."""
        return BlobStore(self.folder / BLOB_FOLDER)

    def walk(self) -> Iterator[tuple[int, RecordedSpan]]:
        """Every span, depth first, with its depth."""
        for root in self.roots:
            yield from root.walk()

    def named(self, name: str) -> list[RecordedSpan]:
        """Spans of one kind in the order in which they started.

        Args:
            name: A span name or template of `traces.names`; only its first word counts.
        """
        word = name.split(" ", 1)[0]
        found = [span for _, span in self.walk() if span.name.split(" ", 1)[0] == word]
        return sorted(found, key=lambda span: span.start_ns)
