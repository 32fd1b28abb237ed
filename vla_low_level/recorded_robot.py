"""A robot around a robot that puts on record what moves the arm besides chunks."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from traces import names
from traces.errors import TandemError
from traces.recorder import Recorder
from vla_low_level.action import ActionChunk
from vla_low_level.observation import Observation
from vla_low_level.robot import ExecutionReport, Progress, Robot, Seam, streaming


class RecordedRobot:
    """Passes everything on; writes down holds, stops and resets, so that a replay can repeat them.

    Chunks are put on record by whoever asks for them, with what they were based on.
    """

    def __init__(self, robot: Robot, recorder: Recorder) -> None:
        self._robot = robot
        self._recorder = recorder

    def observe(self, cameras: Sequence[str] = ()) -> Observation:
        """Sense now."""
        return self._robot.observe(cameras)

    def execute(self, chunk: ActionChunk) -> ExecutionReport:
        """Carry out a chunk."""
        return self._robot.execute(chunk)

    def stream(self, chunk: ActionChunk, seam: Seam | None = None) -> Progress:
        """Hand over a chunk. Raises `TandemError` (`NO_STREAM`) when the robot takes one at a time."""
        return streaming(self._robot).stream(chunk, seam)

    def progress(self) -> Progress:
        """How far it is. Raises as `stream` does."""
        return streaming(self._robot).progress()

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

    def close(self) -> None:
        """Hold, then release the body."""
        self._robot.close()
