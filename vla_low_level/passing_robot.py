"""A robot around a robot that passes everything on; whoever wants something else says only that."""

from __future__ import annotations

from collections.abc import Sequence

from vla_low_level.action import ActionChunk
from vla_low_level.observation import Observation
from vla_low_level.robot import ExecutionReport, Progress, Robot, Seam, streaming


class PassingRobot:
    """Implements `StreamingRobot` as far as the robot inside does."""

    def __init__(self, robot: Robot) -> None:
        self._robot = robot

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
        """Stay."""
        self._robot.hold()

    def stop(self, reason: str) -> None:
        """Stop and latch."""
        self._robot.stop(reason)

    def reset(self, reason: str) -> None:
        """Clear the latch."""
        self._robot.reset(reason)

    def close(self) -> None:
        """Release the body."""
        self._robot.close()
