"""The flight recorder of one run: spans into a write-ahead log, large things into blobs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from opentelemetry.sdk.trace import SpanProcessor

from traces import names
from traces.blobs import BlobStore, encode_arrays, encode_image, encode_json
from traces.context import read_trace_headers, trace_headers
from traces.errors import TandemError
from traces.export import OtlpExport
from traces.flusher import Flusher
from traces.processor import JoinProcessor
from traces.run import SpanRef
from traces.span import Links, Session, Span, current
from traces.storage import BLOB_FOLDER, RESULT_FILE, TRACE_FILE, storage_error, write_whole
from traces.values import plain_all
from traces.wal import WalWriter

_GOLDEN = 0x9E3779B97F4A7C15
"""Odd, so that multiples of it are all different; 2**64 over the golden ratio, so that they lie far apart."""

__all__ = ["Links", "Recorder", "Span", "SpanRef"]


class Recorder:
    """Records one run into one folder.

    `with recorder.span(names.CHUNK.format(k=3)) as span:` puts the span under the one that is open in
    the same thread. Every method raises `TandemError` (`STORE_FULL`, `STORE_IO`, `STORE_READ_ONLY`)
    when the disk fails, and after that always: the caller stops the motion.
    """

    def __init__(
        self,
        folder: Path,
        wal: WalWriter,
        attributes: Mapping[str, object],
        jpeg: Mapping[str, int] = MappingProxyType({}),
        origin: SpanRef | None = None,
    ) -> None:
        """Use `Recorder.open`."""
        self._folder = folder
        self._jpeg = dict(jpeg)
        self._origin = origin
        self._wal = wal
        self._flusher = Flusher(folder / BLOB_FOLDER, wal.latch)
        self._blobs = BlobStore(folder / BLOB_FOLDER, self._flusher.add)
        trace_id = int.from_bytes(os.urandom(16), "big") or 1
        facts = plain_all({names.SCHEMA: names.SCHEMA_VERSION, **attributes})
        self._export = OtlpExport.from_environment(facts)
        offset_ns = time.time_ns() - time.monotonic_ns()
        take = self._export.take if self._export is not None else None
        self._session = Session(wal, offset_ns, self.sync, trace_id, _span_ids(), take)
        self._join = JoinProcessor(self._session)
        first = {"t": "run", "trace": self.trace_id, "ns": self._session.clock_ns(), "pid": os.getpid()}
        wal.append({**first, "a": facts})

    @classmethod
    def open(
        cls,
        folder: Path,
        attributes: Mapping[str, object],
        *,
        jpeg: Mapping[str, int] = MappingProxyType({}),
        origin: SpanRef | None = None,
    ) -> Recorder:
        """Begin a recording.

        Args:
            folder: Created when missing; must not hold a run yet.
            attributes: Facts about the whole run, known before it begins (`names.COMMAND_TEXT`, ...).
            jpeg: Cameras whose pictures are stored as JPEG, with the quality 1..95; PNG, which is exact, for
                all others.
            origin: The span of another run that this run goes on from; every root links it.

        Raises:
            TandemError: `RUN_EXISTS`, `STORE_FULL`, `STORE_READ_ONLY` or `STORE_IO`.
        """
        path = folder / TRACE_FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            wal = WalWriter(path)
        except FileExistsError as cause:
            raise TandemError(
                "RUN_EXISTS", f"{folder} holds a run already", fix="record into another folder"
            ) from cause
        except OSError as cause:
            raise storage_error(cause, folder) from cause
        return cls(folder, wal, attributes, jpeg, origin)

    @property
    def folder(self) -> Path:
        """Where the run is recorded."""
        return self._folder

    @property
    def trace_id(self) -> str:
        """The trace's id, 32 hex digits; what an OTLP backend calls it too."""
        return self._session.trace

    @property
    def processor(self) -> SpanProcessor:
        """For other people's tracer providers: `provider.add_span_processor(recorder.processor)`.

        Their spans then stand in this run under the span in which they were started.
        """
        return self._join

    def span(self, name: str, attributes: Mapping[str, object] | None = None, links: Links = ()) -> Span:
        """A span that starts when it is entered, under the one that is open in this thread."""
        if self._origin is not None and current(self._session) is None:
            links = [*links, (self._origin, names.LinkKind.FORKED_FROM)]
        return Span(self._session, name, attributes or {}, links)

    def adopt(self, name: str, traceparent: str, begin_ns: int, end_ns: int) -> None:
        """Record work that another process has done for a span of this run.

        Args:
            name: As in `traces.names`.
            traceparent: What `trace_headers` told that process; contexts of other traces are passed over.
            begin_ns: `time.monotonic_ns()` when it began, there; the clock is the machine's.
            end_ns: The same when it ended.
        """
        self._past(name, {}, traceparent, (begin_ns, end_ns))

    def past(self, name: str, attributes: Mapping[str, object], begin_ns: int, end_ns: int) -> None:
        """Record work that is over, under the span that is open in this thread. Times as in `adopt`."""
        self._past(name, attributes, trace_headers().get("traceparent", ""), (begin_ns, end_ns))

    def _past(
        self, name: str, attributes: Mapping[str, object], traceparent: str, times_ns: tuple[int, int]
    ) -> None:
        parent = read_trace_headers({"traceparent": traceparent}, self._session.trace_id)
        if parent is None:
            return
        begin_ns, end_ns = times_ns
        offset_ns = self._session.offset_ns
        span = Span(self._session, name, attributes, ()).begin_under(parent, begin_ns + offset_ns)
        span.finish(end_ns=max(begin_ns, end_ns) + offset_ns)

    def update(self, attributes: Mapping[str, object]) -> None:
        """Add facts about the whole run that were not known when it was opened (`names.SCENE_REF`, ...)."""
        self._wal.append({"t": "set", "id": None, "a": plain_all(attributes)})

    def log(self, name: str, attributes: Mapping[str, object] | None = None) -> None:
        """Add a log record to the span that is open in this thread, or to the run where none is."""
        span = current(self._session)
        if span is not None:
            span.log(name, attributes)
            return
        now = self._session.clock_ns()
        self._wal.append({"t": "log", "id": None, "ns": now, "name": name, "a": plain_all(attributes or {})})
        if name in names.DURABLE_LOGS:
            self.sync()

    def image(self, rgb: NDArray[np.uint8], camera: str = "") -> str:
        """Store a uint8 [H, W, 3] image in its camera's format; returns its sha256."""
        return self._put(encode_image(rgb, self._jpeg.get(camera)))

    def arrays(self, **arrays: NDArray[Any] | np.generic) -> str:
        """Store arrays by name as npz; returns its sha256. Equal arrays give equal names."""
        return self._put(encode_arrays(arrays))

    def packed(self, **arrays: NDArray[Any] | np.generic) -> str:
        """The same, compressed without loss: slower, for what is large and smooth."""
        return self._put(encode_arrays(arrays, compress=True))

    def json(self, value: object) -> str:
        """Store JSON-like data in canonical form; returns its sha256."""
        return self._put(encode_json(value))

    def text(self, text: str) -> str:
        """Store a text as UTF-8; returns its sha256."""
        return self._put(text.encode("utf-8", "backslashreplace"))

    def result(self, result: Mapping[str, object]) -> None:
        """Write `result.json`, whole or not at all, and force it to the disk itself."""
        write_whole(self._folder / RESULT_FILE, encode_json(result) + b"\n")

    def sync(self) -> None:
        """Force log and blobs to the disk itself. For edges: a plan, a skill's end, an alarm, a stop."""
        self._flusher.wait()
        self._wal.sync()

    def close(self) -> None:
        """End the recording. Idempotent; bounded in time; never raises."""
        count = self._export.close() if self._export is not None else None
        record: dict[str, object] = {"t": "close", "ns": self._session.clock_ns()}
        if count is not None:
            record["a"] = {names.EXPORT_SENT: count.sent, names.EXPORT_FAILED: count.failed}
        self._flusher.close()
        self._wal.finish(record)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _put(self, data: bytes) -> str:
        self._wal.check()
        try:
            return self._blobs.put(data)
        except TandemError as error:
            self._wal.latch(error)
            raise


def _span_ids() -> Callable[[], int]:
    """Makes span ids: none twice in 64 bits from a random start, never 0, and each begins with other digits.

    Apart from `random`, whose seed others set.
    """
    counter = count(1 + int.from_bytes(os.urandom(7), "big"))
    return lambda: next(counter) * _GOLDEN % (1 << 64)
