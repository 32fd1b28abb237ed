"""Replays of recorded runs, each in a process of its own, one at a time."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

from api.server.schema import Replay, ReplayState
from traces.errors import TandemError

KEPT = 50
MOST_S = 1800.0
MAX_REPORT = 20_000


class Replays:
    """Starts `tandem replay` and remembers what it said. For one event loop."""

    def __init__(self) -> None:
        self._replays: OrderedDict[str, Replay] = OrderedDict()
        self._task: asyncio.Task[None] | None = None

    def start(self, run: str, folder: Path, level: str) -> Replay:
        """Begin. Raises `TandemError` (`REPLAY_BUSY`)."""
        if self._task is not None and not self._task.done():
            raise TandemError("REPLAY_BUSY", "another replay is under way", fix="wait until it has ended")
        replay = Replay(id=f"r-{secrets.token_hex(8)}", run=run, level=level, state=ReplayState.RUNNING)
        self._replays[replay.id] = replay
        if len(self._replays) > KEPT:
            self._replays.popitem(last=False)
        self._task = asyncio.create_task(self._run(replay, folder))
        return replay

    def get(self, replay_id: str) -> Replay:
        """How it stands. Raises `TandemError` (`REPLAY_UNKNOWN`)."""
        if replay_id not in self._replays:
            raise TandemError("REPLAY_UNKNOWN", f"there is no replay {replay_id[:40]}")
        return self._replays[replay_id]

    async def close(self) -> None:
        """End what is under way."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self, replay: Replay, folder: Path) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "api.cli", "replay", str(folder), "--level", replay.level),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "110"},
        )
        try:
            async with asyncio.timeout(MOST_S):
                said, _ = await process.communicate()
            report, state = said.decode(errors="replace")[-MAX_REPORT:], _state(process.returncode, said)
        except TimeoutError:
            report, state = f"it took longer than {MOST_S:.0f} s", ReplayState.FAILED
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        self._replays[replay.id] = replay.model_copy(update={"state": state, "report": report})


def _state(code: int | None, said: bytes) -> ReplayState:
    """`tandem replay` ends with 1 for a difference and for an error; an error says how to mend it."""
    if code == 0:
        return ReplayState.SAME
    return ReplayState.DIFFERS if code == 1 and b"\nfix: " not in said else ReplayState.FAILED
