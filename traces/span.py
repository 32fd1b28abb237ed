"""One piece of work, as it is recorded."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from opentelemetry import context as otel_context
from opentelemetry import trace as otel
from opentelemetry.context import Context
from opentelemetry.trace import StatusCode, TraceFlags

from traces import names
from traces.errors import TandemError
from traces.run import SpanRef
from traces.values import plain, plain_all
from traces.wal import WalWriter

__all__ = ["Links", "Session", "Span", "SpanRef", "current", "steady_clock"]

INTERRUPTED = "INTERRUPTED"
INTERNAL = "INTERNAL"

Links = Sequence[tuple[SpanRef, names.LinkKind]]


@dataclass(frozen=True, slots=True)
class Session:
    """What the spans of one recorder share."""

    wal: WalWriter
    tracer: otel.Tracer
    clock_ns: Callable[[], int]
    trace_id: int


class Span:
    """A context manager around one piece of work.

    Entering writes the start record before the work begins; whatever is set or logged is on
    record when the call returns; an exception marks the span as failed and goes on. Every method may raise
    `TandemError` (`STORE_FULL`, `STORE_IO`, `STORE_READ_ONLY`): stop working then.
    """

    __slots__ = (
        *("_attributes", "_context", "_failed", "_links", "_name"),
        *("_otel", "_ref", "_session", "_token"),
    )

    def __init__(self, session: Session, name: str, attributes: Mapping[str, object], links: Links) -> None:
        self._session = session
        self._name = name
        self._attributes = attributes
        self._links = links
        self._otel: otel.Span = otel.INVALID_SPAN
        self._ref = SpanRef("", "")
        self._failed = False
        self._token: Token[Span | None] | None = None
        self._context: Token[Context] | None = None

    @property
    def ref(self) -> SpanRef:
        """What links to this span are made of. Valid once it has been entered, and after its end."""
        return self._ref

    def set(self, key: str, value: object) -> None:
        """Set an attribute. None is ignored; a later value replaces an earlier one."""
        self.update({key: value})

    def update(self, attributes: Mapping[str, object]) -> None:
        """Set several attributes in one record; cheaper than one by one."""
        done = plain_all(attributes)
        if done:
            self._session.wal.append({"t": "set", "id": self._ref.span_id, "a": done})
            self._otel.set_attributes(done)

    def log(self, name: str, attributes: Mapping[str, object] | None = None) -> None:
        """Add a log record: something that happened at one instant during this span."""
        now = self._session.clock_ns()
        done = plain_all(attributes or {})
        self._session.wal.append({"t": "log", "id": self._ref.span_id, "ns": now, "name": name, "a": done})
        if name in names.DURABLE_LOGS:
            self._session.wal.sync()
        if name != names.STEP:
            self._otel.add_event(name, done, now)

    def link(self, ref: SpanRef, kind: names.LinkKind) -> None:
        """Add a cause that was not known when the span began."""
        record = {"t": "link", "id": self._ref.span_id, "to": [ref.trace_id, ref.span_id, str(kind)]}
        self._session.wal.append(record)
        done = _link(ref, kind)
        self._otel.add_link(done.context, done.attributes)

    def fail(self, code: str, message: str) -> None:
        """Mark the span as failed. The first failure stays."""
        if self._failed:
            return
        self._failed = True
        self._otel.set_attribute(names.ERROR_TYPE, code)
        self._otel.set_status(StatusCode.ERROR, str(plain(message)))

    def begin(self) -> Self:
        """Start it under the span that is open in this thread, which stays the open one.

        For work that goes on beside what this thread does next; end it with `finish`.
        """
        context = otel_context.get_current()
        around = otel.get_current_span(context).get_span_context()
        if around.trace_id != self._session.trace_id:
            # Whoever calls may be in a trace of their own; a run is a trace by itself.
            context = Context()
        self._otel = self._session.tracer.start_span(
            self._name,
            context,
            attributes={**names.span_defaults(self._name), **plain_all(self._attributes)},
            links=[_link(ref, kind) for ref, kind in self._links],
            start_time=self._session.clock_ns(),
        )
        own = self._otel.get_span_context()
        self._ref = SpanRef(f"{own.trace_id:032x}", f"{own.span_id:016x}")
        return self

    def finish(self, error: BaseException | None = None) -> None:
        """End what `begin` has started, failed when there was an error."""
        if error is not None:
            self.fail(*_describe(error))
        # A log that cannot be written must not hide the error that is already on its way.
        guard = contextlib.nullcontext() if error is None else contextlib.suppress(TandemError)
        with guard:
            self._otel.end(self._session.clock_ns())

    def __enter__(self) -> Self:
        self.begin()
        self._token = _CURRENT.set(self)
        # Spans that others start with OpenTelemetry from here on become children of this one.
        self._context = otel_context.attach(otel.set_span_in_context(self._otel))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._context is not None:
            otel_context.detach(self._context)
        if self._token is not None:
            _CURRENT.reset(self._token)
        self.finish(error)


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


def _link(ref: SpanRef, kind: names.LinkKind) -> otel.Link:
    target = otel.SpanContext(
        int(ref.trace_id, 16),
        int(ref.span_id, 16),
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
    return otel.Link(target, {names.LINK_KIND: str(kind)})


def steady_clock() -> Callable[[], int]:
    """A clock in nanoseconds since the epoch that never jumps: read once, then advanced monotonically."""
    offset = time.time_ns() - time.monotonic_ns()
    return lambda: offset + time.monotonic_ns()
