"""Where to put the fingers: grasps and releases from poses alone, perceived or true. World frame, m, rad.

A hand pointing down is a rectangle on the table, 20 cm by 7 cm, whose underside is 4.5 cm above the
fingertips. A grasp is as good as the room that this rectangle, and the open fingers under it, have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_low_level.geometry import (
    FINGER_HALF_WIDTH_M,
    FINGER_THICKNESS_M,
    FINGERTIP_M,
    GRIPPER_STROKE_M,
    HAND_CLEARANCE_M,
    HAND_HALF_LENGTH_M,
    HAND_HALF_WIDTH_M,
    OBJECTS,
    PLATE_RIM_RADIUS_M,
)
from vla_low_level.nouns import Category
from vla_low_level.policy import GraspTarget

F64 = NDArray[np.float64]

TRAVEL_HEIGHT_M = 0.30
ROUND_YAWS = 24
# Wider than the object by this much when coming down: for a few millimetres of error, not for neighbours.
GRASP_SLACK_M = 0.034
LEAST_OPENING = 0.65
# Heights nearer than this count as touching.
MARGIN_M = 0.003
# Room beyond this is as good as any.
ENOUGH_M = 0.03


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something that the hand must not hit: a disc on the table, up to a height."""

    x_m: float
    y_m: float
    radius_m: float
    top_m: float


@dataclass(frozen=True, slots=True)
class Grasp:
    """A grasp and the room it has.

    Attributes:
        target: Where the fingers go.
        room_m: Distance between hand or fingers and the nearest obstacle; negative when they overlap.
    """

    target: GraspTarget
    room_m: float


def discs(category: Category, position_m: Sequence[float], yaw_rad: float | None) -> list[Obstacle]:
    """An object as obstacles: one disc, or three along a spoon."""
    size, (x, y, z) = OBJECTS[category], position_m
    top = z + size.height_m
    if category is not Category.SPOON or yaw_rad is None:
        return [Obstacle(x, y, size.footprint_radius_m, top)]
    reach = size.footprint_radius_m * 0.67
    along = (math.cos(yaw_rad) * reach, math.sin(yaw_rad) * reach)
    third = size.footprint_radius_m / 3
    return [Obstacle(x + k * along[0], y + k * along[1], third, top) for k in (-1, 0, 1)]


def candidates(category: Category, position_m: Sequence[float], yaw_rad: float | None) -> list[GraspTarget]:
    """Every way to take the object from above, regardless of what stands around it."""
    size = OBJECTS[category]
    base = np.asarray(position_m, dtype=np.float64)
    centre = base + np.array([0.0, 0.0, size.grasp_height_m])
    opening = min(1.0, max(LEAST_OPENING, (size.grasp_width_m + GRASP_SLACK_M) / GRIPPER_STROKE_M))
    if category is Category.PLATE:
        # Over the rim: finger axis along the radius, one finger inside.
        spokes = [2 * math.pi * k / ROUND_YAWS for k in range(ROUND_YAWS)]
        return [
            GraspTarget(
                centre + PLATE_RIM_RADIUS_M * np.array([math.cos(a), math.sin(a), 0.0]),
                a,
                TRAVEL_HEIGHT_M,
                opening,
            )
            for a in spokes
        ]
    if size.symmetry == 0 or yaw_rad is None:
        yaws = [math.pi * k / ROUND_YAWS for k in range(ROUND_YAWS)]
    elif category is Category.SPOON:
        yaws = [yaw_rad + math.pi / 2]
    else:
        yaws = [yaw_rad, yaw_rad + math.pi / 2]
    return [GraspTarget(centre, yaw, TRAVEL_HEIGHT_M, opening) for yaw in yaws]


def ranked(
    category: Category, position_m: Sequence[float], yaw_rad: float | None, obstacles: Sequence[Obstacle]
) -> list[Grasp]:
    """All grasps, the one with the most room first; among roomy ones, the one that turns the wrist least."""
    found = [
        Grasp(
            target,
            room_around(target.position_m, target.yaw_rad, obstacles, target.opening * GRIPPER_STROKE_M),
        )
        for target in candidates(category, position_m, yaw_rad)
    ]
    return sorted(found, key=lambda g: (-min(g.room_m, ENOUGH_M), _twist(g.target)))


def room_around(
    position_m: F64, yaw_rad: float, obstacles: Sequence[Obstacle], opening_m: float = GRIPPER_STROKE_M
) -> float:
    """Smallest distance from the hand, and from its open fingers, to any obstacle that is tall enough, m."""
    room = math.inf
    c, s = math.cos(yaw_rad), math.sin(yaw_rad)
    # The fingers pass over everything between closed and open.
    reach = opening_m / 2 + FINGER_THICKNESS_M
    for item in obstacles:
        dx, dy = item.x_m - float(position_m[0]), item.y_m - float(position_m[1])
        along, across = c * dx + s * dy, -s * dx + c * dy
        if item.top_m > float(position_m[2]) + HAND_CLEARANCE_M - MARGIN_M:
            gap = _to_rectangle(along, across, HAND_HALF_LENGTH_M, HAND_HALF_WIDTH_M)
            room = min(room, gap - item.radius_m)
        if item.top_m > float(position_m[2]) - FINGERTIP_M - MARGIN_M:
            room = min(room, _to_rectangle(along, across, reach, FINGER_HALF_WIDTH_M) - item.radius_m)
    return room


def _to_rectangle(x: float, y: float, half_x: float, half_y: float) -> float:
    """Distance from a point to an axis-aligned rectangle around the origin; inside, how deep, negative."""
    out_x, out_y = abs(x) - half_x, abs(y) - half_y
    return math.hypot(max(0.0, out_x), max(0.0, out_y)) + min(0.0, max(out_x, out_y))


def _twist(target: GraspTarget) -> float:
    """How far the finger axis is from lying across the arm, modulo half a turn: less turning of the wrist."""
    bearing = math.atan2(float(target.position_m[1]), float(target.position_m[0]))
    off = (target.yaw_rad - bearing - math.pi / 2) % math.pi
    return round(min(off, math.pi - off), 6)
