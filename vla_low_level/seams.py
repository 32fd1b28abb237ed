"""Where one chunk takes over from another: what is left out, and how the two become one motion.

Rows are deltas that accumulate on the commanded pose. A plan made from an observation means poses: the
commanded pose at that observation, and the rows added up. Both chunks are laid out as poses over time,
mixed there, and turned into rows again, so that the motion ends where the new plan means it to end,
whatever the old one has done in the meantime.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vla_low_level.rotations import rotation_matrix, rotation_vector

F64 = NDArray[np.float64]

Weights = Callable[[int], F64]
"""Length of a window in rows to the new plan's share [window] at the end of each of its rows, 0..1."""

# A plan begins where the arm is when they differ by less than this.
SAME_M = 1e-6
SAME_RAD = 1e-5


@dataclass(frozen=True, slots=True)
class Path:
    """Commanded poses at ends of rows, the first one before any row.

    Attributes:
        position_m: float64 [n + 1, 3], world.
        rotation: float64 [n + 1, 3, 3], tool to world.
    """

    position_m: F64
    rotation: F64

    @classmethod
    def along(cls, position_m: F64, rotation: F64, rows: NDArray[np.floating]) -> Self:
        """The path of rows [n, 7] from a pose."""
        moves = np.asarray(rows, dtype=np.float64)
        turns = [rotation]
        for move in moves:
            turns.append(rotation_matrix(move[3:6]) @ turns[-1])
        return cls(position_m + np.vstack([np.zeros(3), moves[:, :3].cumsum(axis=0)]), np.array(turns))

    def __len__(self) -> int:
        """How many rows it has."""
        return len(self.position_m) - 1

    def at(self, rows: float) -> tuple[F64, F64]:
        """Position [3] m and rotation [3, 3] after so many rows; within a row, a part of it."""
        rows = min(max(rows, 0.0), float(len(self)))
        k = min(int(rows), len(self) - 1) if len(self) else 0
        share = rows - k
        if share == 0.0:
            return self.position_m[k], self.rotation[k]
        position = (1 - share) * self.position_m[k] + share * self.position_m[k + 1]
        return position, _towards(self.rotation[k], self.rotation[k + 1], share)

    def after(self, rows: float) -> Path:
        """What is left after so many rows, cut into whole rows from there; the last may be a shorter way."""
        count = math.ceil(len(self) - rows - 1e-9)
        poses = [self.at(rows + k) for k in range(count + 1)]
        return Path(np.array([p for p, _ in poses]), np.array([r for _, r in poses]))

    def moves(self) -> F64:
        """Its rows without the gripper: float64 [n, 6], m and rad."""
        turns = [rotation_vector(b @ a.T) for a, b in zip(self.rotation, self.rotation[1:], strict=False)]
        return np.hstack([np.diff(self.position_m, axis=0), np.reshape(turns, (-1, 3))])


def smooth_weights(window: int) -> F64:
    """Slowly away from the old plan, slowly into the new one: no jolt at either end."""
    share = np.arange(1, window + 1) / (window + 1)
    return np.asarray(share * share * (3.0 - 2.0 * share))


@dataclass(frozen=True, slots=True)
class Blend:
    """How two plans are mixed.

    Attributes:
        weights: The new plan's share during the window.
        rows: Length of the window; shorter where the old plan has fewer rows left. With none, what lies
            between the plans is made up for in the first row.
    """

    weights: Weights
    rows: int


SMOOTH = Blend(smooth_weights, 3)
"""Measured against hard, linear and soft-masked joints by `scenarios.bench_chunks`."""


def splice(old: Path, new: Path, blend: Blend) -> F64:
    """One motion out of two plans for the same time.

    Args:
        old: What is left of the running chunk, from the pose at the seam on.
        new: What is left of the new plan from the time of the seam on.
        blend: How they are mixed.

    Returns:
        float64 [n, 6], m and rad: rows from the old plan's pose at the seam to the new plan's end.
    """
    if not len(old) and _begins_there(old, new):
        return new.moves()
    window = max(0, min(blend.rows, len(new) - 1, len(old) or blend.rows))
    share = np.concatenate([[0.0], blend.weights(window)])
    position, rotation = new.position_m.copy(), new.rotation.copy()
    for k in range(window + 1):
        was_m, was_rotation = old.at(k)
        position[k] = (1 - share[k]) * was_m + share[k] * new.position_m[k]
        rotation[k] = _towards(was_rotation, new.rotation[k], float(share[k]))
    return Path(position, rotation).moves()


def gripper_after(rows: NDArray[np.floating], phase: float, count: int) -> F64:
    """Gripper [count] of what is left after `phase` of the rows [n, 7]: of the row that covers most."""
    picked = np.floor(phase + np.arange(count) + 0.5).astype(int)
    return np.asarray(rows[np.minimum(picked, len(rows) - 1), 6], dtype=np.float64)


def _towards(start: F64, end: F64, share: float) -> F64:
    """The rotation [3, 3] at a share of the shortest turn between two."""
    if share in (0.0, 1.0):
        return end if share else start
    return rotation_matrix(share * rotation_vector(end @ start.T)) @ start


def _begins_there(old: Path, new: Path) -> bool:
    apart_m = float(np.linalg.norm(new.position_m[0] - old.position_m[0]))
    apart_rad = float(np.linalg.norm(rotation_vector(new.rotation[0] @ old.rotation[0].T)))
    return apart_m < SAME_M and apart_rad < SAME_RAD
