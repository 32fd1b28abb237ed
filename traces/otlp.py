"""A recorded run as OpenTelemetry spans: to an OTLP endpoint, or into a file of OTLP/JSON.

Open spans of a run that was killed end with the last thing on record and say that they are lost. Texts that
viewers of language-model traces show (`input.value`, `output.value`) are read from the blobs.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from traces import names
from traces.errors import TandemError
from traces.facts import kind_of
from traces.readable import readable, resource_of
from traces.run import RecordedSpan, Run
from traces.storage import write_whole

BATCH: Final = 256
TIMEOUT_S = 20
MAX_VALUE: Final = 32_768
_IDS: Final = frozenset({"traceId", "spanId", "parentSpanId"})
# Which blobs say what went in and what came out.
_INPUTS: Final = {
    "chat": names.CHAT_INPUT_REF,
    "plan": names.PLAN_HISTORY_REF,
    "chunk": names.INSTRUCTION_REF,
}
_OUTPUTS: Final = {
    "chat": names.CHAT_OUTPUT_REF,
    "plan": names.PLAN_DECISION_REF,
    "tandem.perceive": names.PERCEIVED_REF,
}


def otlp_spans(run: Run) -> Iterator[ReadableSpan]:
    """The run's spans in the order in which they started, ready for any OpenTelemetry exporter."""
    resource = resource_of(run.attributes)
    for _, span in sorted(run.walk(), key=lambda item: item[1].start_ns):
        yield readable(span, resource, run.last_ns, _shown(run, span))


def send(run: Run, endpoint: str = "") -> int:
    """Send a run and return how many spans were accepted.

    Args:
        run: What to send.
        endpoint: Base URL such as `http://127.0.0.1:6006`; the `OTEL_EXPORTER_OTLP_*` variables when empty.

    Raises:
        TandemError: `EXPORT_FAILED` when the endpoint does not take it.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    url = f"{endpoint.rstrip('/')}/v1/traces" if endpoint else None
    exporter = OTLPSpanExporter(endpoint=url, timeout=TIMEOUT_S)
    spans = list(otlp_spans(run))
    try:
        for first in range(0, len(spans), BATCH):
            if exporter.export(spans[first : first + BATCH]) is not SpanExportResult.SUCCESS:
                raise TandemError(
                    "EXPORT_FAILED",
                    f"the endpoint took {first} of {len(spans)} spans",
                    fix="give --endpoint or OTEL_EXPORTER_OTLP_ENDPOINT, and see that it is there",
                )
    finally:
        exporter.shutdown()  # type: ignore[no-untyped-call]
    return len(spans)


def write_json(run: Run, target: Path) -> int:
    """Write OTLP/JSON, one `TracesData` per line (the OTLP file format); returns the number of spans.

    Raises:
        TandemError: `STORE_FULL`, `STORE_READ_ONLY` or `STORE_IO`.
    """
    spans = list(otlp_spans(run))
    lines = []
    for first in range(0, len(spans), BATCH):
        told = MessageToDict(encode_spans(spans[first : first + BATCH]), use_integers_for_enums=True)
        lines.append(json.dumps(_hexadecimal(told), separators=(",", ":")))
    write_whole(target, ("\n".join(lines) + "\n").encode())
    return len(spans)


def _hexadecimal(told: Any) -> Any:
    """Ids as OTLP/JSON wants them: hexadecimal, where protobuf's own JSON has base64."""
    if isinstance(told, dict):
        return {
            key: base64.b64decode(value).hex() if key in _IDS else _hexadecimal(value)
            for key, value in told.items()
        }
    return [_hexadecimal(item) for item in told] if isinstance(told, list) else told


def _shown(run: Run, span: RecordedSpan) -> Mapping[str, str]:
    """Texts from blobs, under the names that viewers know."""
    kind = kind_of(span)
    told: dict[str, str] = {}
    for keys, table in (
        ((names.INPUT_VALUE, names.INPUT_TYPE), _INPUTS),
        ((names.OUTPUT_VALUE, names.OUTPUT_TYPE), _OUTPUTS),
    ):
        ref = span.attributes.get(table.get(kind, ""))
        if ref is None:
            continue
        try:
            text = run.blobs.get(str(ref)).decode("utf-8", "replace")
        except TandemError:
            continue
        told[keys[0]] = text[:MAX_VALUE]
        told[keys[1]] = (
            "application/json" if text[:1] in ("{", "[") and len(text) <= MAX_VALUE else "text/plain"
        )
    if kind == "invoke_workflow":
        told[names.INPUT_VALUE] = str(span.attributes.get(names.COMMAND_TEXT, ""))
        told[names.OUTPUT_VALUE] = str(span.attributes.get(names.OUTCOME, ""))
    if kind == "chat" and names.REQUEST_MODEL in span.attributes:
        told[names.MODEL_NAME] = str(span.attributes[names.REQUEST_MODEL])
    return told
