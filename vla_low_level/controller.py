"""From rows at 20 Hz to joint targets at 240 Hz.

A reference moves along the rows; the commanded pose pursues it with bounded speed and acceleration, with
room to brake before the box and the joint limits. The guard judges each step that is proposed here.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vla_low_level.kinematics import Kinematics
from vla_low_level.limits import Limits
from vla_low_level.motion import DT_S, Motion, at_rest, brake, length, moved
from vla_low_level.rotations import rotation_matrix, rotation_vector

F64 = NDArray[np.float64]

PURSUIT_HZ = 12.0
# Share of a limit that shaping uses; the rest absorbs the change of the Jacobian within a step.
SHARE = 0.94
BOX_BRAKE_SHARE = 0.4
BOX_KEEP_M = 0.001
JOINT_BRAKE_RAD_S2 = 1.5
JOINT_KEEP_RAD = 0.03
POSTURE_HZ = 0.5
# A reference further ahead than this has been held back by a limit: what is left of it is dropped.
DROP_M = 0.010
DROP_RAD = 0.05
DAMPING = 0.012
WEAK_MANIPULABILITY = 0.02


class Controller:
    """Proposes motion and remembers what was accepted. Never reads a sensor.

    Attributes:
        motion: The commanded motion now.
        goal_m: float64 [3], where the rows so far add up to.
        goal_rotation: float64 [3, 3], the same for the rotation.
    """

    def __init__(self, kinematics: Kinematics, limits: Limits, posture_rad: F64) -> None:
        self._kinematics = kinematics
        self._limits = limits
        self._posture = posture_rad.copy()
        self._low = limits.joint_low_rad + limits.joint_margin_rad + JOINT_KEEP_RAD
        self._high = limits.joint_high_rad - limits.joint_margin_rad - JOINT_KEEP_RAD
        self.anchor(posture_rad)

    def anchor(self, joint_rad: F64) -> None:
        """Be at rest at these joint angles, and forget any reference."""
        self.accept(at_rest(self._kinematics, joint_rad))
        self.goal_m, self.goal_rotation = self.motion.position_m, self.motion.rotation

    def accept(self, motion: Motion) -> None:
        """The motion that goes to the motors is this one."""
        self.motion = motion

    def settle(self) -> None:
        """Forget what is left of the reference: come to rest as soon as braking allows, and stay there."""
        twist, limits = self.motion.twist, self._limits
        speed, turn = self.motion.speed_m_s, self.motion.turn_rad_s
        ahead = twist[:3] * (speed / (2 * SHARE * limits.ee_acceleration_m_s2))
        turned = twist[3:] * (turn / (2 * SHARE * limits.ee_turn_acceleration_rad_s2))
        self.goal_m = self.motion.position_m + ahead
        self.goal_rotation = rotation_matrix(turned) @ self.motion.rotation

    def trim(self) -> None:
        """At a chunk's end: drop the part of the reference that a limit has kept the arm from."""
        motion, limits = self.motion, self._limits
        ahead_m = length(self.goal_m - motion.position_m)
        ahead_rad = length(rotation_vector(self.goal_rotation @ motion.rotation.T))
        if ahead_m > DROP_M + motion.speed_m_s**2 / (
            2 * limits.ee_acceleration_m_s2
        ) or ahead_rad > DROP_RAD + motion.turn_rad_s**2 / (2 * limits.ee_turn_acceleration_rad_s2):
            self.settle()

    def pursue(self, reference_m: F64, reference_rotation: F64, feed: F64) -> Motion:
        """The next control step towards where a reference, moving with twist `feed` [6], will be after it."""
        motion, limits = self.motion, self._limits
        error = np.empty(6)
        error[:3] = reference_m - motion.position_m
        error[3:] = rotation_vector(reference_rotation @ motion.rotation.T)
        # The feed itself covers one step of the way to where the reference is going to be.
        error -= feed * DT_S
        wanted = feed.copy()
        wanted[:3] += _approach(error[:3], limits.ee_acceleration_m_s2)
        wanted[3:] += _approach(error[3:], limits.ee_turn_acceleration_rad_s2)
        inverse, exact = _inverses(motion.jacobian)
        posture = POSTURE_HZ * (self._posture - motion.joint_rad)
        drift = posture - exact @ (motion.jacobian @ posture)
        fitted = self._fit_joints(self._fit_tool(wanted), inverse, drift)
        rate = inverse @ self._accelerate(fitted, motion.twist)
        return moved(self._kinematics, motion, (rate + self._fit_drift(rate, drift)) * DT_S)

    def slow_down(self) -> Motion:
        """The next control step when nothing else is allowed: brake on the present path."""
        return moved(self._kinematics, self.motion, brake(self.motion, self._limits))

    def between(self, slow: Motion, wanted: Motion, share: float) -> Motion:
        """A control step that goes only a share of the way from braking to what was wanted."""
        step = slow.joint_rad + share * (wanted.joint_rad - slow.joint_rad) - self.motion.joint_rad
        return moved(self._kinematics, self.motion, step)

    def _fit_tool(self, wanted: F64) -> F64:
        """Bound speed and turn rate, and leave room to brake before the box."""
        limits, position = self._limits, self.motion.position_m
        strength = 2.0 * BOX_BRAKE_SHARE * limits.ee_acceleration_m_s2
        up = np.sqrt(strength * np.maximum(0.0, limits.box_high_m - position - BOX_KEEP_M))
        down = np.sqrt(strength * np.maximum(0.0, position - limits.box_low_m - BOX_KEEP_M))
        fitted = np.empty(6)
        fitted[:3] = _shorten(wanted[:3], SHARE * limits.ee_speed_m_s)
        fitted[:3] = np.minimum(np.maximum(fitted[:3], -down), up)
        fitted[3:] = _shorten(wanted[3:], SHARE * limits.ee_turn_rad_s)
        return fitted

    def _fit_joints(self, twist: F64, inverse: F64, drift: F64) -> F64:
        """Scale the twist so that no joint is too fast, or too fast to stop before its limit."""
        joint = self.motion.joint_rad
        rate = inverse @ twist
        fastest = SHARE * self._limits.joint_speed_rad_s - np.abs(drift)
        room = np.where(rate > 0, self._high - joint, joint - self._low)
        stoppable = np.sqrt(2 * JOINT_BRAKE_RAD_S2 * np.maximum(0.0, room))
        allowed = np.minimum(stoppable, np.maximum(fastest, 0.05))
        ratio = float((allowed / np.maximum(np.abs(rate), 1e-9)).min())
        return twist if ratio >= 1.0 else twist * ratio

    def _fit_drift(self, rate: F64, drift: F64) -> F64:
        """Posture drift gives way to the tool's own motion near a joint's limits."""
        joint, both = self.motion.joint_rad, rate + drift
        outward = ((joint > self._high) & (drift > 0)) | ((joint < self._low) & (drift < 0))
        too_fast = np.abs(both) > SHARE * self._limits.joint_speed_rad_s
        return np.zeros_like(drift) if (outward | too_fast).any() else drift

    def _accelerate(self, wanted: F64, before: F64) -> F64:
        """Change the twist by no more than the acceleration limits allow in one step."""
        limits, change = self._limits, wanted - before
        twist = before.copy()
        twist[:3] += _shorten(change[:3], SHARE * limits.ee_acceleration_m_s2 * DT_S)
        twist[3:] += _shorten(change[3:], SHARE * limits.ee_turn_acceleration_rad_s2 * DT_S)
        return twist


def _approach(error: F64, acceleration: float) -> F64:
    """Velocity towards a point at `error`: proportional when near, as fast as can be braked when far."""
    distance = length(error)
    if distance < 1e-12:
        return error
    return error * min(PURSUIT_HZ, math.sqrt(2.0 * 0.7 * acceleration / distance))


def _shorten(vector: F64, bound: float) -> F64:
    """The vector, scaled down to `bound` where it is longer."""
    norm = length(vector)
    return vector if norm <= bound else vector * (bound / norm)


def _inverses(jacobian: F64) -> tuple[F64, F64]:
    """J^T (J J^T + d^2 I)^-1 twice: damped near a singularity (Nakamura & Hanafusa 1986), and not.

    Moving the tool needs the damped one; keeping it still while the elbow drifts needs the exact one.
    """
    gram = jacobian @ jacobian.T
    gram[_DIAGONAL] += 1e-9
    exact = jacobian.T @ np.linalg.inv(gram)
    weak = 1.0 - math.sqrt(max(0.0, float(np.linalg.det(gram)))) / WEAK_MANIPULABILITY
    if weak <= 0.0:
        return exact, exact
    gram[_DIAGONAL] += DAMPING * DAMPING * weak * weak
    return jacobian.T @ np.linalg.inv(gram), exact


_DIAGONAL = np.diag_indices(6)
