"""Straight lines between poses of a downward hand, at a bounded speed and acceleration."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Waypoint:
    """Somewhere to be before going on.

    Attributes:
        position_m: float64 [3], tool centre point, world.
        yaw_rad: Finger axis about world z, unwrapped: the hand turns by the plain difference.
        gripper: 0 closed .. 1 open, commanded on the way and while dwelling.
        dwell_rows: Rows to stay, for fingers to move or objects to settle.
    """

    position_m: F64
    yaw_rad: float
    gripper: float
    dwell_rows: int = 0


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far along the waypoints the commanded pose has come.

    Attributes:
        index: The waypoint that is being approached; `len(waypoints)` when all are done.
        position_m: float64 [3], commanded tool centre point.
        yaw_rad: Commanded yaw, unwrapped.
        speed_m_s: Speed of the last row.
        dwelt: Rows already stayed at the waypoint.
    """

    index: int
    position_m: F64
    yaw_rad: float
    speed_m_s: float = 0.0
    dwelt: int = 0


@dataclass(frozen=True, slots=True)
class Profile:
    """Limits of the motion, inside the guard's so that it never has to clamp."""

    speed_m_s: float = 0.22
    acceleration_m_s2: float = 1.2
    yaw_rate_rad_s: float = 0.9


def advance(cursor: Cursor, waypoints: list[Waypoint], profile: Profile, dt_s: float) -> Cursor:
    """One row further: a step towards the current waypoint, or a row of staying there.

    Speed follows a trapezoid (v <= sqrt(2 a d) near the end), so corners are reached at rest.
    """
    if cursor.index >= len(waypoints):
        return replace(cursor, speed_m_s=0.0)
    goal = waypoints[cursor.index]
    offset = goal.position_m - cursor.position_m
    distance = float(np.linalg.norm(offset))
    turn = goal.yaw_rad - cursor.yaw_rad
    if distance < 1e-6 and abs(turn) < 1e-6:
        if cursor.dwelt < goal.dwell_rows:
            return replace(cursor, speed_m_s=0.0, dwelt=cursor.dwelt + 1)
        following = replace(cursor, index=cursor.index + 1, speed_m_s=0.0, dwelt=0)
        return advance(following, waypoints, profile, dt_s)
    speed = min(
        profile.speed_m_s,
        cursor.speed_m_s + profile.acceleration_m_s2 * dt_s,
        # Half a row of margin: braking starts a row late in discrete time.
        math.sqrt(2.0 * profile.acceleration_m_s2 * distance) * 0.9 + 1e-4,
    )
    step = min(distance, speed * dt_s)
    yaw_step = math.copysign(min(abs(turn), profile.yaw_rate_rad_s * dt_s), turn)
    position = goal.position_m if step >= distance else cursor.position_m + offset * (step / distance)
    return Cursor(cursor.index, position, cursor.yaw_rad + yaw_step, step / dt_s)
