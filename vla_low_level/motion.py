"""The commanded motion at one instant, and how long it takes to come to rest from it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_low_level.kinematics import Kinematics
from vla_low_level.limits import Limits
from vla_low_level.plant import CONTROL_HZ
from vla_low_level.rotations import rotation_vector

F64 = NDArray[np.float64]

DT_S = 1.0 / CONTROL_HZ
# Braking uses this share of an acceleration limit; the curvature of the joints' path needs the rest.
BRAKE_SHARE = 0.7
JOINT_BRAKE_RAD_S2 = 5.0


@dataclass(frozen=True, slots=True)
class Motion:
    """Where the commanded tool is and how it moves, measured on the joint targets themselves.

    Attributes:
        joint_rad: float64 [dof], joint targets.
        joint_speed_rad_s: float64 [dof], over the last control step.
        position_m: float64 [3], tool centre point, base frame.
        rotation: float64 [3, 3], tool to base.
        jacobian: float64 [6, dof], at `joint_rad`.
        twist: float64 [6], over the last control step: m/s, then rad/s.
    """

    joint_rad: F64
    joint_speed_rad_s: F64
    position_m: F64
    rotation: F64
    jacobian: F64
    twist: F64

    @property
    def speed_m_s(self) -> float:
        """Of the tool centre point."""
        return length(self.twist[:3])

    @property
    def turn_rad_s(self) -> float:
        """Of the hand."""
        return length(self.twist[3:])


def at_rest(kinematics: Kinematics, joint_rad: F64) -> Motion:
    """Standing still at these joint angles."""
    position, rotation, jacobian = kinematics.forward(joint_rad)
    return Motion(joint_rad.copy(), np.zeros(kinematics.dof), position, rotation, jacobian, np.zeros(6))


def moved(kinematics: Kinematics, before: Motion, joint_step_rad: F64) -> Motion:
    """One control step later, after the joint targets have changed by `joint_step_rad` [dof]."""
    joint = before.joint_rad + joint_step_rad
    position, rotation, jacobian = kinematics.forward(joint)
    twist = np.empty(6)
    twist[:3] = position - before.position_m
    twist[3:] = rotation_vector(rotation @ before.rotation.T)
    return Motion(joint, joint_step_rad * CONTROL_HZ, position, rotation, jacobian, twist * CONTROL_HZ)


def stop_time_s(motion: Motion, limits: Limits) -> float:
    """How long braking in proportion along the joints' path takes, s; at least one control step."""
    return max(
        motion.speed_m_s / (BRAKE_SHARE * limits.ee_acceleration_m_s2),
        motion.turn_rad_s / (BRAKE_SHARE * limits.ee_turn_acceleration_rad_s2),
        float(np.abs(motion.joint_speed_rad_s).max()) / JOINT_BRAKE_RAD_S2,
        DT_S,
    )


def brake(motion: Motion, limits: Limits) -> F64:
    """The joint step [dof] that slows the motion down on its present path."""
    share = max(0.0, 1.0 - DT_S / stop_time_s(motion, limits))
    return motion.joint_speed_rad_s * (share * DT_S)


def length(vector: F64) -> float:
    """Euclidean norm; faster than numpy's for three numbers."""
    return math.sqrt(float(vector @ vector))
