"""A robot around a robot that lets a spectator watch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vla_low_level.observation import Observation
from vla_low_level.passing_robot import PassingRobot
from vla_low_level.robot import Robot

FrameSink = Callable[[NDArray[np.uint8], str], None]
"""Takes a frame uint8 [H, W, 3] and what is being done."""
SPECTATOR = "front"


class FilmedRobot(PassingRobot):
    """Whoever looks, the spectator's camera looks too; only the sink gets its picture."""

    def __init__(self, robot: Robot, sink: FrameSink, caption: str) -> None:
        super().__init__(robot)
        self._sink, self._caption = sink, caption

    def observe(self, cameras: Sequence[str] = ()) -> Observation:
        """Sense now."""
        seen = self._robot.observe((*cameras, SPECTATOR))
        self._sink(seen.images[SPECTATOR].rgb, self._caption)
        # What the agent did not ask for it does not get: a monitor knows the cameras it was calibrated with.
        images = {name: image for name, image in seen.images.items() if name in cameras}
        return replace(seen, images=images)
