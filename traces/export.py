"""The projection of a run that leaves this machine: OTLP over HTTP, when somebody asks for it.

Configured by the standard variables only (`OTEL_EXPORTER_OTLP_ENDPOINT`,
`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_BSP_*`, ...). A slow or missing
endpoint costs the run nothing: spans are sent from a thread of their own, and failures are counted, not
printed.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from traces.readable import readable, resource_of
from traces.run import RecordedSpan

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
CLOSE_S = 3.0


@dataclass(frozen=True, slots=True)
class ExportCount:
    """Spans that the endpoint accepted, and spans that it did not take."""

    sent: int
    failed: int


class _CountingExporter(SpanExporter):
    """An exporter around an exporter that counts the spans that were accepted."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self.sent = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Pass a batch on."""
        result = self._inner.export(spans)
        if result is SpanExportResult.SUCCESS:
            self.sent += len(spans)
        return result

    def shutdown(self) -> None:
        """End the exporter, its retries included."""
        self._inner.shutdown()


class OtlpExport:
    """Sends ended spans in the background."""

    def __init__(self, exporter: SpanExporter, facts: Mapping[str, object]) -> None:
        self._resource = resource_of(facts)
        self._exporter = _CountingExporter(exporter)
        self._batches = BatchSpanProcessor(self._exporter)
        self._ended = 0

    @classmethod
    def from_environment(cls, facts: Mapping[str, object]) -> OtlpExport | None:
        """Set up what the `OTEL_*` variables ask for, for a run with such facts; None for nothing."""
        off = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
        none = os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none"
        if off or none or not any(os.environ.get(name, "").strip() for name in _ENDPOINTS):
            return None
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        # What goes wrong on the way is counted and told at close; the terminal belongs to the person.
        for name in ("opentelemetry.exporter", "opentelemetry.sdk"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        return cls(OTLPSpanExporter(), facts)

    def take(self, span: RecordedSpan) -> None:
        """Queue a span that has ended."""
        self._ended += 1
        self._batches.on_end(readable(span, self._resource, span.start_ns, {}))

    def close(self) -> ExportCount:
        """Send what is left, within a few seconds, and count."""
        closing = threading.Thread(target=self._batches.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSE_S)
        if closing.is_alive():
            self._exporter.shutdown()
            closing.join(CLOSE_S / 4)
        sent = self._exporter.sent
        return ExportCount(sent, self._ended - sent)
