"""Sizes of the things on a tabletop and of the hand that takes them, said once. m, rad.

The world builds bodies from them, perception turns a detection into a region, grasps are computed
from them. Nothing here is a pose.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from vla_low_level.nouns import Category, Place


@dataclass(frozen=True, slots=True)
class ObjectSize:
    """One kind of object, standing or lying as it is used.

    Attributes:
        height_m: From its base to its top.
        footprint_radius_m: Radius of the circle around its base.
        grasp_height_m: Height of the tool centre point above the base when grasping.
        grasp_width_m: Thickness between the fingers there.
        symmetry: The pose repeats after a turn of 2 pi / symmetry; 0 for round ones.
    """

    height_m: float
    footprint_radius_m: float
    grasp_height_m: float
    grasp_width_m: float
    symmetry: int


@dataclass(frozen=True, slots=True)
class PlaceSize:
    """One kind of fixture: a floor inside low walls.

    Attributes:
        half_extent_m: Half of the free inner size along its own x and y.
        wall_height_m: Above the table.
        wall_thickness_m: Added outside the inner size.
        floor_m: Height of its floor above the table.
    """

    half_extent_m: tuple[float, float]
    wall_height_m: float
    wall_thickness_m: float = 0.008
    floor_m: float = 0.004


PLATE_RADIUS_M = 0.065
PLATE_RIM_RADIUS_M = 0.060
PLATE_RIM_THICKNESS_M = 0.006
SPOON_LENGTH_M = 0.13
SPOON_WIDTH_M = 0.018
CUP_RADIUS_M = 0.030
BOTTLE_RADIUS_M = 0.0255
CUBE_SIDE_M = 0.045

OBJECTS: Mapping[Category, ObjectSize] = MappingProxyType(
    {
        Category.CUP: ObjectSize(0.080, CUP_RADIUS_M, 0.055, 2 * CUP_RADIUS_M, 0),
        Category.PLATE: ObjectSize(0.022, PLATE_RADIUS_M, 0.0185, PLATE_RIM_THICKNESS_M, 0),
        Category.SPOON: ObjectSize(0.018, SPOON_LENGTH_M / 2, 0.013, SPOON_WIDTH_M, 2),
        Category.BOTTLE: ObjectSize(0.130, BOTTLE_RADIUS_M, 0.102, 2 * BOTTLE_RADIUS_M, 0),
        Category.CUBE: ObjectSize(CUBE_SIDE_M, CUBE_SIDE_M * 0.7072, 0.022, CUBE_SIDE_M, 4),
    }
)

PLACES: Mapping[Place, PlaceSize] = MappingProxyType(
    {
        Place.SINK: PlaceSize((0.130, 0.100), 0.040),
        Place.DISH_RACK: PlaceSize((0.150, 0.085), 0.030),
        Place.UTENSIL_HOLDER: PlaceSize((0.055, 0.085), 0.025),
        Place.BIN: PlaceSize((0.085, 0.090), 0.050),
        Place.TRAY: PlaceSize((0.085, 0.095), 0.020),
    }
)

HAND_HALF_LENGTH_M = 0.102
"""Half of the hand along the finger axis."""
HAND_HALF_WIDTH_M = 0.033
"""Half of the hand across it."""
HAND_CLEARANCE_M = 0.038
"""Height of the hand's underside above the tool centre point."""
FINGERTIP_M = 0.007
"""How far the fingertips reach below the tool centre point."""
FINGER_HALF_WIDTH_M = 0.011
FINGER_THICKNESS_M = 0.015
GRIPPER_STROKE_M = 0.080
"""Distance between the fingertips when fully open."""

PLATE_TOP_M = 0.008
"""Of the floor inside a plate's rim, above its base: what stands on it stands there."""

CABINET_SIZE_M = (0.150, 0.170, 0.076)
"""Of the cabinet, along x, y, z; its drawer slides out along -x, towards the robot."""
DRAWER_TRAVEL_M = 0.120
DRAWER_OPEN_M = 0.080
"""Out further than this, a drawer is open."""
DRAWER_CLOSED_M = 0.015
"""Out less than this, it is closed."""
HANDLE_HEIGHT_M = 0.048
HANDLE_STANDOFF_M = 0.045
"""From the drawer's front to the middle of the bar."""
HANDLE_LENGTH_M = 0.060
HANDLE_THICKNESS_M = 0.010

BUTTON_BASE_M = (0.070, 0.070, 0.018)
BUTTON_RADIUS_M = 0.017
BUTTON_TOP_M = 0.032
"""Height of the cap when nobody presses it."""
BUTTON_TRAVEL_M = 0.012
BUTTON_SWITCH_M = 0.005
"""Pressed deeper than this, it switches."""
LAMP_OFFSET_M = (0.020, -0.085)
"""From the button to the lamp's foot, x and y."""
LAMP_HEIGHT_M = 0.170
LAMP_SHADE_RADIUS_M = 0.034
LAMP_SHADE_HEIGHT_M = 0.050

SIDE_Y_M = 0.150
"""Things whose centre is further out than this are at the left (y > 0) or the right side of the table."""
