"""Millimetres from the depth image: where the network says what a thing is, its top says exactly where.

Every shape here has a level top. The points of the cloud on that level, near the network's guess, give
centre and yaw to a fraction of a pixel. Where they do not look like such a top (the thing lies on its
side, something covers it or touches it), the network's word stands.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_low_level.geometry import CUBE_SIDE_M, CUP_RADIUS_M, OBJECTS, PLATE_RIM_RADIUS_M, SPOON_LENGTH_M
from vla_low_level.nouns import Category

F64 = NDArray[np.float64]

# Points between these bounds, relative to the top, belong to it: the edge of a wall below it does not.
BELOW_M = {Category.CUBE: 0.001, Category.PLATE: 0.002, Category.SPOON: 0.0022}
USUAL_BELOW_M = 0.0025
ABOVE_M = 0.0012
SEARCH_LEVEL_M = 0.008
SEARCH_M = 0.006
MAX_SHIFT_M = 0.015
MIN_POINTS = 12
CORE_M = 0.022
STRIP_M = 0.027
ROUNDS = 3

# Root mean square distance of a top's points from their mean: the shape's fingerprint.
SPREAD_M = {
    Category.CUBE: CUBE_SIDE_M / math.sqrt(6.0),
    Category.SPOON: 0.0393,
    Category.CUP: CUP_RADIUS_M / math.sqrt(2.0),
    Category.BOTTLE: 0.0092,
    Category.PLATE: PLATE_RIM_RADIUS_M,
}
SPREAD_TOLERANCE = 0.13
RING_TOLERANCE_M = 0.008
# What stands out above the nominal height, as the depth image shows it.
LID_M = {Category.CUP: 0.0014, Category.BOTTLE: 0.0019}
LENGTH_TOLERANCE_M = 0.008


@dataclass(frozen=True, slots=True)
class Refined:
    """A pose read off the cloud: base centre, m, world; yaw, rad, None where round."""

    position_m: tuple[float, float, float]
    yaw_rad: float | None


def refine(category: Category, guess_m: tuple[float, float, float], points: F64) -> Refined | None:
    """Read the exact pose of a thing off the cloud.

    Args:
        category: What it is.
        guess_m: Its base centre as the network has it, m.
        points: float64 [n, 3], what the pixels around it show, world, m.

    Returns:
        The pose, or None where the cloud does not show the top of such a thing.
    """
    size = OBJECTS[category]
    centre = np.array(guess_m[:2])
    reach = size.footprint_radius_m + SEARCH_M
    around = points[np.hypot(*(points[:, :2] - centre).T) < reach + MAX_SHIFT_M]
    expected = guess_m[2] + size.height_m + LID_M.get(category, 0.0)
    tops = around[abs(around[:, 2] - expected) < SEARCH_LEVEL_M]
    if len(tops) < MIN_POINTS:
        return None
    top = _level_of(category, tops, centre)
    depth = top - tops[:, 2]
    level = tops[(depth < BELOW_M.get(category, USUAL_BELOW_M)) & (depth > -ABOVE_M), :2]
    yaw = None
    for _ in range(ROUNDS):
        near = level[np.hypot(*(level - centre).T) < reach]
        fitted = _fit(category, near, centre)
        if fitted is None or math.dist(fitted[0], guess_m[:2]) > MAX_SHIFT_M:
            return None
        centre, yaw = fitted
    return Refined((float(centre[0]), float(centre[1]), guess_m[2] + top - expected), yaw)


def _level_of(category: Category, tops: F64, centre: F64) -> float:
    """Height of the top: near the middle, where nothing else is; a plate's is its rim."""
    distance = np.hypot(*(tops[:, :2] - centre).T)
    own = tops[distance < CORE_M] if category is not Category.PLATE else tops
    return float(np.percentile((own if len(own) else tops)[:, 2], 75))


def _fit(category: Category, near: F64, centre: F64) -> tuple[F64, float | None] | None:
    """Centre and yaw of a top's points [n, 2]; None when their spread is not that of such a top."""
    if category is Category.PLATE:
        return _fit_ring(near, centre)
    if category is Category.SPOON:
        near = _strip(near, centre)
    if len(near) < MIN_POINTS:
        return None
    mean = near.mean(axis=0)
    across = near - mean
    spread = math.sqrt(float((across**2).sum(axis=1).mean()))
    if abs(spread / SPREAD_M[category] - 1.0) > SPREAD_TOLERANCE:
        return None
    plane = across[:, 0] + 1j * across[:, 1]
    if category is Category.CUBE:
        return mean, float(np.angle(-(plane**4).sum())) / 4
    if category is Category.SPOON:
        return _fit_bar(mean, across, float(np.angle((plane**2).sum())) / 2)
    return mean, None


def _strip(near: F64, centre: F64) -> F64:
    """The points beside a spoon's axis, which the points around its middle give; not its neighbours'."""
    offset = near - centre
    core = offset[np.hypot(*offset.T) < CORE_M]
    yaw = float(np.angle(((core[:, 0] + 1j * core[:, 1]) ** 2).sum())) / 2 if len(core) else 0.0
    sideways = offset @ np.array([-math.sin(yaw), math.cos(yaw)])
    return np.asarray(near[abs(sideways) < STRIP_M])


def _fit_bar(mean: F64, across: F64, yaw: float) -> tuple[F64, float] | None:
    """The middle between the ends along the axis: the bowl pulls the mean towards itself."""
    axis = np.array([math.cos(yaw), math.sin(yaw)])
    along = across @ axis
    if abs(np.ptp(along) - SPOON_LENGTH_M) > LENGTH_TOLERANCE_M:
        return None
    return mean + axis * (along.max() + along.min()) / 2, yaw


def _fit_ring(near: F64, centre: F64) -> tuple[F64, None] | None:
    """Centre of a circle of the rim's radius through the points, by Gauss-Newton from `centre`."""
    for _ in range(4):
        offset = near - centre
        radius = np.hypot(*offset.T)
        ring = abs(radius - PLATE_RIM_RADIUS_M) < RING_TOLERANCE_M
        if ring.sum() < 3 * MIN_POINTS:
            return None
        outward = offset[ring] / radius[ring, None]
        # Points on one side only do not fix the centre.
        if np.hypot(*outward.mean(axis=0)) > 0.5:
            return None
        step, *_ = np.linalg.lstsq(outward, radius[ring] - PLATE_RIM_RADIUS_M, rcond=None)
        centre = centre + step
    return centre, None
