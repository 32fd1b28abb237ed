"""A LeRobotDataset v3.0 in memory: numbers as arrays, pictures as the PNGs they are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from traces.errors import TandemError
from vla_low_level.dataset.schema import (
    EMBODIMENT,
    EMBODIMENTS,
    FPS,
    IMAGE_SHAPES,
    TARGET,
    VECTORS,
    VERSION,
    features,
)
from vla_low_level.dataset.statistics import column

NUMBERS = tuple(name for name in features() if name not in IMAGE_SHAPES)


@dataclass(frozen=True)
class Demonstrations:
    """Every frame of a dataset.

    Attributes:
        numbers: Columns by name, [n] or [n, d]; see `vla_low_level.dataset.schema`.
        pictures: PNGs by name, [n] binary.
        texts: What `task_index` stands for.
        stats: `meta/stats.json`.
    """

    numbers: dict[str, NDArray[Any]]
    pictures: dict[str, pa.ChunkedArray]
    texts: tuple[str, ...]
    stats: dict[str, Any]

    def __len__(self) -> int:
        return len(self.numbers["index"])


def read(folder: Path) -> Demonstrations:
    """Read a dataset.

    Raises:
        TandemError: `DATASET_MISSING` or `DATASET_MISMATCH`, naming the first thing that does not fit.
    """
    info = _info(folder)
    _check(folder, info)
    files = sorted(folder.glob("data/chunk-*/file-*.parquet"))
    tables = [pq.read_table(file) for file in files]
    if sum(table.num_rows for table in tables) != info.get("total_frames"):
        raise _mismatch(folder, "the data files do not hold the number of frames that meta/info.json says")
    table = pa.concat_tables(tables)
    texts = _texts(pq.read_table(folder / "meta/tasks.parquet"))
    numbers = {name: column(table, name) for name in NUMBERS}
    for name in VECTORS:
        if not np.isfinite(numbers[name]).all():
            raise _mismatch(folder, f"{name} holds numbers that are not finite")
    if numbers[EMBODIMENT].max() >= len(EMBODIMENTS):
        raise _mismatch(folder, f"{EMBODIMENT} goes beyond {', '.join(EMBODIMENTS)}")
    return Demonstrations(
        numbers,
        {name: _bytes(table.column(name)) for name in IMAGE_SHAPES},
        texts,
        json.loads((folder / "meta/stats.json").read_text()),
    )


def _texts(tasks: pa.Table) -> tuple[str, ...]:
    """The sentences by number. Their column is an index, which writers name as they like."""
    (name,) = (name for name in tasks.column_names if name != "task_index")
    numbered = zip(tasks.column("task_index").to_pylist(), tasks.column(name).to_pylist(), strict=True)
    return tuple(text for _, text in sorted(numbered))


def _info(folder: Path) -> dict[str, Any]:
    try:
        info = json.loads((folder / "meta/info.json").read_text())
    except FileNotFoundError as error:
        raise TandemError(
            "DATASET_MISSING",
            f"{folder} is no LeRobot dataset: {error.filename} is missing",
            fix=f"tandem data record {folder}",
        ) from error
    except ValueError as error:
        raise _mismatch(folder, f"meta/info.json: {error}") from error
    if not isinstance(info, dict):
        raise _mismatch(folder, "meta/info.json is not an object")
    return info


def _check(folder: Path, info: dict[str, Any]) -> None:
    """Compare with what the policy is trained on."""
    if info.get("codebase_version") != VERSION:
        raise _mismatch(folder, f"it is version {info.get('codebase_version')}, not {VERSION}")
    if info.get("fps") != FPS:
        raise _mismatch(folder, f"it has {info.get('fps')} frames a second, not {FPS}")
    said = info.get("features", {})
    for name, wanted in features().items():
        if name not in said:
            hint = " (the teacher's target, which heat-maps are trained on)" if name == TARGET else ""
            raise _mismatch(folder, f"feature {name}{hint} is missing")
        for key in ("dtype", "shape", "names"):
            if said[name].get(key) != wanted[key] and not (key == "names" and name in IMAGE_SHAPES):
                raise _mismatch(folder, f"{name} has {key} {said[name].get(key)}, not {wanted[key]}")


def _bytes(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array([chunk.field("bytes") for chunk in column.chunks], pa.binary())


def _mismatch(folder: Path, why: str) -> TandemError:
    return TandemError(
        "DATASET_MISMATCH",
        f"{folder} does not fit this policy: {why}",
        fix="record it with `tandem data record`, or convert its features; docs/policy.md lists them",
    )
