"""The motors and sensors under the controller: a simulator, or a driver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vla_low_level.observation import CameraImage

F64 = NDArray[np.float64]

CONTROL_HZ = 240


@dataclass(frozen=True, slots=True)
class PlantState:
    """What the motors and contacts say.

    Attributes:
        joint_position_rad: float64 [dof].
        joint_velocity_rad_s: float64 [dof].
        gripper_opening: 0 closed .. 1 open.
        contact_force_n: Largest contact force on the arm or hand from outside, N (fingers on what
            they grip are not counted).
    """

    joint_position_rad: F64
    joint_velocity_rad_s: F64
    gripper_opening: float
    contact_force_n: float


class Plant(Protocol):
    """One arm at `CONTROL_HZ`: read, command, let one period pass."""

    def read(self) -> PlantState:
        """Measure now."""
        ...

    def command(self, joint_target_rad: F64, gripper_target: float) -> None:
        """Overwrite every motor target. Numbers are finite: the guard has seen them."""
        ...

    def step(self) -> None:
        """Let one control period (1 / CONTROL_HZ s) pass."""
        ...

    def capture(self, cameras: Sequence[str]) -> dict[str, CameraImage]:
        """Take images by camera name. Raises `TandemError` (`CAMERA_UNKNOWN`)."""
        ...

    def state_hash(self) -> str:
        """sha256 (hex) of every position and velocity in the world; empty for hardware."""
        ...

    def marks(self) -> bytes:
        """Two bytes for each thing that can move, which change with its pose; empty for hardware."""
        ...

    @property
    def time_s(self) -> float:
        """The plant's clock: simulated seconds, or monotonic ones."""
        ...
