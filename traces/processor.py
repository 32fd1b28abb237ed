"""Spans of anyone else who uses OpenTelemetry, on their way into the log."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.trace import Link, SpanContext, StatusCode

from traces import names
from traces.errors import TandemError
from traces.span import Session
from traces.values import plain_all

INTERNAL = "INTERNAL"
LINK = "link"


class JoinProcessor(SpanProcessor):
    """Lets the spans of another OpenTelemetry provider join a run.

    Spans that are started inside one of the run's come out as its descendants, with attributes, events,
    links and status; all others are let pass. A failing disk latches the recorder and is never raised
    here: it is not these spans that move anything.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._open: dict[int, dict[str, Any]] = {}

    def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:  # noqa: ARG002
        """Write the start record of a span that belongs to the run."""
        context = _context(span)
        if context.trace_id != self._session.trace_id:
            return
        known = span.parent is not None and span.parent.span_id in self._session.known
        told = _plain(span.attributes)
        with contextlib.suppress(TandemError, ValueError):
            self._session.wal.append(_start(span, span.parent if known else None, told))
            self._session.known.add(context.span_id)
            self._open[context.span_id] = told

    def on_end(self, span: ReadableSpan) -> None:
        """Write what has been added since the start, and the end record."""
        context = _context(span)
        told = self._open.pop(context.span_id, None)
        if told is None:
            return
        span_id = f"{context.span_id:016x}"
        new = {key: value for key, value in _plain(span.attributes).items() if told.get(key) != value}
        with contextlib.suppress(TandemError, ValueError):
            if new:
                self._session.wal.append({"t": "set", "id": span_id, "a": new})
            for event in span.events:
                self._session.wal.append(
                    {
                        "t": "log",
                        "id": span_id,
                        "ns": event.timestamp,
                        "name": event.name,
                        "a": _plain(event.attributes),
                    }
                )
            self._session.wal.append(_end(span))


def _context(span: ReadableSpan) -> SpanContext:
    context = span.get_span_context()
    if context is None:
        raise ValueError("a span without a context")
    return context


def _start(span: ReadableSpan, parent: SpanContext | None, attributes: Mapping[str, Any]) -> dict[str, Any]:
    record: dict[str, Any] = {
        "t": "start",
        "id": f"{_context(span).span_id:016x}",
        "parent": f"{parent.span_id:016x}" if parent else None,
        "name": span.name,
        "ns": span.start_time,
        "a": attributes,
    }
    if span.links:
        record["links"] = [_link(link) for link in span.links]
    return record


def _end(span: ReadableSpan) -> dict[str, Any]:
    record: dict[str, Any] = {"t": "end", "ns": span.end_time, "status": "ok"}
    record["id"] = f"{_context(span).span_id:016x}"
    if span.status.status_code is StatusCode.ERROR:
        record["status"] = "error"
        record["code"] = str((span.attributes or {}).get(names.ERROR_TYPE, INTERNAL))
        record["message"] = span.status.description or ""
    return record


def _link(link: Link) -> list[str]:
    kind = str((link.attributes or {}).get(names.LINK_KIND, LINK))
    return [f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}", kind]


def _plain(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    """Attributes that have a form in the log; the others are left out."""
    done: dict[str, Any] = {}
    for key, value in (attributes or {}).items():
        with contextlib.suppress(TypeError):
            done |= plain_all({key: value})
    return done
