"""What runs are there? Answered from the first bytes of each, however long they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from traces import names
from traces.storage import RESULT_FILE, TRACE_FILE
from traces.wal import MAX_RECORD_BYTES, parse_record

UNFINISHED = "unfinished"
_MAX_RESULT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One line about a run.

    Attributes:
        folder: Where it is.
        command: The instruction; empty when the run's first record cannot be read.
        outcome: From `result.json`; `unfinished` where there is none.
        code: Stable reason; empty on success.
        when: When it began, UTC; None when its first record cannot be read.
        duration_s: Wall time, s; None when there is no result.
        chunks: Action chunks executed; None when there is no result.
    """

    folder: Path
    command: str
    outcome: str
    code: str
    when: datetime | None
    duration_s: float | None
    chunks: int | None

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.name


def list_runs(root: Path) -> list[RunSummary]:
    """Every run directly in `root`, latest first; an absent `root` holds none. Never raises for a bad run."""
    if not root.is_dir():
        return []
    found = [_summarise(path.parent) for path in sorted(root.glob(f"*/{TRACE_FILE}"))]
    return sorted(found, key=lambda run: (run.when is not None, run.when, run.name), reverse=True)


def _summarise(folder: Path) -> RunSummary:
    start = _first_record(folder / TRACE_FILE)
    result = _result(folder / RESULT_FILE)
    attributes = start.get("a")
    known = attributes if isinstance(attributes, dict) else {}
    return RunSummary(
        folder=folder,
        command=_text(known.get(names.COMMAND_TEXT)) or _text(result.get("instruction")),
        outcome=_text(result.get("outcome")) or UNFINISHED,
        code=_text(result.get("code")),
        when=_when(start.get("ns")),
        duration_s=_number(result.get("wall_s")),
        chunks=int(count) if (count := _number(result.get("chunks"))) is not None else None,
    )


def _first_record(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as log:
            line = log.readline(MAX_RECORD_BYTES)
    except OSError:
        return {}
    return parse_record(line.removesuffix(b"\n"), 0)[0] or {}


def _result(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > _MAX_RESULT_BYTES:
            return {}
        result = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return result if isinstance(result, dict) else {}


def _when(ns: object) -> datetime | None:
    try:
        return datetime.fromtimestamp(ns / 1e9, UTC) if isinstance(ns, int) else None
    except (OverflowError, ValueError, OSError):
        return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
