"""Objects and fixtures as PyBullet bodies: one collision shape each, or fixed links, never a compound."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pybullet as p

from sim.scene import PlacedObject, PlacedPlace, Variation
from vla_low_level.geometry import (
    BOTTLE_RADIUS_M,
    CUBE_SIDE_M,
    CUP_RADIUS_M,
    OBJECTS,
    PLACES,
    PLATE_RADIUS_M,
    PLATE_RIM_RADIUS_M,
    PLATE_RIM_THICKNESS_M,
    SPOON_LENGTH_M,
    SPOON_WIDTH_M,
)
from vla_low_level.nouns import Category, Colour, Place

Rgba = tuple[float, float, float, float]
Vector = tuple[float, float, float]

COLOURS: dict[Colour, Rgba] = {
    Colour.RED: (0.85, 0.10, 0.10, 1.0),
    Colour.GREEN: (0.10, 0.62, 0.20, 1.0),
    Colour.BLUE: (0.12, 0.28, 0.85, 1.0),
    Colour.YELLOW: (0.95, 0.85, 0.10, 1.0),
    Colour.ORANGE: (0.98, 0.48, 0.05, 1.0),
    Colour.PURPLE: (0.50, 0.15, 0.65, 1.0),
    Colour.WHITE: (0.96, 0.96, 0.96, 1.0),
}
FIXTURE_COLOURS: dict[Place, Rgba] = {
    Place.SINK: (0.55, 0.60, 0.66, 1.0),
    Place.DISH_RACK: (0.22, 0.42, 0.44, 1.0),
    Place.UTENSIL_HOLDER: (0.35, 0.24, 0.16, 1.0),
    Place.BIN: (0.16, 0.17, 0.19, 1.0),
    Place.TRAY: (0.62, 0.42, 0.24, 1.0),
}
MASS_KG = {
    Category.CUP: 0.08,
    Category.PLATE: 0.14,
    Category.SPOON: 0.06,
    Category.BOTTLE: 0.10,
    Category.CUBE: 0.06,
}
TABLE_CENTRE_M, TABLE_HALF_M = (0.42, 0.0, -0.30), (0.60, 0.85, 0.30)
RIM_SEGMENTS = 12
RIM_RAISED_M = 0.004


@dataclass(frozen=True, slots=True)
class Box:
    """A visual or solid box: half extents and centre in its body's frame, m."""

    half: Vector
    centre: Vector
    rgba: Rgba


@dataclass(frozen=True, slots=True)
class Cylinder:
    """An upright cylinder: radius, height and centre in its body's frame, m."""

    radius: float
    height: float
    centre: Vector
    rgba: Rgba


def add_table(client: int, variation: Variation) -> int:
    """The table top, its surface at z = 0."""
    shape = p.createCollisionShape(p.GEOM_BOX, halfExtents=TABLE_HALF_M, physicsClientId=client)
    look = p.createVisualShape(
        p.GEOM_BOX, halfExtents=TABLE_HALF_M, rgbaColor=(*variation.table, 1.0), physicsClientId=client
    )
    body: int = p.createMultiBody(0, shape, look, TABLE_CENTRE_M, physicsClientId=client)
    surface(client, body)
    return body


def add_object(client: int, item: PlacedObject, variation: Variation) -> int:
    """A loose object; its frame's origin is its centre of mass, `base_offset_m` above its base."""
    z = item.position_m[2] + base_offset_m(item.category)
    position = [item.position_m[0], item.position_m[1], z]
    turn = p.getQuaternionFromEuler([0, 0, item.yaw_rad])
    rgba = _tinted(COLOURS[item.colour], variation.tint)
    if item.category is Category.PLATE:
        body = _add_plate(client, position, turn, rgba)
    else:
        body = _add_single(client, item.category, position, turn, rgba)
    for link in range(-1, p.getNumJoints(body, physicsClientId=client)):
        surface(client, body, link, variation.friction)
    return body


def _tinted(rgba: Rgba, tint: Vector) -> Rgba:
    red, green, blue = (min(1.0, max(0.0, a + b)) for a, b in zip(rgba[:3], tint, strict=True))
    return red, green, blue, 1.0


def base_offset_m(category: Category) -> float:
    """Height of a body's origin above its base."""
    return 0.004 if category is Category.PLATE else OBJECTS[category].height_m / 2


def surface(client: int, body: int, link: int = -1, friction: float = 1.0) -> None:
    """How a body slides, spins and rolls; none of them ever falls asleep."""
    p.changeDynamics(
        body,
        link,
        lateralFriction=friction,
        spinningFriction=0.005,
        rollingFriction=0.001,
        activationState=p.ACTIVATION_STATE_DISABLE_SLEEPING,
        physicsClientId=client,
    )


def _add_single(client: int, category: Category, position: list[float], turn: list[float], rgba: Rgba) -> int:
    size = OBJECTS[category]
    if category is Category.CUBE:
        shape = p.createCollisionShape(p.GEOM_BOX, halfExtents=[CUBE_SIDE_M / 2] * 3, physicsClientId=client)
    elif category is Category.SPOON:
        half = [SPOON_LENGTH_M / 2, SPOON_WIDTH_M / 2, size.height_m / 2]
        shape = p.createCollisionShape(p.GEOM_BOX, halfExtents=half, physicsClientId=client)
    else:
        radius = CUP_RADIUS_M if category is Category.CUP else BOTTLE_RADIUS_M
        shape = p.createCollisionShape(
            p.GEOM_CYLINDER, radius=radius, height=size.height_m, physicsClientId=client
        )
    look = add_visual(client, looks(category, rgba))
    body: int = p.createMultiBody(MASS_KG[category], shape, look, position, turn, physicsClientId=client)
    return body


def looks(category: Category, rgba: Rgba) -> list[Box | Cylinder]:
    """What an object looks like, in its own frame. The plate is built of its links instead."""
    dark = (rgba[0] * 0.35, rgba[1] * 0.35, rgba[2] * 0.35, 1.0)
    height = OBJECTS[category].height_m
    match category:
        case Category.CUBE:
            return [Box((CUBE_SIDE_M / 2,) * 3, (0, 0, 0), rgba)]
        case Category.SPOON:
            half = SPOON_LENGTH_M / 2
            return [
                Box((half - 0.018, SPOON_WIDTH_M / 2, height / 2), (-0.018, 0, 0), rgba),
                Cylinder(0.019, height * 0.9, (half - 0.019, 0, 0), rgba),
                Cylinder(0.013, height * 0.94, (half - 0.019, 0, 0), dark),
            ]
        case Category.CUP:
            return [
                Cylinder(CUP_RADIUS_M, height, (0, 0, 0), rgba),
                Cylinder(CUP_RADIUS_M - 0.005, height + 0.001, (0, 0, 0), dark),
            ]
        case Category.BOTTLE:
            return [
                Cylinder(BOTTLE_RADIUS_M, height - 0.025, (0, 0, -0.0125), rgba),
                Cylinder(0.012, 0.025, (0, 0, height / 2 - 0.0125), rgba),
                Cylinder(0.013, 0.008, (0, 0, height / 2 - 0.003), (0.15, 0.15, 0.15, 1.0)),
            ]
        case _:
            return []


def add_visual(client: int, parts: list[Box | Cylinder]) -> int:
    """One visual shape made of several primitives."""
    boxes = [isinstance(part, Box) for part in parts]
    shape: int = p.createVisualShapeArray(
        shapeTypes=[p.GEOM_BOX if box else p.GEOM_CYLINDER for box in boxes],
        halfExtents=[list(part.half) if isinstance(part, Box) else [0, 0, 0] for part in parts],
        radii=[part.radius if isinstance(part, Cylinder) else 0.0 for part in parts],
        lengths=[part.height if isinstance(part, Cylinder) else 0.0 for part in parts],
        rgbaColors=[list(part.rgba) for part in parts],
        visualFramePositions=[list(part.centre) for part in parts],
        physicsClientId=client,
    )
    return shape


def _add_plate(client: int, position: list[float], turn: list[float], rgba: Rgba) -> int:
    """A disc with twelve fixed rim segments as links; one finger fits inside the rim."""
    disc = p.createCollisionShape(
        p.GEOM_CYLINDER, radius=PLATE_RADIUS_M - 0.002, height=0.008, physicsClientId=client
    )
    look = p.createVisualShape(
        p.GEOM_CYLINDER, radius=PLATE_RADIUS_M - 0.002, length=0.008, rgbaColor=rgba, physicsClientId=client
    )
    # The rim starts above the disc's underside: twelve more contacts with the table cost 0.4 ms a step.
    rim_height = OBJECTS[Category.PLATE].height_m - RIM_RAISED_M
    half = [PLATE_RIM_THICKNESS_M / 2, PLATE_RIM_RADIUS_M * math.tan(math.pi / RIM_SEGMENTS), rim_height / 2]
    bright = _lighter(rgba, 1.12)
    wall = p.createCollisionShape(p.GEOM_BOX, halfExtents=half, physicsClientId=client)
    wall_look = p.createVisualShape(p.GEOM_BOX, halfExtents=half, rgbaColor=bright, physicsClientId=client)
    angles = [2 * math.pi * k / RIM_SEGMENTS for k in range(RIM_SEGMENTS)]
    n = RIM_SEGMENTS
    body: int = p.createMultiBody(
        MASS_KG[Category.PLATE] - 0.006 * n,
        disc,
        look,
        position,
        turn,
        linkMasses=[0.006] * n,
        linkCollisionShapeIndices=[wall] * n,
        linkVisualShapeIndices=[wall_look] * n,
        linkPositions=[
            [
                PLATE_RIM_RADIUS_M * math.cos(a),
                PLATE_RIM_RADIUS_M * math.sin(a),
                rim_height / 2 - 0.004 + RIM_RAISED_M,
            ]
            for a in angles
        ],
        linkOrientations=[p.getQuaternionFromEuler([0, 0, a]) for a in angles],
        linkInertialFramePositions=[[0, 0, 0]] * n,
        linkInertialFrameOrientations=[[0, 0, 0, 1]] * n,
        linkParentIndices=[0] * n,
        linkJointTypes=[p.JOINT_FIXED] * n,
        linkJointAxis=[[0, 0, 1]] * n,
        physicsClientId=client,
    )
    return body


def add_place(client: int, fixture: PlacedPlace) -> list[int]:
    """A fixture: floor and four walls, static boxes; a dish rack shows ribs on its floor."""
    size, rgba = PLACES[fixture.place], FIXTURE_COLOURS[fixture.place]
    x, y = fixture.position_m
    hx, hy = size.half_extent_m
    t, wall = size.wall_thickness_m / 2, size.wall_height_m / 2
    light = _lighter(rgba, 1.25)
    boxes = [
        Box((hx + 2 * t, hy + 2 * t, size.floor_m / 2), (x, y, size.floor_m / 2), rgba),
        Box((t, hy + 2 * t, wall), (x + hx + t, y, wall), light),
        Box((t, hy + 2 * t, wall), (x - hx - t, y, wall), light),
        Box((hx, t, wall), (x, y + hy + t, wall), light),
        Box((hx, t, wall), (x, y - hy - t, wall), light),
    ]
    bodies = [_add_static(client, box) for box in boxes]
    for rib in _ribs(fixture.place, (hx, hy)):
        look = add_visual(client, [rib])
        p.createMultiBody(0, -1, look, [x, y, size.floor_m], physicsClientId=client)
    return bodies


def _lighter(rgba: Rgba, factor: float) -> Rgba:
    red, green, blue = (min(1.0, channel * factor + 0.04) for channel in rgba[:3])
    return red, green, blue, 1.0


def _ribs(place: Place, half: tuple[float, float]) -> list[Box | Cylinder]:
    """Flat decoration that tells fixtures apart."""
    steel, hole = (0.75, 0.80, 0.82, 1.0), (0.12, 0.13, 0.15, 1.0)
    if place is Place.DISH_RACK:
        return [Box((0.003, half[1], 0.0006), (half[0] * k / 4, 0, 0), steel) for k in range(-3, 4)]
    if place is Place.SINK:
        return [Cylinder(0.018, 0.001, (0, 0, 0), hole)]
    if place is Place.UTENSIL_HOLDER:
        pale = (0.55, 0.42, 0.30, 1.0)
        return [Box((0.002, half[1], 0.0006), (half[0] * k / 2, 0, 0), pale) for k in (-1, 0, 1)]
    return []


def _add_static(client: int, box: Box) -> int:
    shape = p.createCollisionShape(p.GEOM_BOX, halfExtents=box.half, physicsClientId=client)
    look = p.createVisualShape(p.GEOM_BOX, halfExtents=box.half, rgbaColor=box.rgba, physicsClientId=client)
    body: int = p.createMultiBody(0, shape, look, box.centre, physicsClientId=client)
    surface(client, body)
    return body
