"""One piece of work, as it is recorded."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from opentelemetry import context as otel_context
from opentelemetry import trace as otel
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from traces import names
from traces.errors import TandemError
from traces.run import LogRecord, RecordedLink, RecordedSpan, SpanRef, SpanStatus
from traces.values import Value, plain, plain_all
from traces.wal import WalWriter

__all__ = ["Links", "Session", "Span", "SpanRef", "current"]

INTERRUPTED = "INTERRUPTED"
INTERNAL = "INTERNAL"
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)

Links = Sequence[tuple[SpanRef, names.LinkKind]]


@dataclass(frozen=True, slots=True)
class Session:
    """What the spans of one recorder share.

    Attributes:
        wal: Where they are written.
        offset_ns: Time since the epoch at which `time.monotonic_ns()` counted from 0.
        sync: Forces everything to the disk itself.
        trace_id: Of all of them.
        new_id: Makes the id of a span, 64 bits.
        export: Told of every span that has ended; None when nobody is.
        known: Ids of the spans that the log holds, for others to be put under.
        trace: `trace_id` as 32 hex digits.
    """

    wal: WalWriter
    offset_ns: int
    sync: Callable[[], None]
    trace_id: int
    new_id: Callable[[], int]
    export: Callable[[RecordedSpan], None] | None
    known: set[int] = field(default_factory=set)
    trace: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "trace", f"{self.trace_id:032x}")

    def clock_ns(self) -> int:
        """Time since the epoch, ns; never jumps, whatever is done to the machine's clock."""
        return self.offset_ns + time.monotonic_ns()


class Span:
    """A context manager around one piece of work.

    Entering writes the start record before the work begins; whatever is set or logged is on
    record when the call returns; an exception marks the span as failed and goes on. Every method may raise
    `TandemError` (`STORE_FULL`, `STORE_IO`, `STORE_READ_ONLY`): stop working then.

    To OpenTelemetry it is a span that somebody else records: others' spans stand under it, and the cost of a
    second recording is not paid.
    """

    __slots__ = (
        "_attributes",
        "_context",
        "_failure",
        "_id",
        "_links",
        "_name",
        "_session",
        "_token",
        "_told",
    )

    def __init__(self, session: Session, name: str, attributes: Mapping[str, object], links: Links) -> None:
        self._session = session
        self._name = name
        self._attributes = attributes
        self._links = links
        self._id = 0
        self._failure: tuple[str, str] | None = None
        self._told: _Told | None = None
        self._token: Token[Span | None] | None = None
        self._context: Token[Context] | None = None

    @property
    def ref(self) -> SpanRef:
        """What links to this span are made of. Valid once it has been entered, and after its end."""
        return SpanRef(self._session.trace, f"{self._id:016x}") if self._id else SpanRef("", "")

    def set(self, key: str, value: object) -> None:
        """Set an attribute. None is ignored; a later value replaces an earlier one."""
        self.update({key: value})

    def update(self, attributes: Mapping[str, object]) -> None:
        """Set several attributes in one record; cheaper than one by one."""
        done = plain_all(attributes)
        if done:
            self._session.wal.append({"t": "set", "id": f"{self._id:016x}", "a": done})
            if self._told is not None:
                self._told.attributes.update(done)

    def log(self, name: str, attributes: Mapping[str, object] | None = None) -> None:
        """Add a log record: something that happened at one instant during this span."""
        now, done = self._session.clock_ns(), plain_all(attributes or {})
        self._session.wal.append({"t": "log", "id": f"{self._id:016x}", "ns": now, "name": name, "a": done})
        if name in names.DURABLE_LOGS:
            self._session.sync()
        if self._told is not None:
            self._told.logs.append(LogRecord(name, now, done))

    def link(self, ref: SpanRef, kind: names.LinkKind) -> None:
        """Add a cause that was not known when the span began."""
        to = [ref.trace_id, ref.span_id, str(kind)]
        self._session.wal.append({"t": "link", "id": f"{self._id:016x}", "to": to})
        if self._told is not None:
            self._told.links.append(RecordedLink(ref, str(kind)))

    def fail(self, code: str, message: str) -> None:
        """Mark the span as failed. The first failure stays."""
        self._failure = self._failure or (code, str(plain(message)))

    def begin(self) -> Self:
        """Start it under the span that is open in this thread, which stays the open one.

        For work that goes on beside what this thread does next; end it with `finish`.
        """
        around = otel.get_current_span().get_span_context()
        # Whoever calls may be in a trace of their own; a run is a trace by itself.
        parent = around.span_id if around.trace_id == self._session.trace_id else None
        return self.begin_under(parent, self._session.clock_ns())

    def begin_under(self, parent: int | None, start_ns: int) -> Self:
        """Start it under a span of this run, named by its id, at a time since the epoch, ns."""
        session = self._session
        self._id = session.new_id()
        done: dict[str, Value] = {**names.span_defaults(self._name), **plain_all(self._attributes)}
        record: dict[str, Any] = {
            "t": "start",
            "id": f"{self._id:016x}",
            "parent": None if parent is None else f"{parent:016x}",
            "name": self._name,
            "ns": start_ns,
            "a": done,
        }
        if self._links:
            record["links"] = [[ref.trace_id, ref.span_id, str(kind)] for ref, kind in self._links]
        session.wal.append(record)
        session.known.add(self._id)
        if session.export is not None:
            links = [RecordedLink(ref, str(kind)) for ref, kind in self._links]
            self._told = _Told(record["parent"], start_ns, done, links, [])
        return self

    def finish(self, error: BaseException | None = None, end_ns: int | None = None) -> None:
        """End it, failed when there was an error; now, unless a time is told, ns."""
        if self._context is not None:
            otel_context.detach(self._context)
        if self._token is not None:
            _CURRENT.reset(self._token)
        if error is not None:
            self.fail(*_describe(error))
        # A log that cannot be written must not hide the error that is already on its way.
        guard = contextlib.nullcontext() if error is None else contextlib.suppress(TandemError)
        with guard:
            self._end(self._session.clock_ns() if end_ns is None else end_ns)

    def __enter__(self) -> Self:
        self.begin()
        self._token = _CURRENT.set(self)
        # Spans that others start with OpenTelemetry from here on become children of this one.
        own = SpanContext(self._session.trace_id, self._id, is_remote=False, trace_flags=_SAMPLED)
        self._context = otel_context.attach(otel.set_span_in_context(NonRecordingSpan(own)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish(error)

    def _end(self, end_ns: int) -> None:
        record: dict[str, Any] = {"t": "end", "ns": end_ns, "status": "ok", "id": f"{self._id:016x}"}
        code, message = self._failure or ("", "")
        if self._failure is not None:
            record |= {"status": "error", "code": code, "message": message}
        self._session.wal.append(record)
        if self._told is not None and self._session.export is not None:
            status = SpanStatus.ERROR if self._failure else SpanStatus.OK
            self._session.export(self._told.span(self.ref, self._name, end_ns, (status, code, message)))


@dataclass(slots=True)
class _Told:
    """What has been recorded of a span that is open, kept where somebody wants it at its end."""

    parent: str | None
    start_ns: int
    attributes: dict[str, Value]
    links: list[RecordedLink]
    logs: list[LogRecord]

    def span(self, ref: SpanRef, name: str, end_ns: int, ending: tuple[SpanStatus, str, str]) -> RecordedSpan:
        links, logs = tuple(self.links), tuple(self.logs)
        return RecordedSpan(
            ref, self.parent, name, self.start_ns, end_ns, self.attributes, links, logs, *ending, ()
        )


_CURRENT: ContextVar[Span | None] = ContextVar("tandem_span", default=None)


def current(session: Session) -> Span | None:
    """The innermost span of a recorder that is open in this thread."""
    span = _CURRENT.get()
    return span if span is not None and span._session is session else None


def _describe(error: BaseException) -> tuple[str, str]:
    if isinstance(error, TandemError):
        return error.code, error.message
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, "interrupted from the keyboard"
    return INTERNAL, f"{type(error).__name__}: {error}"
