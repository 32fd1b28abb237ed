"""Exact poses from a cloud: shapes drawn point by point, as a camera samples them."""

import math

import numpy as np
import pytest

from agent.perception.refine import LID_M, refine
from vla_low_level.geometry import (
    CUBE_SIDE_M,
    CUP_RADIUS_M,
    OBJECTS,
    PLATE_RIM_RADIUS_M,
    SPOON_LENGTH_M,
    SPOON_WIDTH_M,
)
from vla_low_level.nouns import Category

PITCH_M = 0.0045
CENTRE = (0.4321, -0.0877)


def inside(category: Category, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    match category:
        case Category.CUBE:
            return (abs(x) < CUBE_SIDE_M / 2) & (abs(y) < CUBE_SIDE_M / 2)
        case Category.SPOON:
            half = SPOON_LENGTH_M / 2
            handle = (x > -half) & (x < half - 0.03) & (abs(y) < SPOON_WIDTH_M / 2)
            return handle | (np.hypot(x - half + 0.019, y) < 0.019)
        case Category.PLATE:
            return abs(np.hypot(x, y) - PLATE_RIM_RADIUS_M) < 0.003
        case Category.BOTTLE:
            return np.hypot(x, y) < 0.013
        case _:
            return np.hypot(x, y) < CUP_RADIUS_M


def cloud(category: Category, yaw_rad: float, base_z_m: float = 0.0) -> np.ndarray:
    steps = np.arange(-0.1, 0.1, PITCH_M)
    dx, dy = np.meshgrid(steps, steps)
    c, s = math.cos(yaw_rad), math.sin(yaw_rad)
    on = inside(category, c * dx + s * dy, -s * dx + c * dy)
    top = base_z_m + OBJECTS[category].height_m + LID_M.get(category, 0.0)
    return np.stack([CENTRE[0] + dx[on], CENTRE[1] + dy[on], np.full(on.sum(), top)], axis=-1)


@pytest.mark.parametrize("category", list(Category))
@pytest.mark.parametrize("yaw_rad", [-1.2, 0.15, 0.6])
def test_a_guess_off_by_millimetres_becomes_exact(category, yaw_rad):
    pose = refine(category, (CENTRE[0] + 0.005, CENTRE[1] - 0.004, 0.002), cloud(category, yaw_rad))
    assert pose is not None
    assert math.dist(pose.position_m[:2], CENTRE) < 0.0015
    assert pose.position_m[2] == pytest.approx(0.0, abs=1e-6)
    symmetry = OBJECTS[category].symmetry
    if symmetry:
        assert abs(math.remainder(pose.yaw_rad - yaw_rad, 2 * math.pi / symmetry)) < math.radians(3)


@pytest.mark.parametrize("category", list(Category))
def test_nothing_at_the_right_height_is_no_pose(category):
    fallen = cloud(category, 0.0, base_z_m=-0.012)
    assert refine(category, (*CENTRE, 0.0), fallen) is None
    assert refine(category, (*CENTRE, 0.0), np.zeros((0, 3))) is None


def test_two_cubes_side_by_side_are_not_taken_for_one():
    one = cloud(Category.CUBE, 0.0)
    other = one + np.array([CUBE_SIDE_M / 2, 0.0, 0.0])
    assert refine(Category.CUBE, (*CENTRE, 0.0), np.concatenate([one, other])) is None


def test_a_third_of_a_rim_does_not_give_the_centre():
    rim = cloud(Category.PLATE, 0.0)
    angle = np.arctan2(rim[:, 1] - CENTRE[1], rim[:, 0] - CENTRE[0])
    assert refine(Category.PLATE, (*CENTRE, 0.0), rim[abs(angle) < math.pi / 3]) is None
