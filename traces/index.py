"""What runs are there? An SQLite index over a folder of runs, made from the folders and from nothing else.

It may be deleted at any time. Several processes may use one store at once: SQLite's write-ahead log lets
them read while one writes, and writing the same run twice gives the same rows.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

from traces.errors import TandemError
from traces.storage import TRACE_FILE, storage_error
from traces.summary import UNFINISHED, Filter, RunSummary, summarise

__all__ = ["INDEX_FILE", "UNFINISHED", "Filter", "RunIndex", "RunSummary", "list_runs"]

INDEX_FILE: Final = "index.sqlite"
LAYOUT: Final = 1
"""Changes with the tables; an index of another layout is made anew."""
BUSY_S: Final = 30.0

Progress = Callable[[int, int], None]
"""Told after every run that was read: how many are, and how many are to be."""

_SETS: Final = ("skills", "codes", "policies")
_COLUMNS: Final = tuple(item.name for item in fields(RunSummary) if item.name not in _SETS)
_NUMBERS: Final = {"started_ns", "duration_s", "chunks", "seed", "closed"}
_TABLES: Final = ";".join(
    [
        "CREATE TABLE runs ("
        + ", ".join(f"{name} {'NUMERIC' if name in _NUMBERS else 'TEXT'}" for name in _COLUMNS)
        + ", stamp TEXT, PRIMARY KEY (folder)) WITHOUT ROWID",
        "CREATE INDEX runs_started ON runs (started_ns)",
        "CREATE INDEX runs_outcome ON runs (outcome, started_ns)",
        *(
            f"CREATE TABLE {name} (folder TEXT, value TEXT, PRIMARY KEY (value, folder)) WITHOUT ROWID;"
            f"CREATE INDEX {name}_folder ON {name} (folder)"
            for name in _SETS
        ),
        f"PRAGMA user_version = {LAYOUT}",
    ]
)


class RunIndex:
    """The index of one folder of runs; a context manager."""

    def __init__(self, root: Path) -> None:
        """Open or make it. Where nothing may be written it lives in memory.

        Raises:
            TandemError: `STORE_FULL` or `STORE_IO`.
        """
        self._root = root
        self._path = root / INDEX_FILE
        self._database = self._open()

    def refresh(self, progress: Progress = lambda _done, _of: None) -> None:
        """Take in what is new or has gone on since, and forget what is gone.

        Raises:
            TandemError: `STORE_FULL` or `STORE_IO`.
        """
        known = dict(self._query("SELECT folder, CASE WHEN closed THEN '' ELSE stamp END FROM runs"))
        there = {entry.name for entry in os.scandir(self._root) if entry.is_dir()}
        # A run that was closed does not change any more.
        open_ones = [name for name in sorted(there) if known.get(name) != ""]
        todo = [name for name in open_ones if self._stamp(name) != known.get(name)]
        for number, name in enumerate(todo, 1):
            stamp = self._stamp(name)  # what is written while it is read counts next time
            summary = summarise(self._root / name)
            with self._writing():
                self._forget(name)
                row = {**_row(summary), "folder": name, "stamp": stamp}
                places = ", ".join("?" * len(row))
                self._query(f"INSERT INTO runs ({', '.join(row)}) VALUES ({places})", *row.values())
                for table in _SETS:
                    for value in getattr(summary, table):
                        self._query(f"INSERT OR IGNORE INTO {table} VALUES (?, ?)", name, value)
            progress(number, len(todo))
        if gone := known.keys() - there:
            with self._writing():
                for name in gone:
                    self._forget(name)

    def find(self, wanted: Filter | None = None, limit: int = -1) -> list[RunSummary]:
        """The runs that fit, latest first; all of them where `limit` is negative."""
        terms, values = (wanted or Filter()).terms()
        where = f"WHERE {' AND '.join(terms)}" if terms else ""
        rows = self._query(
            f"SELECT {', '.join(_COLUMNS)} FROM runs {where} ORDER BY started_ns DESC, folder DESC LIMIT ?",
            *values,
            limit,
        )
        return [self._summary(row) for row in rows]

    def details(self, run: RunSummary) -> RunSummary:
        """The same with its skills, failure codes and policies."""
        sets: dict[str, Any] = {
            table: tuple(
                value
                for (value,) in self._query(
                    f"SELECT value FROM {table} WHERE folder = ? ORDER BY value", run.folder.name
                )
            )
            for table in _SETS
        }
        return replace(run, **sets)

    def rebuild(self, progress: Progress = lambda _done, _of: None) -> None:
        """Forget everything and read every folder again. Raises as `refresh`."""
        with self._writing():
            for table in ("runs", *_SETS):
                self._query(f"DELETE FROM {table}")
        self.refresh(progress)

    def close(self) -> None:
        """Release the file. Idempotent."""
        self._database.close()

    def __enter__(self) -> RunIndex:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> sqlite3.Connection:
        for attempt in range(2):
            try:
                return self._connect(self._path)
            except sqlite3.OperationalError as cause:
                if os.access(self._root, os.W_OK):
                    raise self._failed(cause) from cause
                break
            except sqlite3.DatabaseError as cause:
                # Not an index at all; everything in it can be read from the runs again.
                if attempt:
                    raise self._failed(cause) from cause
                for end in ("", "-wal", "-shm"):
                    self._path.with_name(self._path.name + end).unlink(missing_ok=True)
        return self._connect(Path(":memory:"))

    def _connect(self, path: Path) -> sqlite3.Connection:
        database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("BEGIN IMMEDIATE")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version != LAYOUT:
            for table in ("runs", *_SETS):
                database.execute(f"DROP TABLE IF EXISTS {table}")
            for statement in _TABLES.split(";"):
                database.execute(statement)
        database.execute("COMMIT")
        return database

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        self._query("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._query("COMMIT")

    def _query(self, text: str, *values: object) -> list[Any]:
        try:
            return self._database.execute(text, values).fetchall()
        except sqlite3.Error as cause:
            raise self._failed(cause) from cause

    def _failed(self, cause: sqlite3.Error) -> TandemError:
        return TandemError(
            "STORE_IO", f"the run index {self._path} fails: {cause}", fix="delete it; it is made again"
        )

    def _forget(self, name: str) -> None:
        for table in ("runs", *_SETS):
            self._query(f"DELETE FROM {table} WHERE folder = ?", name)

    def _stamp(self, name: str) -> str | None:
        """Changes when the run goes on; None when the folder holds no run."""
        try:
            told = (self._root / name / TRACE_FILE).stat()
        except FileNotFoundError:
            return None
        except OSError as cause:
            raise storage_error(cause, self._root / name) from cause
        return f"{told.st_size} {told.st_mtime_ns}"

    def _summary(self, row: tuple[Any, ...]) -> RunSummary:
        told = dict(zip(_COLUMNS, row, strict=True))
        return RunSummary(**{**told, "folder": self._root / told["folder"], "closed": bool(told["closed"])})


def _row(summary: RunSummary) -> dict[str, object]:
    return {name: getattr(summary, name) for name in _COLUMNS}


def list_runs(root: Path, wanted: Filter | None = None, limit: int = -1) -> list[RunSummary]:
    """Every run directly in `root`, latest first; an absent `root` holds none. Never raises for a bad run."""
    if not root.is_dir():
        return []
    with RunIndex(root) as index:
        index.refresh()
        return index.find(wanted, limit)
