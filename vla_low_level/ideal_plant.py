"""A plant that does exactly what it is told, to test and measure what is above the motors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vla_low_level.observation import CameraImage
from vla_low_level.plant import CONTROL_HZ, PlantState

F64 = NDArray[np.float64]


class IdealPlant:
    """Joints are at their targets one step after they were commanded. Has no cameras.

    Attributes:
        contact_force_n: What `read` reports; set it to play a collision.
        commands: Every joint target that was written, in order.
    """

    def __init__(self, joint_rad: F64) -> None:
        self._joint = joint_rad.copy()
        self._speed = np.zeros_like(joint_rad)
        self._target = joint_rad.copy()
        self._gripper = 1.0
        self._steps = 0
        self.contact_force_n = 0.0
        self.commands: list[F64] = []

    @property
    def time_s(self) -> float:
        """Steps divided by their rate."""
        return self._steps / CONTROL_HZ

    def read(self) -> PlantState:
        """Where the joints are."""
        return PlantState(self._joint.copy(), self._speed.copy(), self._gripper, self.contact_force_n)

    def command(self, joint_target_rad: F64, gripper_target: float) -> None:
        """Remember the targets."""
        self._target = joint_target_rad.copy()
        self._gripper = gripper_target
        self.commands.append(self._target)

    def step(self) -> None:
        """Arrive."""
        self._speed = (self._target - self._joint) * CONTROL_HZ
        self._joint = self._target.copy()
        self._steps += 1

    def capture(self, cameras: Sequence[str]) -> dict[str, CameraImage]:
        """Nothing to see. Raises ValueError when a picture is asked for."""
        if cameras:
            raise ValueError(f"no cameras here, asked for {list(cameras)}")
        return {}

    def state_hash(self) -> str:
        """No world to hash."""
        return ""

    def marks(self) -> bytes:
        """Nor to mark."""
        return b""
