"""Commands, events and snapshots on disk, so that a server that was killed knows what it had promised.

SQLite with a write-ahead log: a row that was written is there after the process was killed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from api.server.schema import Command, Event, EventType
from traces.errors import TandemError

KEPT_COMMANDS = 2_000
KEPT_EVENTS = 100_000
KEPT_KEYS = 10_000
FORGET_EVERY = 5_000
_TABLES = """
CREATE TABLE IF NOT EXISTS commands (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL,
  json TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS keys (key TEXT PRIMARY KEY, command TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY AUTOINCREMENT, command TEXT, at TEXT NOT NULL,
  type TEXT NOT NULL, json TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_of ON events (command, seq);
CREATE TABLE IF NOT EXISTS snapshots (command TEXT, question INTEGER, jpeg BLOB,
  PRIMARY KEY (command, question));
"""


class Store:
    """One file; used from one thread."""

    def __init__(self, path: Path) -> None:
        """Open or make it, and forget what is too old. Raises `TandemError` (`STORE_IO`)."""
        try:
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.executescript(_TABLES)
            self._forget()
        except sqlite3.Error as cause:
            raise TandemError(
                "STORE_IO", f"cannot use {path}: {cause}", fix="check the disk, or move the file away"
            ) from cause

    def put(self, command: Command) -> None:
        """Write a command as it is now."""
        self._database.execute(
            "INSERT INTO commands (id, json) VALUES (?, ?) "
            "ON CONFLICT (id) DO UPDATE SET json = excluded.json",
            (command.id, command.model_dump_json()),
        )

    def commands(self) -> list[Command]:
        """All that are kept, oldest first."""
        rows = self._database.execute("SELECT json FROM commands ORDER BY number")
        return [Command.model_validate_json(row[0]) for row in rows]

    def remember(self, key: str, command: str, body: str) -> None:
        """This idempotency key has led to this command; `body` is what was asked."""
        self._database.execute("INSERT OR REPLACE INTO keys VALUES (?, ?, ?)", (key, command, body))

    def recall(self, key: str) -> tuple[str, str] | None:
        """The command that a key has led to, and what was asked; None for a new key."""
        row: tuple[str, str] | None = self._database.execute(
            "SELECT command, body FROM keys WHERE key = ?", (key,)
        ).fetchone()
        return row

    def append(self, kind: EventType, command: str | None, at: datetime, data: dict[str, Any]) -> int:
        """Write an event; returns its number."""
        cursor = self._database.execute(
            "INSERT INTO events (command, at, type, json) VALUES (?, ?, ?, ?)",
            (command, at.isoformat(), kind.value, json.dumps(data)),
        )
        number = cursor.lastrowid or 0
        if number % FORGET_EVERY == 0:
            self._forget()
        return number

    def events(self, after: int, command: str | None, most: int = 200) -> list[Event]:
        """The next events after a number, of one command or of all."""
        where = "seq > ?" if command is None else "seq > ? AND command = ?"
        values: Iterable[object] = (after, most) if command is None else (after, command, most)
        rows = self._database.execute(
            f"SELECT seq, at, type, command, json FROM events WHERE {where} ORDER BY seq LIMIT ?",
            tuple(values),
        )
        return [
            Event(
                seq=seq,
                at=datetime.fromisoformat(at),
                type=EventType(kind),
                command=of,
                data=json.loads(data),
            )
            for seq, at, kind, of, data in rows
        ]

    def bounds(self) -> tuple[int, int]:
        """Numbers of the first event that is kept and of the latest; (1, 0) when there is none."""
        first, last = self._database.execute("SELECT min(seq), max(seq) FROM events").fetchone()
        return (first, last) if first is not None else (1, 0)

    def put_snapshot(self, command: str, question: int, jpeg: bytes) -> None:
        """Keep the picture that goes with a question."""
        self._database.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?)", (command, question, jpeg))

    def snapshot(self, command: str, question: int) -> bytes | None:
        """The picture that goes with a question; None when there is none."""
        row = self._database.execute(
            "SELECT jpeg FROM snapshots WHERE command = ? AND question = ?", (command, question)
        ).fetchone()
        return row[0] if row else None

    def close(self) -> None:
        """Release the file. Idempotent."""
        self._database.close()

    def _forget(self) -> None:
        run = self._database.execute
        run(
            "DELETE FROM commands WHERE number <= (SELECT max(number) FROM commands) - ? "
            "AND json_extract(json, '$.terminal')",
            (KEPT_COMMANDS,),
        )
        run("DELETE FROM events WHERE seq <= (SELECT max(seq) FROM events) - ?", (KEPT_EVENTS,))
        run("DELETE FROM keys WHERE rowid <= (SELECT max(rowid) FROM keys) - ?", (KEPT_KEYS,))
        run("DELETE FROM snapshots WHERE command NOT IN (SELECT id FROM commands)")
