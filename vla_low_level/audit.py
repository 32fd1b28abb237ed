"""An independent look at joint targets: were the limits kept? Shares only the numbers with the guard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from vla_low_level.kinematics import Kinematics
from vla_low_level.limits import Limits
from vla_low_level.plant import CONTROL_HZ
from vla_low_level.rotations import rotation_vector

F64 = NDArray[np.float64]

# Rounding of second differences at 240 Hz, as a share of a limit.
TOLERANCE = 1e-6


class MotionAudit:
    """Counts control steps outside a limit, by limit.

    Attributes:
        steps: Targets that were looked at.
        breaches: Targets outside a limit, by the limit's name.
        largest: Largest value seen as a share of its bound, for speeds and accelerations.
    """

    def __init__(self, kinematics: Kinematics, limits: Limits) -> None:
        self._kinematics = kinematics
        self._limits = limits
        self.steps = 0
        self.breaches: Counter[str] = Counter()
        self.largest: dict[str, float] = {}

    def add(self, start_rad: F64, targets_rad: Iterable[F64]) -> None:
        """Look at a motion from rest at `start_rad` [dof] through one target [dof] per control step."""
        position, rotation, _ = self._kinematics.forward(start_rad)
        joint, twist = start_rad, np.zeros(6)
        for target in targets_rad:
            self.steps += 1
            if not np.isfinite(target).all():
                self.breaches["finite"] += 1
                continue
            here, turned, _ = self._kinematics.forward(target)
            moved = np.concatenate([here - position, rotation_vector(turned @ rotation.T)]) * CONTROL_HZ
            self._check_rates((target - joint) * CONTROL_HZ, moved, (moved - twist) * CONTROL_HZ)
            self._check_places(target, here)
            position, rotation, joint, twist = here, turned, target, moved

    def _check_rates(self, joint_speed: F64, twist: F64, change: F64) -> None:
        limits = self._limits
        shares = {
            "joint_speed": float((np.abs(joint_speed) / limits.joint_speed_rad_s).max()),
            "ee_speed": float(np.linalg.norm(twist[:3])) / limits.ee_speed_m_s,
            "ee_turn": float(np.linalg.norm(twist[3:])) / limits.ee_turn_rad_s,
            "ee_acceleration": float(np.linalg.norm(change[:3])) / limits.ee_acceleration_m_s2,
            "ee_turn_acceleration": float(np.linalg.norm(change[3:])) / limits.ee_turn_acceleration_rad_s2,
        }
        for name, share in shares.items():
            self.largest[name] = max(self.largest.get(name, 0.0), share)
            self.breaches[name] += share > 1.0 + TOLERANCE

    def _check_places(self, joint: F64, position: F64) -> None:
        limits, margin = self._limits, self._limits.joint_margin_rad
        low, high = limits.joint_low_rad + margin, limits.joint_high_rad - margin
        self.breaches["joint_position"] += bool(
            (joint < low - TOLERANCE).any() or (joint > high + TOLERANCE).any()
        )
        outside = (position < limits.box_low_m - TOLERANCE) | (position > limits.box_high_m + TOLERANCE)
        self.breaches["box"] += bool(outside.any())
