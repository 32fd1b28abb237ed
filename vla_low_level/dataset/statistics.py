"""Statistics of a dataset as LeRobot keeps them: per feature, over all frames; pictures from a sample."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from vla_low_level.dataset.schema import FLAGS, IMAGE_SHAPES, VECTORS

F64 = NDArray[np.float64]

SAMPLE_EVERY = 200
QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}


class Statistics:
    """Collects columns; call `add` for every table, then `summary`."""

    def __init__(self) -> None:
        self._columns: dict[str, list[F64]] = {name: [] for name in (*VECTORS, *FLAGS)}
        self._pixels: dict[str, list[F64]] = {name: [] for name in IMAGE_SHAPES}
        self._seen = 0

    def add(self, table: pa.Table) -> None:
        """Take note of a table's rows."""
        for name, kept in self._columns.items():
            kept.append(column(table, name).astype(np.float64))
        for row in range(-self._seen % SAMPLE_EVERY, table.num_rows, SAMPLE_EVERY):
            for name, pixels in self._pixels.items():
                pixels.append(
                    decode(table.column(name)[row]["bytes"].as_py())[::4, ::4].reshape(-1, 3) / 255.0
                )
        self._seen += table.num_rows

    def summary(self) -> dict[str, Any]:
        """`meta/stats.json`."""
        found: dict[str, Any] = {}
        for name, kept in self._columns.items():
            found[name] = _describe(np.concatenate(kept)) | {"count": [self._seen]}
        for name, pixels in self._pixels.items():
            told = _describe(np.concatenate(pixels))
            found[name] = {key: [[[v]] for v in values] for key, values in told.items()} | {
                "count": [len(pixels)]
            }
        return found


def _describe(values: F64) -> dict[str, list[float]]:
    values = values.reshape(len(values), -1)
    told = {"min": values.min(0), "max": values.max(0), "mean": values.mean(0), "std": values.std(0)}
    told |= {name: np.quantile(values, q, axis=0) for name, q in QUANTILES.items()}
    return {name: [float(v) for v in vector] for name, vector in told.items()}


def column(table: pa.Table, name: str) -> NDArray[Any]:
    """A numeric column as an array [n] or [n, d]."""
    found = table.column(name).combine_chunks()
    if pa.types.is_fixed_size_list(found.type):
        return np.asarray(found.flatten()).reshape(len(found), found.type.list_size)
    return np.asarray(found)


def decode(data: bytes) -> NDArray[np.uint8]:
    """A PNG as uint8 [H, W, 3]."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def encode(rgb: NDArray[np.uint8]) -> bytes:
    """A lossless PNG of uint8 [H, W, 3]."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
