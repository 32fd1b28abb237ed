"""What the network should say: labels turned into maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.perception.network import COLOUR, N_CLASSES, N_PROPERTIES, STATE, STRIDE, XYZ, YAW2, YAW4
from agent.perception.rays import grid, ground_points, project
from vla_low_level.geometry import OBJECTS
from vla_low_level.nouns import Category, Place

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Turn = tuple[int, float]
"""How often a shape repeats in one turn (2 or 4), and its yaw, rad."""

# Fewer visible pixels than this and nobody is asked to see it, nor blamed for seeing it.
MIN_VISIBLE_PX = 14
SIGMA_CELLS = 1.0


@dataclass(frozen=True, slots=True)
class Targets:
    """Maps at a quarter of the resolution.

    Attributes:
        heat: float32 [classes, h, w], 1 at centres, falling off as a Gaussian.
        care: float32 [h, w], 0 where nothing may be learned.
        properties: float32 [properties, h, w], true around centres.
        mask: float32 [properties, h, w], 1 where `properties` counts.
    """

    heat: F32
    care: F32
    properties: F32
    mask: F32


def centre_of(category: Category, base_m: F64) -> F64:
    """The point [3] of an object whose image is its peak: half its height above its base."""
    return np.asarray(base_m + np.array([0.0, 0.0, OBJECTS[category].height_m / 2]))


def encode(
    objects: F32, places: F32, furniture: F32, calibration: tuple[F64, F64], size: tuple[int, int]
) -> Targets:
    """Draw the maps of one picture.

    Args:
        objects: float32 [n, 8], rows as in `sim.labelled.Sample.objects`.
        places: float32 [5, 2], x and y of the fixtures, NaN where missing.
        furniture: float32 [2, 4], rows as in `sim.labelled.Sample.furniture`, NaN where missing.
        calibration: Intrinsics [3, 3] and camera-to-world pose [4, 4].
        size: Height and width of the picture, px.
    """
    h, w = size[0] // STRIDE, size[1] // STRIDE
    maps = Targets(
        np.zeros((N_CLASSES, h, w), np.float32),
        np.ones((h, w), np.float32),
        np.zeros((N_PROPERTIES, h, w), np.float32),
        np.zeros((N_PROPERTIES, h, w), np.float32),
    )
    ground = ground_points(*calibration, *grid(*size, STRIDE))
    for row in objects[objects[:, 0] >= 0]:
        category = list(Category)[int(row[0])]
        base = row[2:5].astype(np.float64)
        cell = project(*calibration, centre_of(category, base)) / STRIDE
        if row[7] < MIN_VISIBLE_PX:
            _around(maps.care, cell, 2)[...] = 0.0
            continue
        _splat(maps.heat[int(row[0])], cell)
        _write(maps, cell, ground, base, _turn(category, row), int(row[1]))
    for k, xy in enumerate(places):
        if np.isfinite(xy).all():
            base = np.array([xy[0], xy[1], 0.0])
            cell = project(*calibration, base) / STRIDE
            _splat(maps.heat[len(Category) + k], cell)
            _write(maps, cell, ground, base, None, None)
    for k, row in enumerate(furniture):
        if np.isfinite(row).all():
            point = row[:3].astype(np.float64)
            cell = project(*calibration, point) / STRIDE
            _splat(maps.heat[len(Category) + len(Place) + k], cell)
            _write(maps, cell, ground, point, None, None)
            _around(maps.properties[STATE], cell, 1)[...] = row[3]
            _around(maps.mask[STATE], cell, 1)[...] = 1.0
    return maps


def _turn(category: Category, row: F32) -> Turn | None:
    """Symmetry and yaw where it is worth learning: of what lies or stands as it should, and is not round."""
    symmetry = OBJECTS[category].symmetry
    upright = row[6] < 0.5
    return (symmetry, float(row[5])) if symmetry and (upright or category is Category.SPOON) else None


def _splat(heat: F32, cell: F64) -> None:
    """Draw a Gaussian around a sub-cell centre; its peak cell is exactly 1."""
    h, w = heat.shape
    across = np.exp(-((np.arange(w) + 0.5 - cell[0]) ** 2) / (2 * SIGMA_CELLS**2))
    down = np.exp(-((np.arange(h) + 0.5 - cell[1]) ** 2) / (2 * SIGMA_CELLS**2))
    bump = np.outer(down, across)
    column, row = int(cell[0]), int(cell[1])
    if 0 <= column < w and 0 <= row < h:
        bump[row, column] = 1.0
    np.maximum(heat, bump.astype(np.float32), out=heat)


def _around(array: NDArray[np.float32], cell: F64, reach: int) -> NDArray[np.float32]:
    """A view of the cells within `reach` of the one that holds `cell`."""
    column, row = int(cell[0]), int(cell[1])
    rows = slice(max(0, row - reach), max(0, row + reach + 1))
    return array[..., rows, max(0, column - reach) : max(0, column + reach + 1)]


def _write(maps: Targets, cell: F64, ground: F64, base: F64, yaw: Turn | None, colour: int | None) -> None:
    """Properties of the 3 x 3 cells around a centre; position is relative to each cell's ground point."""
    values, mask = _around(maps.properties, cell, 1), _around(maps.mask, cell, 1)
    here = _around(np.ascontiguousarray(ground.transpose(2, 0, 1)).astype(np.float32), cell, 1)
    values[XYZ][:2] = base[:2, None, None] - here
    values[XYZ][2] = base[2]
    mask[XYZ] = 1.0
    mask[YAW2], mask[YAW4], mask[COLOUR], mask[STATE] = 0.0, 0.0, 0.0, 0.0
    if yaw is not None:
        times, angle = yaw
        channels = YAW2 if times == 2 else YAW4
        values[channels] = np.array([np.cos(times * angle), np.sin(times * angle)])[:, None, None]
        mask[channels] = 1.0
    if colour is not None:
        values[COLOUR] = 0.0
        values[COLOUR][colour] = 1.0
        mask[COLOUR] = 1.0
