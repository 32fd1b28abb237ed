"""Free room inside a fixture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skills.scene import PlaceRegion, SceneObject
from vla_low_level.geometry import OBJECTS
from vla_low_level.nouns import Category
from vla_low_level.policies.grasps import discs

STEP_M = 0.015
# Distance kept from the walls: tall things swing in the fingers, low ones are let go above the wall.
TALL_MARGIN_M = 0.018
LOW_MARGIN_M = 0.006
TALL_M = 0.03
# More room than this between two things is as good as any.
ENOUGH_M = 0.012


@dataclass(frozen=True, slots=True)
class Spot:
    """Somewhere an object can be put down.

    Attributes:
        x_m: Where its centre goes, world.
        y_m: The same.
        support_m: Height of what it will stand on: the fixture's floor, or the things it overlaps.
        room_m: Gap to the nearest thing; negative when it would lie on one.
    """

    x_m: float
    y_m: float
    support_m: float
    room_m: float


def free_spots(region: PlaceRegion, category: Category, others: Sequence[SceneObject]) -> list[Spot]:
    """Spots for an object of this kind, best first: room before all, then low, then away from the middle.

    Filling a fixture from its ends leaves the largest gap for what comes next.
    """
    along, across = _ranges(region, category)
    c, s = math.cos(region.yaw_rad), math.sin(region.yaw_rad)
    spots = []
    for u in along:
        for v in across:
            x, y = region.centre_m[0] + c * u - s * v, region.centre_m[1] + s * u + c * v
            spots.append((_spot(x, y, region, category, others), math.hypot(u, v)))
    spots.sort(
        key=lambda pair: (-round(min(pair[0].room_m, ENOUGH_M), 3), pair[0].support_m, -round(pair[1], 3))
    )
    return [spot for spot, _ in spots]


def _ranges(region: PlaceRegion, category: Category) -> tuple[list[float], list[float]]:
    """Positions along the fixture's own axes at which the object is inside its walls."""
    size = OBJECTS[category]
    reach = [size.footprint_radius_m, size.footprint_radius_m]
    if category is Category.SPOON:
        long = 0 if region.half_extent_m[0] >= region.half_extent_m[1] else 1
        reach[1 - long] = size.grasp_width_m
    margin = TALL_MARGIN_M if size.height_m > TALL_M else LOW_MARGIN_M
    ranges = []
    for half, radius in zip(region.half_extent_m, reach, strict=True):
        room = max(0.0, half - radius - margin)
        count = 2 * math.ceil(room / STEP_M) + 1
        ranges.append([float(value) for value in np.linspace(-room, room, count)])
    return ranges[0], ranges[1]


def _spot(x: float, y: float, region: PlaceRegion, category: Category, others: Sequence[SceneObject]) -> Spot:
    mine = discs(category, (x, y, 0.0), region.long_axis_rad)
    support, room = region.centre_m[2], math.inf
    for other in others:
        for theirs in discs(other.category, other.position_m, other.yaw_rad):
            gap = min(math.dist((a.x_m, a.y_m), (theirs.x_m, theirs.y_m)) - a.radius_m for a in mine)
            gap -= theirs.radius_m
            room = min(room, gap)
            if gap < 0.0:
                support = max(support, theirs.top_m)
    return Spot(x, y, support, room)
