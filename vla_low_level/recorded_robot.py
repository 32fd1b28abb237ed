"""A robot around a robot that puts on record what moves the arm besides chunks."""

from __future__ import annotations

import contextlib

from traces import names
from traces.errors import TandemError
from traces.recorder import Recorder
from vla_low_level.passing_robot import PassingRobot
from vla_low_level.robot import Robot


class RecordedRobot(PassingRobot):
    """Writes down holds, stops and resets, so that a replay can repeat them.

    Chunks are put on record by whoever asks for them, with what they were based on.
    """

    def __init__(self, robot: Robot, recorder: Recorder) -> None:
        super().__init__(robot)
        self._recorder = recorder

    def hold(self) -> None:
        """Hold, then write it down: holding must not wait for a disk."""
        self._robot.hold()
        self._recorder.log(names.BODY_HOLD)

    def stop(self, reason: str) -> None:
        """Stop, then write it down if that is still possible."""
        self._robot.stop(reason)
        with contextlib.suppress(TandemError):
            self._recorder.log(names.BODY_STOP, {names.REASON: reason})

    def reset(self, reason: str) -> None:
        """Write it down, then clear the latch: nothing moves again unrecorded."""
        self._recorder.log(names.BODY_RESET, {names.REASON: reason})
        self._robot.reset(reason)
