"""What a fault can do to a body: hooks that pass everything on, for faults to override."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.faults.spec import Fault
from sim.world import World
from vla_low_level.guard import ChunkHeader
from vla_low_level.observation import CameraImage
from vla_low_level.plant import PlantState

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

VIEWS = {"overhead": ("overhead", "table"), "wrist": ("wrist",)}
"""Pictures that each camera takes. The spectator's is never disturbed: it is there for people."""


class Effect:
    """One fault at work. A hook that is not overridden passes things on.

    `begin`, `step` and `end` act on the world; the others, while the fault acts, on what goes
    to it and comes from it.
    """

    def __init__(self, fault: Fault, world: World, seed: int) -> None:
        self.fault, self.world, self.seed = fault, world, seed
        self.rng = fault.stream(seed)

    @property
    def size(self) -> float:
        """The fault's magnitude."""
        return self.fault.magnitude

    def place(self) -> None:
        """Before the body wakes up, whatever the onset is."""

    def ready(self, waited_s: float) -> bool:  # noqa: ARG002 (for those that wait)
        """Whether the circumstance has come; `waited_s` since the onset."""
        return True

    def begin(self) -> None:
        """It begins to act."""

    def step(self) -> None:
        """Before every control step."""

    def end(self) -> None:
        """It is over: undo what `begin` did."""

    def command(self, joint_rad: F64, gripper: float) -> tuple[F64, float]:
        """What the motors are told instead."""
        return joint_rad, gripper

    def read(self, state: PlantState) -> PlantState:
        """What is measured instead."""
        return state

    def eye(self, view: str, pose: F64) -> F64:  # noqa: ARG002
        """Where the camera really is, camera to world [4, 4]."""
        return pose

    def told(self, view: str, pose: F64) -> F64:  # noqa: ARG002
        """Where it is said to be."""
        return pose

    def watch(self, view: str, image: CameraImage, time_s: float) -> None:
        """A picture on its way, also before the fault acts."""

    def picture(self, view: str, image: CameraImage, time_s: float) -> CameraImage:  # noqa: ARG002
        """The picture that arrives instead."""
        return image

    def chunk(self, rows: F32, header: ChunkHeader) -> tuple[F32, ChunkHeader]:
        """The chunk that is carried out instead."""
        return rows, header

    def aims_at(self, view: str) -> bool:
        """Whether a picture comes from a camera that the fault is aimed at; at all, if at none."""
        aims = (self.fault.aim,) if self.fault.aim else tuple(VIEWS)
        return any(view in VIEWS[aim] for aim in aims)
