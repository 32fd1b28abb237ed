"""From rows at 20 Hz to joint targets at 240 Hz, inside every limit by construction.

The reference moves along the rows; the commanded pose pursues it with bounded speed, bounded
acceleration and room to brake before the box and the joint limits; inverse kinematics follows exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_low_level.kinematics import Kinematics
from vla_low_level.limits import Limits
from vla_low_level.plant import CONTROL_HZ
from vla_low_level.rotations import rotation_matrix, rotation_vector

F64 = NDArray[np.float64]

DT_S = 1.0 / CONTROL_HZ
PURSUIT_HZ = 12.0
# Share of a limit that shaping uses; the rest absorbs the change of the Jacobian within a step.
SHARE = 0.92
JOINT_BRAKE_RAD_S2 = 1.5
JOINT_KEEP_RAD = 0.03
BOX_BRAKE_SHARE = 0.5
# A reference further ahead than this has been held back by a limit: what is left of it is dropped.
DROP_M = 0.010
DAMPING = 0.03


@dataclass
class Command:
    """What the arm is told now: pose, twist and joint angles of the commanded tool, and the reference ahead.

    Attributes:
        position_m: float64 [3], commanded tool centre point.
        rotation: float64 [3, 3], commanded tool-to-world rotation.
        twist: float64 [6], commanded velocity, m/s then rad/s, world.
        joint_rad: float64 [dof], joint targets.
        goal_m: float64 [3], where the rows so far add up to.
        goal_rotation: float64 [3, 3], the same for the rotation.
    """

    position_m: F64
    rotation: F64
    twist: F64
    joint_rad: F64
    goal_m: F64
    goal_rotation: F64


class Controller:
    """Shapes motion. Never reads a sensor; `anchor` puts it where the arm is."""

    def __init__(self, kinematics: Kinematics, limits: Limits, posture_rad: F64) -> None:
        self._kinematics = kinematics
        self._limits = limits
        self._posture = posture_rad.copy()
        self._low = limits.joint_low_rad + limits.joint_margin_rad + JOINT_KEEP_RAD
        self._high = limits.joint_high_rad - limits.joint_margin_rad - JOINT_KEEP_RAD
        self.limited = False
        self.state = self._rest(posture_rad)

    def anchor(self, joint_rad: F64) -> None:
        """Be at rest at these joint angles, and forget any reference."""
        self.state = self._rest(joint_rad)

    def settle(self) -> None:
        """Forget what is left of the reference: brake from here and stay."""
        self.state.goal_m = self.state.position_m.copy()
        self.state.goal_rotation = self.state.rotation.copy()

    def trim(self) -> None:
        """At a chunk's end: drop the part of the reference that a limit has kept the arm from."""
        if float(np.linalg.norm(self.state.goal_m - self.state.position_m)) > DROP_M + self._braking_m():
            self.settle()

    def follow(self, reference_m: F64, reference_rotation: F64, feed: F64) -> F64:
        """One 240 Hz step: pursue a reference that moves with twist `feed` [6]. Returns joint targets."""
        state = self.state
        here, turned, jacobian = self._kinematics.forward(state.joint_rad)
        wanted = feed.copy()
        wanted[:3] += PURSUIT_HZ * (reference_m - state.position_m)
        wanted[3:] += PURSUIT_HZ * rotation_vector(reference_rotation @ state.rotation.T)
        inverse = _damped_inverse(jacobian)
        posture = 0.5 * (self._posture - state.joint_rad)
        drift = posture - inverse @ (jacobian @ posture)
        twist = self._accelerate(self._fit_joints(self._fit_tool(wanted), inverse, drift), state.twist)
        state.position_m = state.position_m + twist[:3] * DT_S
        state.rotation = rotation_matrix(twist[3:] * DT_S) @ state.rotation
        error = np.concatenate([state.position_m - here, rotation_vector(state.rotation @ turned.T)])
        step = inverse @ error + self._fit_drift(inverse @ twist, drift) * DT_S
        state.joint_rad = state.joint_rad + step
        state.twist = twist
        return state.joint_rad

    def _rest(self, joint_rad: F64) -> Command:
        position, rotation, _ = self._kinematics.forward(joint_rad)
        return Command(
            position.copy(), rotation.copy(), np.zeros(6), joint_rad.copy(), position.copy(), rotation.copy()
        )

    def _braking_m(self) -> float:
        return float(self.state.twist[:3] @ self.state.twist[:3]) / (2 * self._limits.ee_acceleration_m_s2)

    def _fit_tool(self, wanted: F64) -> F64:
        """Bound speed and turn rate, and leave room to brake before the box."""
        limits, position = self._limits, self.state.position_m
        brake = 2.0 * BOX_BRAKE_SHARE * limits.ee_acceleration_m_s2
        up = np.sqrt(brake * np.maximum(0.0, limits.box_high_m - position - 1e-3))
        down = np.sqrt(brake * np.maximum(0.0, position - limits.box_low_m - 1e-3))
        fitted = wanted.copy()
        fitted[:3] = np.clip(_shorten(wanted[:3], SHARE * limits.ee_speed_m_s), -down, up)
        fitted[3:] = _shorten(wanted[3:], SHARE * limits.ee_turn_rad_s)
        return fitted

    def _fit_joints(self, twist: F64, inverse: F64, drift: F64) -> F64:
        """Scale the twist so that no joint is too fast, or too fast to stop before its limit."""
        joint = self.state.joint_rad
        rate = inverse @ twist
        fastest = SHARE * self._limits.joint_speed_rad_s - np.abs(drift)
        room_up = np.sqrt(2 * JOINT_BRAKE_RAD_S2 * np.maximum(0.0, self._high - joint))
        room_down = np.sqrt(2 * JOINT_BRAKE_RAD_S2 * np.maximum(0.0, joint - self._low))
        allowed = np.minimum(np.where(rate > 0, room_up, room_down), np.maximum(fastest, 0.05))
        ratio = float((allowed / np.maximum(np.abs(rate), 1e-9)).min())
        self.limited = ratio < 1.0
        return twist if ratio >= 1.0 else twist * ratio

    def _fit_drift(self, rate: F64, drift: F64) -> F64:
        """Posture drift gives way to the tool's own motion near a joint's limits."""
        joint, moved = self.state.joint_rad, rate + drift
        outward = ((joint > self._high) & (drift > 0)) | ((joint < self._low) & (drift < 0))
        too_fast = np.abs(moved) > SHARE * self._limits.joint_speed_rad_s
        return np.zeros_like(drift) if (outward | too_fast).any() else drift

    def _accelerate(self, wanted: F64, before: F64) -> F64:
        """Change the twist by no more than the acceleration limits allow in one step."""
        limits, change = self._limits, wanted - before
        twist = before.copy()
        twist[:3] += _shorten(change[:3], SHARE * limits.ee_acceleration_m_s2 * DT_S)
        twist[3:] += _shorten(change[3:], SHARE * limits.ee_turn_acceleration_rad_s2 * DT_S)
        return twist


def _shorten(vector: F64, length: float) -> F64:
    """The vector, scaled down to `length` where it is longer."""
    norm = math.sqrt(float(vector @ vector))
    return vector if norm <= length else vector * (length / norm)


def _damped_inverse(jacobian: F64) -> F64:
    """J^T (J J^T + d^2 I)^-1, with damping only near a singularity (Nakamura & Hanafusa 1986)."""
    gram = jacobian @ jacobian.T
    manipulability = math.sqrt(max(0.0, float(np.linalg.det(gram))))
    weak = max(0.0, 1.0 - manipulability / 0.02)
    gram[_DIAGONAL] += DAMPING * DAMPING * weak * weak + 1e-9
    return np.asarray(jacobian.T @ np.linalg.inv(gram))


_DIAGONAL = np.diag_indices(6)
