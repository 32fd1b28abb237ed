"""The current span as a W3C trace context, for other processes to put their spans under it."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_PROPAGATOR = TraceContextTextMapPropagator()


def trace_headers() -> dict[str, str]:
    """`traceparent` and `tracestate` of the span that is open in this thread; empty when none is.

    The format is https://www.w3.org/TR/trace-context/.
    """
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier


def read_trace_headers(headers: Mapping[str, str], trace_id: int) -> int | None:
    """The id of the span that `trace_headers` told, if it is one of this trace; anything else is None."""
    context = _PROPAGATOR.extract(dict(headers), Context())
    found = trace.get_current_span(context).get_span_context()
    return found.span_id if found.is_valid and found.trace_id == trace_id else None
