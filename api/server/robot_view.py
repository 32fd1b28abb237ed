"""What the server knows of the body, from what it is told."""

from __future__ import annotations

from typing import Any

from api.server.lifecycle import Ledger
from api.server.schema import Robot, RobotState
from api.server.settings import Settings

CAMERAS = ("front", "overhead", "wrist", "table")


class RobotView:
    """The body's latest words.

    Attributes:
        latched: Why it is stopped; empty when it is not.
    """

    def __init__(self, settings: Settings, version: str) -> None:
        self._settings = settings
        self._version = version
        self._there: bool | None = None
        self._body: dict[str, Any] = {}
        self._resetting = False
        self._why = ""
        self.latched = ""

    def there(self) -> None:
        """The mind has said hello."""
        self._there, self._resetting, self._why = True, False, ""

    def gone(self, why: str) -> None:
        """The mind has died, and the body with it; another one is on its way."""
        self._there, self._body, self.latched, self._why = False, {}, "", why

    def resetting(self) -> None:
        """A reset is under way: what the body says until then is old."""
        self._resetting, self.latched = True, ""

    def was_reset(self) -> None:
        """The body has carried it out."""
        self._resetting = False

    def take(self, told: dict[str, Any]) -> bool:
        """News of the body; whether the latch is not what it was."""
        self._body = told
        if self._resetting or told["latched"] == self.latched:
            return False
        self.latched = told["latched"]
        return True

    def robot(self, ledger: Ledger) -> Robot:
        """All of it."""
        latch = ledger.latched or self.latched
        told, options = self._body, self._settings.robot
        return Robot(
            state=self._state(ledger, latch),
            latched=bool(latch),
            latch_reason=latch,
            why=self._why,
            command=ledger.running,
            queue=len(ledger.waiting),
            arm=options.get("arm", "panda"),
            scene=options.get("scene", "table"),
            cameras=CAMERAS,
            time_s=told.get("time_s"),
            stopped_s=told.get("stopped_s"),
            stop_travel_m=told.get("stop_travel_m"),
            joint_position_rad=tuple(told.get("joint_position_rad", ())),
            ee_position_m=tuple(told.get("ee_position_m", ())),
            gripper_opening=told.get("gripper_opening"),
            stop_url=self._settings.stop_url,
            version=self._version,
        )

    def _state(self, ledger: Ledger, latch: str) -> RobotState:
        if self._there is None:
            return RobotState.STARTING
        if not self._there:
            return RobotState.LOST
        if latch:
            return RobotState.STOPPED
        return RobotState.MOVING if ledger.running else RobotState.READY
