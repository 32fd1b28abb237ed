"""The current span as a W3C trace context, for other processes to put their spans under it."""

from __future__ import annotations

from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_PROPAGATOR = TraceContextTextMapPropagator()


def trace_headers() -> dict[str, str]:
    """`traceparent` and `tracestate` of the span that is open in this thread; empty when none is.

    The format is https://www.w3.org/TR/trace-context/.
    """
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier
