"""From a run's folder to a `Run`. Trusts nothing: the folder may come from anywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from traces import names
from traces.errors import TandemError
from traces.run import LogRecord, RecordedLink, RecordedSpan, Run, SpanRef, SpanStatus
from traces.storage import TRACE_FILE
from traces.wal import WalContents, read_wal

T = TypeVar("T")

_FIX = "`tandem trace verify` says what is wrong; the part before the damage can still be shown"


@dataclass(frozen=True, slots=True)
class Salvage:
    """What could be read of a run, and everything that is wrong with its log.

    Attributes:
        run: The part before the damage.
        faults: One sentence each; empty for a sound log. A torn tail and lost spans are no faults.
    """

    run: Run
    faults: tuple[str, ...]


def read_run(folder: Path) -> Run:
    """Read a run whose log is sound; one that was killed is, and shows its open spans as lost.

    Raises:
        TandemError: `RUN_NOT_FOUND`, `TRACE_SCHEMA` when a newer Tandem wrote it, `TRACE_CORRUPT`.
    """
    salvage = salvage_run(folder)
    if salvage.faults:
        raise TandemError("TRACE_CORRUPT", f"the trace in {folder} is damaged: {salvage.faults[0]}", fix=_FIX)
    return salvage.run


def salvage_run(folder: Path) -> Salvage:
    """Read what can be read, and say what is wrong.

    Raises:
        TandemError: `RUN_NOT_FOUND`, `TRACE_SCHEMA`, or `TRACE_CORRUPT` when nothing can be read.
    """
    contents = read_wal(folder / TRACE_FILE)
    assembly = _Assembly()
    faults = [fault for fault in (assembly.take(record) for record in contents.records) if fault]
    if not assembly.trace_id:
        raise TandemError(
            "TRACE_CORRUPT", f"{folder} holds no readable trace: {contents.damage or 'it is empty'}"
        )
    _check_schema(assembly.attributes, folder)
    if contents.damage:
        faults.append(contents.damage)
    if contents.torn_bytes and assembly.closed:
        faults.append(f"{contents.torn_bytes} bytes after the end of the trace")
    return Salvage(_run(folder, assembly, contents), tuple(faults))


def _check_schema(attributes: Mapping[str, Any], folder: Path) -> None:
    version = attributes.get(names.SCHEMA)
    if version not in names.READABLE_VERSIONS:
        raise TandemError(
            "TRACE_SCHEMA",
            f"{folder} has version {version!r} of the trace schema; known are {names.READABLE_VERSIONS}",
            fix="read it with the Tandem that wrote it",
        )


def _run(folder: Path, assembly: _Assembly, contents: WalContents) -> Run:
    return Run(
        folder=folder,
        trace_id=assembly.trace_id,
        started_ns=assembly.started_ns,
        last_ns=assembly.last_ns,
        attributes=assembly.attributes,
        roots=assembly.freeze(),
        logs=tuple(assembly.logs),
        closed=assembly.closed,
        close_attributes=assembly.close_attributes,
        torn_bytes=contents.torn_bytes,
        records=len(contents.records),
    )


@dataclass(slots=True)
class _Draft:
    """A span while its records come in."""

    span_id: str
    parent_id: str | None
    name: str
    start_ns: int
    attributes: dict[str, Any]
    links: list[RecordedLink]
    end_ns: int | None = None
    status: SpanStatus = SpanStatus.LOST
    code: str = ""
    message: str = ""
    logs: list[LogRecord] = field(default_factory=list)
    children: list[RecordedSpan] = field(default_factory=list)


class _Assembly:
    """Puts records together. `take` returns what is wrong with a record, or an empty string."""

    def __init__(self) -> None:
        self.trace_id = ""
        self.started_ns = 0
        self.last_ns = 0
        self.attributes: dict[str, Any] = {}
        self.closed = False
        self.close_attributes: dict[str, Any] = {}
        self.logs: list[LogRecord] = []
        self._drafts: dict[str, _Draft] = {}
        self._takers: dict[object, Callable[[dict[str, Any]], str]] = {
            "run": self._take_run,
            "start": self._take_start,
            "set": self._take_set,
            "log": self._take_log,
            "link": self._take_link,
            "end": self._take_end,
            "close": self._take_close,
        }

    def take(self, record: dict[str, Any]) -> str:
        kind = record.get("t")
        taker = self._takers.get(kind) if isinstance(kind, str) else None
        if taker is None:
            return f"a record of unknown kind {kind!r}"
        if self.closed:
            return f"a {kind} record after the end of the trace"
        if bool(self.trace_id) is (kind == "run"):
            return f"a {kind} record out of place"
        try:
            fault = taker(record)
        except (KeyError, TypeError, ValueError) as cause:
            return f"a malformed {kind} record ({type(cause).__name__}: {cause})"
        return fault

    def freeze(self) -> tuple[RecordedSpan, ...]:
        """The finished tree. Later spans first, so that children are ready before what contains them."""
        roots: list[RecordedSpan] = []
        for draft in reversed(self._drafts.values()):
            span = self._finish(draft)
            siblings = roots if draft.parent_id is None else self._drafts[draft.parent_id].children
            siblings.append(span)
        return tuple(reversed(roots))

    def _finish(self, draft: _Draft) -> RecordedSpan:
        return RecordedSpan(
            ref=SpanRef(self.trace_id, draft.span_id),
            parent_id=draft.parent_id,
            name=draft.name,
            start_ns=draft.start_ns,
            end_ns=draft.end_ns,
            attributes=draft.attributes,
            links=tuple(draft.links),
            logs=tuple(draft.logs),
            status=draft.status,
            code=draft.code,
            message=draft.message,
            children=tuple(reversed(draft.children)),
        )

    def _time(self, record: dict[str, Any]) -> int:
        ns = _typed(record, "ns", int)
        if not 0 <= ns < 1 << 63:
            raise ValueError("ns is no time")
        self.last_ns = max(self.last_ns, ns)
        return ns

    def _take_run(self, record: dict[str, Any]) -> str:
        self.attributes = _typed(record, "a", dict)
        self.started_ns = self._time(record)
        self.trace_id = _typed(record, "trace", str)
        return ""

    def _take_start(self, record: dict[str, Any]) -> str:
        span_id, parent_id = _typed(record, "id", str), record["parent"]
        if span_id in self._drafts:
            return f"span {span_id} starts twice"
        if parent_id is not None and parent_id not in self._drafts:
            return f"span {span_id} is contained in {parent_id!r}, which never started"
        self._drafts[span_id] = _Draft(
            span_id,
            parent_id,
            _typed(record, "name", str),
            self._time(record),
            _typed(record, "a", dict),
            [_link(item) for item in record.get("links", [])],
        )
        return ""

    def _open(self, record: dict[str, Any]) -> _Draft:
        """The span that a record belongs to. Raises `ValueError` when none such is open."""
        draft = self._drafts.get(_typed(record, "id", str))
        if draft is None or draft.end_ns is not None:
            raise ValueError(f"span {record['id']} is not open")
        return draft

    def _take_set(self, record: dict[str, Any]) -> str:
        facts = self.attributes if record["id"] is None else self._open(record).attributes
        facts.update(_typed(record, "a", dict))
        return ""

    def _take_log(self, record: dict[str, Any]) -> str:
        log = LogRecord(_typed(record, "name", str), self._time(record), _typed(record, "a", dict))
        logs = self.logs if record["id"] is None else self._open(record).logs
        logs.append(log)
        return ""

    def _take_link(self, record: dict[str, Any]) -> str:
        self._open(record).links.append(_link(record["to"]))
        return ""

    def _take_end(self, record: dict[str, Any]) -> str:
        draft = self._open(record)
        status = SpanStatus(record["status"])
        end_ns = self._time(record)
        draft.code = _typed(record, "code", str) if "code" in record else ""
        draft.message = _typed(record, "message", str) if "message" in record else ""
        draft.status, draft.end_ns = status, end_ns
        return f"span {draft.span_id} ends before it starts" if end_ns < draft.start_ns else ""

    def _take_close(self, record: dict[str, Any]) -> str:
        self._time(record)
        self.close_attributes = _typed(record, "a", dict) if "a" in record else {}
        self.closed = True
        return ""


def _typed(record: dict[str, Any], key: str, kind: type[T]) -> T:
    value = record[key]
    if not isinstance(value, kind):
        raise TypeError(f"{key} is no {kind.__name__}")
    return value


def _link(item: Any) -> RecordedLink:
    trace_id, span_id, kind = item
    if not all(isinstance(part, str) for part in (trace_id, span_id, kind)):
        raise TypeError("a link is made of texts")
    return RecordedLink(SpanRef(trace_id, span_id), kind)
