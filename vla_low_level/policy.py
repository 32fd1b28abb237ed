"""The contract of System 1: observation and instruction in, action chunk out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vla_low_level.action import ActionChunk
from vla_low_level.observation import Observation


@dataclass(frozen=True, slots=True)
class GraspTarget:
    """Where to close the fingers.

    Attributes:
        position_m: float64 [3], where the fingertips meet, world.
        yaw_rad: Angle of the finger-opening axis about world z; equal modulo pi.
        height_m: Height above the table that is safe to travel at, tool centre point.
        opening: How far open the fingers come down, 0..1.
    """

    position_m: NDArray[np.float64]
    yaw_rad: float
    height_m: float
    opening: float = 1.0


@dataclass(frozen=True, slots=True)
class ReleaseTarget:
    """Where to open the fingers. Fields as in `GraspTarget`.

    Attributes:
        opening: How far to open, 0..1; just enough, so that neighbours are not pushed.
    """

    position_m: NDArray[np.float64]
    yaw_rad: float
    height_m: float
    opening: float = 1.0


@dataclass(frozen=True, slots=True)
class RetreatTarget:
    """Go up and out of the cameras' way.

    Attributes:
        height_m: How high, tool centre point.
        opening: How far to open the fingers on the way, 0..1; None leaves them as they are.
    """

    height_m: float
    opening: float | None = None


Target = GraspTarget | ReleaseTarget | RetreatTarget


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where the subgoal lies, as perceived: a policy that aims elsewhere has misunderstood.

    Attributes:
        centre_m: float64 [2], world.
        radius_m: How far from there it may aim.
        likeliest_m: float64 [3], world, the middle of the thing that is meant, or where the hand would let go
            of what it holds; None where that is not known, or will move.
        about_m: How far around that point, across the table, is as good.
    """

    centre_m: NDArray[np.float64]
    radius_m: float
    likeliest_m: NDArray[np.float64] | None = None
    about_m: float = 0.0

    def off_m(self, point_m: NDArray[np.floating]) -> float:
        """How far a point, world [2] or [3], is from the centre, across the table."""
        return float(np.linalg.norm(point_m[:2] - self.centre_m))


@dataclass(frozen=True, slots=True)
class Instruction:
    """A subgoal for System 1.

    Attributes:
        text: The subgoal in plain words, all that a generalist needs.
        target: The same subgoal as a perceived pose, for specialists; None when nothing was perceived.
        about: Where it lies, for the monitor, and for a policy that can be pointed at it. None when that is
            not known.
    """

    text: str
    target: Target | None = None
    about: Whereabouts | None = None


@dataclass(frozen=True, slots=True)
class PolicyOutput:
    """A chunk, and what the same forward pass says about itself.

    Attributes:
        chunk: The motion.
        progress: 0..1, the policy's own belief that the subgoal is done. Never taken as success.
        features: Arrays for the monitor, by name (`embedding` [d], `heatmap_entropy` [cameras], ...).
    """

    chunk: ActionChunk
    progress: float
    features: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


class Policy(Protocol):
    """Anything that can act. Keeps state only between `reset` calls."""

    @property
    def policy_id(self) -> str:
        """Name and version, as it stands in traces."""
        ...

    @property
    def cameras(self) -> tuple[str, ...]:
        """Images that `act` needs in its observation."""
        ...

    @property
    def replan_rows(self) -> int:
        """Rows of a chunk to carry out before it is asked again."""
        ...

    def reset(self) -> None:
        """Forget the last subgoal."""
        ...

    def act(self, observation: Observation, instruction: Instruction) -> PolicyOutput:
        """Choose the next chunk."""
        ...


@runtime_checkable
class Doubting(Protocol):
    """A policy that can be asked how sure it is, at a price."""

    def spread(self, embedding: NDArray[np.float32], draws: int) -> NDArray[np.float32]:
        """How far chunks drawn from one condition lie apart, [7]; `embedding` is a feature of an output."""
        ...
