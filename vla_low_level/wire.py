"""Messages between mind and body: a JSON header and raw arrays. Nothing on the wire can name code."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

DTYPES = {name: np.dtype(name) for name in ("uint8", "float32", "float64", "int64")}
MAX_HEADER_BYTES = 256 * 1024
MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_ARRAYS = 64
MAX_AXES = 4

_LENGTHS = struct.Struct("<II")


class WireError(ValueError):
    """Bytes that are not a message."""


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes:
        kind: What it asks or answers.
        fields: JSON values; NaN and infinities are allowed, the guard judges them.
        arrays: Arrays by name, of the types in `DTYPES`.
    """

    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


def encode(message: Message) -> bytes:
    """To bytes. Raises `WireError` for what the other side would refuse."""
    arrays = {name: np.ascontiguousarray(array) for name, array in message.arrays.items()}
    layout = [[name, array.dtype.name, list(array.shape)] for name, array in arrays.items()]
    try:
        header = json.dumps({"kind": message.kind, "fields": message.fields, "arrays": layout}).encode()
    except (TypeError, ValueError) as error:
        raise WireError(f"not JSON: {error}") from error
    _check_header({"kind": message.kind, "fields": message.fields, "arrays": layout})
    body = b"".join(array.tobytes() for array in arrays.values())
    if len(header) > MAX_HEADER_BYTES or len(body) > MAX_BODY_BYTES:
        raise WireError(f"too large: {len(header)} + {len(body)} bytes")
    return _LENGTHS.pack(len(header), len(body)) + header + body


class Decoder:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Add what has arrived."""
        self._buffer += data

    def next(self) -> Message | None:
        """The next whole message, or None when more bytes are needed. Raises `WireError`."""
        if len(self._buffer) < _LENGTHS.size:
            return None
        header, body = _LENGTHS.unpack_from(self._buffer)
        if header > MAX_HEADER_BYTES or body > MAX_BODY_BYTES:
            raise WireError(f"announces {header} + {body} bytes")
        end = _LENGTHS.size + header + body
        if len(self._buffer) < end:
            return None
        start = _LENGTHS.size + header
        message = _parse(bytes(self._buffer[_LENGTHS.size : start]), bytes(self._buffer[start:end]))
        del self._buffer[:end]
        return message


def _parse(header: bytes, body: bytes) -> Message:
    try:
        data = json.loads(header)
    except (ValueError, RecursionError) as error:
        raise WireError(f"header is not JSON: {type(error).__name__}") from error
    layout = _check_header(data)
    arrays, offset = {}, 0
    for name, dtype, shape in layout:
        count = math.prod(shape)
        size = count * dtype.itemsize
        if offset + size > len(body):
            raise WireError(f"array {name!r} is cut off")
        arrays[name] = np.frombuffer(body, dtype, count, offset).reshape(shape).copy()
        offset += size
    if offset != len(body):
        raise WireError(f"{len(body) - offset} bytes left over")
    return Message(data["kind"], data["fields"], arrays)


def _check_header(data: object) -> list[tuple[str, np.dtype[Any], list[int]]]:
    """The arrays that a header announces, checked."""
    if not isinstance(data, dict) or set(data) != {"kind", "fields", "arrays"}:
        raise WireError("header has the wrong keys")
    if not isinstance(data["kind"], str) or not isinstance(data["fields"], Mapping):
        raise WireError("header has the wrong types")
    arrays = data["arrays"]
    if not isinstance(arrays, list) or len(arrays) > MAX_ARRAYS:
        raise WireError("arrays are not a short list")
    return [_check_array(item) for item in arrays]


def _check_array(item: object) -> tuple[str, np.dtype[Any], list[int]]:
    if not isinstance(item, list) or len(item) != 3:
        raise WireError("an array is not [name, type, shape]")
    name, dtype, shape = item
    if not isinstance(name, str) or not isinstance(dtype, str) or dtype not in DTYPES:
        raise WireError(f"array type {dtype!r} is not allowed")
    if not isinstance(shape, list) or len(shape) > MAX_AXES:
        raise WireError("shape is not a short list")
    if not all(type(n) is int and 0 <= n <= MAX_BODY_BYTES for n in shape):
        raise WireError(f"shape {shape} is not allowed")
    if math.prod(shape) > MAX_BODY_BYTES:
        raise WireError(f"shape {shape} is too large")
    return name, DTYPES[dtype], shape
