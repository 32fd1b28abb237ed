"""A run as MCAP for Foxglove and other robot viewers; needs `pip install tandem-robot[mcap]`."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from traces.blobs import media_type
from traces.errors import TandemError
from traces.run import Run
from traces.storage import storage_error
from traces.timeline import frames_of, samples_of

IMAGE: Final = "foxglove.CompressedImage"
PATH: Final = "foxglove.PoseInFrame"
_TIME: Final = {"type": "object", "properties": {"sec": {"type": "integer"}, "nsec": {"type": "integer"}}}
_SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    IMAGE: {
        "timestamp": _TIME,
        "frame_id": {"type": "string"},
        "data": {"type": "string", "contentEncoding": "base64"},
        "format": {"type": "string"},
    },
    PATH: {"timestamp": _TIME, "frame_id": {"type": "string"}, "pose": {"type": "object"}},
    "tandem.Span": {
        "name": {"type": "string"},
        "span_id": {"type": "string"},
        "attributes": {"type": "object"},
    },
    "tandem.Log": {
        "name": {"type": "string"},
        "span_id": {"type": "string"},
        "attributes": {"type": "object"},
    },
    "tandem.Chunk": {"chunk": {"type": "integer"}, "node": {"type": "string"}, "scores": {"type": "object"}},
}

Entry = tuple[int, str, str, dict[str, Any]]
"""Time in ns, topic, schema and message."""


def write_mcap(run: Run, target: Path) -> int:
    """Write the file; returns the number of messages.

    Raises:
        TandemError: `EXTRA_MISSING` without the package, `STORE_FULL`, `STORE_READ_ONLY` or `STORE_IO`.
    """
    try:
        from mcap.writer import Writer
    except ImportError as cause:
        raise TandemError(
            "EXTRA_MISSING", "MCAP needs the mcap package", fix="pip install 'tandem-robot[mcap]'"
        ) from cause
    partial = target.with_name(f".{target.name}.part")
    count = 0
    try:
        with partial.open("wb") as file:
            writer = Writer(file)
            writer.start(library="tandem")
            writer.add_metadata("tandem", {"trace_id": run.trace_id, "folder": run.folder.name})
            channels: dict[str, int] = {}
            for time_ns, topic, schema, message in sorted(_entries(run), key=lambda entry: entry[:2]):
                if topic not in channels:
                    channels[topic] = _channel(writer, topic, schema, run.trace_id)
                data = json.dumps(message).encode()
                writer.add_message(channels[topic], time_ns, data, time_ns)
                count += 1
            writer.finish()
        partial.replace(target)
    except OSError as cause:
        partial.unlink(missing_ok=True)
        raise storage_error(cause, target) from cause
    return count


def _channel(writer: Any, topic: str, schema: str, trace_id: str) -> int:
    told = {"type": "object", "properties": _SCHEMAS[schema]}
    schema_id = writer.register_schema(schema, "jsonschema", json.dumps(told).encode())
    return int(writer.register_channel(topic, "json", schema_id, {"trace_id": trace_id}))


def _entries(run: Run) -> Iterator[Entry]:
    for frame in frames_of(run):
        try:
            data = run.blobs.get(frame.ref)
        except TandemError:
            continue
        image = {
            "timestamp": _stamp(frame.time_ns),
            "frame_id": frame.camera,
            "data": base64.b64encode(data).decode(),
            "format": media_type(data).removeprefix("image/"),
        }
        yield frame.time_ns, f"/camera/{frame.camera}", IMAGE, image
    for sample in samples_of(run):
        told = {
            "chunk": sample.number,
            "node": sample.node,
            "scores": {
                name: {"score": score, "bound": bound} for name, (score, bound) in sample.scores.items()
            },
            "joint_rad": [] if sample.joint_rad is None else sample.joint_rad.tolist(),
        }
        yield sample.time_ns, "/chunk", "tandem.Chunk", told
        if sample.ee_m is not None:
            x, y, z = sample.ee_m.tolist()
            pose = {"position": {"x": x, "y": y, "z": z}, "orientation": {"x": 0, "y": 0, "z": 0, "w": 1}}
            message = {"timestamp": _stamp(sample.time_ns), "frame_id": "world", "pose": pose}
            yield sample.time_ns, "/ee", PATH, message
    for _, span in run.walk():
        about = {"name": span.name, "span_id": span.ref.span_id, "parent_id": span.parent_id}
        facts = {**about, "end_ns": span.end_ns, "status": span.status, "attributes": dict(span.attributes)}
        yield span.start_ns, "/trace/spans", "tandem.Span", facts
        for log in span.logs:
            note = {"name": log.name, "span_id": span.ref.span_id, "attributes": dict(log.attributes)}
            yield log.time_ns, "/trace/logs", "tandem.Log", note


def _stamp(ns: int) -> dict[str, int]:
    return {"sec": ns // 10**9, "nsec": ns % 10**9}
