"""The recorded runs: found by the index, read from their folders. Nothing a client says becomes a path."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from agent.outcome import CommandResult
from api.server.schema import RunLine, RunPage
from api.server.timeline import timeline
from traces.blobs import BlobStore, media_type
from traces.errors import TandemError
from traces.index import Filter, RunIndex
from traces.reader import salvage_run
from traces.run import SpanStatus
from traces.storage import BLOB_FOLDER, RESULT_FILE
from traces.summary import RunSummary, summarise

MAX_RESULT_BYTES = 1 << 20


class Archive:
    """Reads one folder of runs; called from worker threads, one at a time where the index is used."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._turn = threading.Lock()

    def find(self, wanted: Filter, most: int) -> list[RunLine]:
        """Runs that fit, latest first."""
        with self._turn, RunIndex(self._root) as index:
            index.refresh()
            return [_line(run) for run in index.find(wanted, most)]

    def page(self, name: str) -> RunPage:
        """One run. Raises `TandemError` (`RUN_NOT_FOUND`)."""
        folder = self.folder(name)
        run = salvage_run(folder).run
        lost = sum(span.status is SpanStatus.LOST for _, span in run.walk())
        line = _line(summarise(folder)).model_dump()
        return RunPage(**line, result=_result(folder), lost=lost, trace_id=run.trace_id)

    def timeline(self, name: str) -> dict[str, Any]:
        """A run on one clock. Raises as `page`."""
        return timeline(salvage_run(self.folder(name)).run)

    def blob(self, name: str, sha: str) -> tuple[bytes, str]:
        """A blob and its media type. Raises as `page`, and `BLOB_MISSING`, `BLOB_CORRUPT`."""
        blobs = self.folder(name) / BLOB_FOLDER
        if blobs.is_symlink() or (blobs / sha).is_symlink():
            raise TandemError("BLOB_MISSING", f"blob {sha} is not there")
        data = BlobStore(blobs).get(sha)
        return data, media_type(data)

    def folder(self, name: str) -> Path:
        """The folder of a run; a name of the listing, never a path. Raises as `page`."""
        folder = self._root / name
        if "/" in name or name.startswith(".") or folder.is_symlink() or not folder.is_dir():
            raise TandemError("RUN_NOT_FOUND", f"there is no run {name[:80]}")
        return folder


def _line(run: RunSummary) -> RunLine:
    return RunLine(
        name=run.name,
        command=run.command,
        outcome=run.outcome,
        code=run.code,
        started_at=run.when,
        duration_s=run.duration_s,
        chunks=run.chunks,
        scene=run.scene,
        arm=run.arm,
        seed=run.seed,
        planner=run.planner,
    )


def _result(folder: Path) -> CommandResult | None:
    """What the run came to; None when nothing sound is there."""
    path = folder / RESULT_FILE
    try:
        if path.stat().st_size > MAX_RESULT_BYTES:
            return None
        return CommandResult.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None
