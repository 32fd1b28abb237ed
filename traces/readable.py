"""A recorded span in the form that OpenTelemetry's exporters take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from traces import names
from traces.facts import kind_of
from traces.run import LogRecord, RecordedSpan, SpanRef, SpanStatus

_SCOPE: Final = InstrumentationScope(names.SCOPE, str(names.SCHEMA_VERSION), names.SEMCONV_URL)


def resource_of(facts: Mapping[str, object]) -> Resource:
    """The run's facts, as what all of its spans belong to."""
    return Resource({"service.name": "tandem", **facts})  # type: ignore[dict-item]  # attribute forms, as recorded


def readable(span: RecordedSpan, resource: Resource, end_ns: int, shown: Mapping[str, str]) -> ReadableSpan:
    """The span for an exporter.

    Args:
        span: As it was recorded.
        resource: The run's, from `resource_of`.
        end_ns: When it ended if it never did, since the epoch.
        shown: Attributes besides those that were recorded.
    """
    lost, bad = span.status is SpanStatus.LOST, span.status is not SpanStatus.OK
    about = {**span.attributes, **shown} | ({names.LOST: True} if lost else {})
    message = "lost: it never ended" if lost else span.message or span.code
    return ReadableSpan(
        name=span.name,
        context=_context(span.ref),
        parent=_context(SpanRef(span.ref.trace_id, span.parent_id)) if span.parent_id else None,
        resource=resource,
        attributes=about | ({names.ERROR_TYPE: span.code} if span.code else {}),
        events=[_event(log) for log in span.logs if log.name != names.STEP] + _results(span),
        links=[Link(_context(link.target), {names.LINK_KIND: link.kind}) for link in span.links],
        kind=SpanKind.CLIENT if kind_of(span) == "chat" else SpanKind.INTERNAL,
        status=Status(StatusCode.ERROR, message) if bad else Status(StatusCode.UNSET),
        start_time=span.start_ns,
        end_time=span.end_ns if span.end_ns is not None else max(end_ns, span.start_ns),
        instrumentation_scope=_SCOPE,
    )


def _context(ref: SpanRef) -> SpanContext:
    return SpanContext(
        int(ref.trace_id, 16),
        int(ref.span_id, 16),
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )


def _event(log: LogRecord) -> Event:
    return Event(log.name, dict(log.attributes), log.time_ns)


def _results(span: RecordedSpan) -> list[Event]:
    """A judgement as the event that the GenAI conventions have for it."""
    told = {key: value for key, value in span.attributes.items() if key.startswith("gen_ai.evaluation.")}
    if not told or span.end_ns is None:
        return []
    return [Event(names.EVALUATION_RESULT, told, span.end_ns)]
