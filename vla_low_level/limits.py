"""The numbers the guard enforces. Published limits of the arm, with margins; never learned from data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Limits:
    """Bounds on motion, contact and age.

    Attributes:
        joint_low_rad: float64 [dof], lower joint limits.
        joint_high_rad: float64 [dof], upper joint limits.
        joint_speed_rad_s: float64 [dof].
        box_low_m: float64 [3], corner of the workspace box of the tool centre point, world.
        box_high_m: float64 [3], the opposite corner.
        joint_margin_rad: Distance kept from the joint limits.
        ee_speed_m_s: Of the tool centre point.
        ee_acceleration_m_s2: Of the tool centre point.
        ee_turn_rad_s: Angular speed of the hand.
        ee_turn_acceleration_rad_s2: Angular acceleration of the hand.
        contact_hold_n: Contact force that makes the arm hold. Placing and touching the table stay below it.
        contact_stop_n: Contact force that latches a stop when it lasts; a knock holds.
        contact_stop_steps: 240 Hz steps in a row that make it last; holding takes a few to relieve it.
        tracking_m: Distance between commanded and measured tool centre point that makes the arm hold.
        age_s: A chunk that expires later than this from now is refused: its clock is not the body's.
        reject_factor: A row that asks for more than this many times a limit is refused, not clamped.
    """

    joint_low_rad: F64
    joint_high_rad: F64
    joint_speed_rad_s: F64
    box_low_m: F64
    box_high_m: F64
    joint_margin_rad: float = 0.1
    ee_speed_m_s: float = 0.25
    ee_acceleration_m_s2: float = 2.5
    ee_turn_rad_s: float = 1.0
    ee_turn_acceleration_rad_s2: float = 10.0
    contact_hold_n: float = 60.0
    contact_stop_n: float = 140.0
    contact_stop_steps: int = 12
    tracking_m: float = 0.03
    age_s: float = 60.0
    reject_factor: float = 3.0

    def __post_init__(self) -> None:
        for value in vars(self).values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)


PANDA = Limits(
    joint_low_rad=np.array([-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973]),
    joint_high_rad=np.array([2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973]),
    # Half of the datasheet's speeds.
    joint_speed_rad_s=0.5 * np.array([2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61]),
    box_low_m=np.array([0.05, -0.60, 0.002]),
    box_high_m=np.array([0.80, 0.60, 0.75]),
)
"""Franka Panda / FER, positions and speeds as published with libfranka; envelope of reduced-speed work."""

KUKA_IIWA = Limits(
    joint_low_rad=-np.radians([170.0, 120.0, 170.0, 120.0, 170.0, 120.0, 175.0]),
    joint_high_rad=np.radians([170.0, 120.0, 170.0, 120.0, 170.0, 120.0, 175.0]),
    joint_speed_rad_s=0.6 * np.radians([85.0, 85.0, 100.0, 75.0, 130.0, 135.0, 135.0]),
    box_low_m=np.array([0.05, -0.60, 0.002]),
    box_high_m=np.array([0.80, 0.60, 0.75]),
    joint_margin_rad=0.05,
)
"""KUKA LBR iiwa 14 R820, positions and 60 % of the speeds of its data sheet."""

XARM6 = Limits(
    joint_low_rad=np.array([-6.2832, -2.059, -3.927, -6.2832, -1.69297, -6.2832]),
    joint_high_rad=np.array([6.2832, 2.0944, 0.19198, 6.2832, 3.14159, 6.2832]),
    joint_speed_rad_s=np.full(6, 0.5 * 3.14),
    box_low_m=np.array([0.05, -0.60, 0.002]),
    box_high_m=np.array([0.80, 0.60, 0.75]),
)
"""UFACTORY xArm 6, positions and half of the speeds of its user manual."""
