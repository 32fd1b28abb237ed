"""Looks at the robot for whoever watches: its state always, its cameras while somebody asks for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from api.server.worker import Send, as_jpeg
from api.standing import Standing
from traces.errors import TandemError
from vla_low_level.wire import Message

STATE_S = 0.2
FRAME_S = 0.25
WATCHED_S = 3.0


class Eyes:
    """A thread's work. `lost` is called once, when the body answers no more."""

    def __init__(self, standing: Standing, send: Send, lost: Callable[[TandemError], None]) -> None:
        self._robot = standing.robot
        self._send = send
        self._lost = lost
        self._until_s: dict[str, float] = {}
        self._frames = 0
        self._wake = threading.Event()
        self._over = False

    def watch(self, camera: str) -> None:
        """Somebody wants to see this camera, for the next seconds."""
        self._until_s[camera] = time.monotonic() + WATCHED_S
        self._wake.set()

    def close(self) -> None:
        """Let `run` return."""
        self._over = True
        self._wake.set()

    def run(self) -> None:
        """Look until `close` or until the body is gone."""
        try:
            while not self._over:
                self._state()
                watched = [name for name, until_s in self._until_s.items() if time.monotonic() < until_s]
                for camera in watched:
                    self._frame(camera)
                self._wake.wait(FRAME_S if watched else STATE_S)
                self._wake.clear()
        except TandemError as error:
            if not self._over:
                self._lost(error)

    def _state(self) -> None:
        seen = self._robot.observe()
        body = seen.proprioception
        told = {
            "time_s": seen.time_s,
            "latched": self._robot.latched,
            "stopped_s": self._robot.stopped_at_s,
            "stop_travel_m": self._robot.stop_travel_m,
            "joint_position_rad": body.joint_position_rad.tolist(),
            "ee_position_m": body.ee_position_m.tolist(),
            "gripper_opening": body.gripper_opening,
        }
        self._send(Message("robot", told))

    def _frame(self, camera: str) -> None:
        image = self._robot.observe((camera,)).images[camera]
        self._frames += 1
        told = {"camera": camera, "number": self._frames}
        self._send(Message("frame", told, {"jpeg": as_jpeg(image.rgb)}))
