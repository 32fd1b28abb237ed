"""From parts, one per recorded scene, to a LeRobotDataset v3.0: numbering, files, statistics, metadata."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from traces.errors import TandemError
from vla_low_level.dataset.schema import FPS, VERSION, features, table_schema
from vla_low_level.dataset.statistics import Statistics

PARTS = "parts"
TEXT = b"task"
INDEX_FIELD = "__index_level_0__"
FILE_BYTES = 100 * 1024 * 1024
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
EPISODES_PATH = "meta/episodes/chunk-000/file-000.parquet"


@dataclass
class _Book:
    """What has been numbered so far."""

    tasks: dict[str, int] = field(default_factory=dict)
    episodes: list[dict[str, Any]] = field(default_factory=list)
    frames: int = 0


def part_path(folder: Path, seed: int) -> Path:
    """Where the recording of one scene lies until it is assembled, and after."""
    return folder / PARTS / f"{seed:09d}.parquet"


def assemble(folder: Path, robot_type: str, about: dict[str, Any]) -> dict[str, Any]:
    """Number every part's episodes in the order of their seeds and write the dataset beside them.

    The same parts give the same bytes. Returns `meta/info.json`.

    Raises:
        TandemError: `DATASET_EMPTY` when nothing was recorded.
    """
    parts = sorted((folder / PARTS).glob("*.parquet"))
    if not any(pq.read_metadata(part).num_rows for part in parts):
        raise TandemError(
            "DATASET_EMPTY",
            f"none of the {len(parts)} scenes recorded in {folder} gave a demonstration",
            fix="record more scenes",
        )
    book, statistics = _Book(), Statistics()
    for index, tables in enumerate(_files(parts)):
        path = folder / DATA_PATH.format(chunk_index=0, file_index=index)
        path.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(path, table_schema()) as writer:
            for table in tables:
                numbered = _number(table, book, index)
                statistics.add(numbered)
                writer.write_table(numbered)
    info = _info(book, robot_type, about)
    _write_meta(folder, book, info, statistics)
    return info


def _files(parts: list[Path]) -> Iterator[list[pa.Table]]:
    """Whole parts, as many as make a file of `FILE_BYTES`."""
    held: list[pa.Table] = []
    size = 0
    for part in parts:
        table = pq.read_table(part)
        if table.num_rows == 0:
            continue
        held.append(table)
        size += part.stat().st_size
        if size > FILE_BYTES:
            yield held
            held, size = [], 0
    if held:
        yield held


def _number(part: pa.Table, book: _Book, file_index: int) -> pa.Table:
    """A part with global indices; its episodes are entered into the book."""
    texts = json.loads(part.schema.metadata[TEXT])
    local = part.column("episode_index").to_numpy()
    first = len(book.episodes)
    tasks = np.zeros(part.num_rows, np.int64)
    said = part.column("task_index").to_numpy()
    for number, wordings in enumerate(texts):
        numbers = [book.tasks.setdefault(text, len(book.tasks)) for text in wordings]
        tasks[local == number] = np.array(numbers)[said[local == number]]
        length = int((local == number).sum())
        book.episodes.append(
            {
                "episode_index": first + number,
                "tasks": wordings,
                "length": length,
                "data/chunk_index": 0,
                "data/file_index": file_index,
                "dataset_from_index": book.frames,
                "dataset_to_index": book.frames + length,
                "meta/episodes/chunk_index": 0,
                "meta/episodes/file_index": 0,
            }
        )
        book.frames += length
    columns = {name: part.column(name) for name in part.column_names}
    columns["episode_index"] = pa.array(local + first)
    columns["task_index"] = pa.array(tasks)
    columns["index"] = pa.array(np.arange(book.frames - part.num_rows, book.frames))
    return pa.table([columns[f.name] for f in table_schema()], schema=table_schema())


def _info(book: _Book, robot_type: str, about: dict[str, Any]) -> dict[str, Any]:
    return {
        "codebase_version": VERSION,
        "robot_type": robot_type,
        "total_episodes": len(book.episodes),
        "total_frames": book.frames,
        "total_tasks": len(book.tasks),
        "chunks_size": 1000,
        "data_files_size_in_mb": FILE_BYTES // 2**20,
        "video_files_size_in_mb": 200,
        "fps": FPS,
        "splits": {"train": f"0:{len(book.episodes)}"},
        "data_path": DATA_PATH,
        "video_path": None,
        "features": features(),
        "tandem": about,
    }


def _write_meta(folder: Path, book: _Book, info: dict[str, Any], statistics: Statistics) -> None:
    meta = folder / "meta"
    (folder / EPISODES_PATH).parent.mkdir(parents=True, exist_ok=True)
    texts = pa.table({"task_index": pa.array(list(book.tasks.values())), INDEX_FIELD: list(book.tasks)})
    # The index column is told to pandas, which is how readers of this layout look a task up.
    number = {"name": "task_index", "pandas_type": "int64", "numpy_type": "int64"}
    index = {"name": None, "pandas_type": "unicode", "numpy_type": "object"}
    pandas = {
        "index_columns": [INDEX_FIELD],
        "column_indexes": [],
        "columns": [
            number | {"field_name": "task_index", "metadata": None},
            index | {"field_name": INDEX_FIELD, "metadata": None},
        ],
    }
    pq.write_table(
        texts.replace_schema_metadata({b"pandas": json.dumps(pandas).encode()}), meta / "tasks.parquet"
    )
    pq.write_table(pa.Table.from_pylist(book.episodes), folder / EPISODES_PATH)
    (meta / "stats.json").write_text(json.dumps(statistics.summary(), indent=1) + "\n")
    # Last: a folder with this file is whole.
    (meta / "info.json").write_text(json.dumps(info, indent=1) + "\n")


def write_part(path: Path, rows: list[dict[str, Any]], texts: list[tuple[str, ...]]) -> None:
    """Write one scene's episodes, whole or not at all.

    Args:
        path: From `part_path`.
        rows: Frames; episodes are numbered within the part, wordings within the episode.
        texts: The wordings of each episode.
    """
    table = pa.Table.from_pylist(rows, schema=table_schema())
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    pq.write_table(table.replace_schema_metadata({TEXT: json.dumps(texts).encode()}), partial)
    partial.replace(path)
