"""What the labels draw, the detector reads back."""

import math

import numpy as np
import pytest

from agent.perception.detector import _read, _View
from agent.perception.network import STRIDE
from agent.perception.rays import grid, ground_points, project
from agent.perception.targets import encode
from vla_low_level.geometry import OBJECTS
from vla_low_level.nouns import Category, Colour, Place

SIZE = (240, 320)
NO_FURNITURE = np.full((2, 4), np.nan, np.float32)
INTRINSICS = np.array([[270.0, 0.0, 160.5], [0.0, 270.0, 119.5], [0.0, 0.0, 1.0]])


def looking_down(height_m: float = 1.2) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = np.diag([1.0, -1.0, -1.0])
    pose[:3, 3] = 0.45, 0.0, height_m
    return pose


def row(
    category: Category, colour: Colour, base_m: tuple[float, float, float], yaw_rad: float
) -> list[float]:
    return [list(Category).index(category), list(Colour).index(colour), *base_m, yaw_rad, 0.0, 200.0]


def read_back(objects: list[list[float]], places: np.ndarray):
    calibration = (INTRINSICS, looking_down())
    maps = encode(np.array(objects, np.float32), places.astype(np.float32), NO_FURNITURE, calibration, SIZE)
    ground = ground_points(*calibration, *grid(*SIZE, STRIDE))
    view = _View(ground, calibration[1][:3, 3], np.zeros((0, 3)))
    return _read(np.where(maps.heat == 1.0, maps.heat, 0.0), maps.properties, view)


@pytest.mark.parametrize("category", list(Category))
@pytest.mark.parametrize("yaw_rad", [-2.9, -0.4, 0.0, 1.1])
def test_labels_survive_being_drawn_and_read(category, yaw_rad):
    base = (0.387, -0.1234, 0.004)
    found = read_back([row(category, Colour.PURPLE, base, yaw_rad)], np.full((5, 2), np.nan))
    (item,) = found.objects
    assert (item.category, item.colour) == (category, Colour.PURPLE)
    assert item.position_m == pytest.approx(base, abs=1e-6)
    symmetry = OBJECTS[category].symmetry
    if symmetry:
        assert math.remainder(item.yaw_rad - yaw_rad, 2 * math.pi / symmetry) == pytest.approx(0.0, abs=1e-5)
    else:
        assert item.yaw_rad is None


def test_places_are_read_where_they_were_drawn():
    places = np.array([[0.45, -0.3], [0.46, 0.3], [0.65, 0.0], [np.nan, np.nan], [0.3, -0.2]])
    found = read_back([[-1.0] * 8], places)
    assert {p.place for p in found.places} == set(Place) - {Place.BIN}
    for item in found.places:
        assert item.centre_m == pytest.approx(tuple(places[list(Place).index(item.place)]), abs=1e-6)


def test_hardly_visible_objects_are_neither_asked_for_nor_forbidden():
    hidden = row(Category.CUBE, Colour.RED, (0.4, 0.0, 0.0), 0.0)
    hidden[7] = 3.0
    maps = encode(
        np.array([hidden], np.float32),
        np.full((5, 2), np.nan, np.float32),
        NO_FURNITURE,
        (INTRINSICS, looking_down()),
        SIZE,
    )
    assert maps.heat.max() == 0.0
    assert 0 < (maps.care == 0.0).sum() < 50


def test_projection_undoes_the_ray():
    pose = looking_down()
    u, v = grid(*SIZE, STRIDE)
    ground = ground_points(INTRINSICS, pose, u, v)
    back = project(INTRINSICS, pose, np.concatenate([ground, np.zeros((*ground.shape[:2], 1))], axis=-1))
    assert np.abs(back - np.stack([u, v], axis=-1)).max() < 1e-9
