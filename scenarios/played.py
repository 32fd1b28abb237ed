"""The server with a mind that is played: commands end at once and nothing moves.

For what is asked of the server itself: fuzzing, slow clients, the cost of a request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from api.server.app import create_app
from api.server.desk import Desk
from api.server.gate import App
from api.server.settings import Settings
from api.server.store import Store
from vla_low_level.wire import Message

TOKEN = "played-token"


class PlayedMind:
    """Implements `MindLine`: does at once whatever it is told.

    Attributes:
        heard: What it was told, stops included, in order.
        obedient: Whether commands end by themselves.
    """

    def __init__(
        self, _settings: Settings, tell: Callable[[Message], None], _gone: Callable[[str], None]
    ) -> None:
        self._tell = tell
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.obedient = True

    async def run(self) -> None:
        """Say hello."""
        self._tell(Message("hello", {"busy": None, "pid": 0, "scene": None}))

    def send(self, kind: str, **fields: Any) -> bool:
        """Carry it out."""
        self.heard.append((kind, fields))
        if kind == "reset":
            self._later(Message("was_reset", fields))
        elif self.obedient and kind == "start":
            self._later(_finished(fields["command"], "succeeded"))
        elif self.obedient and kind == "cancel":
            self._later(_finished(fields["command"], "cancelled"))
        return True

    def stop(self, reason: str) -> bool:
        """There is nothing to stop."""
        self.heard.append(("stop", {"reason": reason}))
        return True

    async def close(self) -> None:
        """Nothing is left."""

    def _later(self, message: Message) -> None:
        asyncio.get_running_loop().call_soon(self._tell, message)


def _finished(command: str, outcome: str) -> Message:
    return Message("finished", {"command": command, "result": {"outcome": outcome, "message": "played"}})


def played_app(folder: Path, port: int = 8420) -> tuple[App, Desk, PlayedMind]:
    """The whole application, gate included, and its parts."""
    settings = Settings(port=port, stop_port=port + 1, state=folder, runs=folder / "runs")
    settings.runs.mkdir(parents=True, exist_ok=True)
    minds: list[PlayedMind] = []

    def connect(*told: Any) -> PlayedMind:
        minds.append(PlayedMind(*told))
        return minds[0]

    desk = Desk(settings, Store(folder / "server.sqlite"), connect)
    return create_app(settings, desk, TOKEN), desk, minds[0]
