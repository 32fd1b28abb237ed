"""A robot around a robot that lets a spectator watch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from vla_low_level.action import ActionChunk
from vla_low_level.observation import Observation
from vla_low_level.robot import ExecutionReport, Progress, Robot, Seam, streaming

FrameSink = Callable[[NDArray[np.uint8], str], None]
"""Takes a frame uint8 [H, W, 3] and what is being done."""
SPECTATOR = "front"


class FilmedRobot:
    """Passes everything on; whoever looks, the spectator's camera looks too."""

    def __init__(self, robot: Robot, sink: FrameSink, caption: str) -> None:
        self._robot, self._sink, self._caption = robot, sink, caption

    def observe(self, cameras: Sequence[str] = ()) -> Observation:
        """Sense now."""
        seen = self._robot.observe((*cameras, SPECTATOR))
        self._sink(seen.images[SPECTATOR].rgb, self._caption)
        return seen

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
        """Hold."""
        self._robot.hold()

    def stop(self, reason: str) -> None:
        """Stop."""
        self._robot.stop(reason)

    def reset(self, reason: str) -> None:
        """Clear the latch."""
        self._robot.reset(reason)

    def close(self) -> None:
        """Release the body."""
        self._robot.close()
