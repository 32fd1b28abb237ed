"""What is really so. For demonstrations, scoring and oracles; the agent never gets it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pybullet as p
from pydantic import BaseModel, ConfigDict

from sim.bodies import base_offset_m
from sim.scene import PlacedPlace
from sim.world import World
from vla_low_level.geometry import OBJECTS, PLACES
from vla_low_level.nouns import Category, Colour, Place

UPRIGHT_COSINE = 0.9


class TrueObject(BaseModel):
    """An object as the simulator has it.

    Attributes:
        id: Its id in the placed scene.
        category: What it is.
        colour: Its colour.
        position_m: Its base centre if it stands; the point below its centre otherwise, world.
        centre_m: Its centre of mass, world.
        yaw_rad: Direction of its x axis about world z; of a cube on another face, of the next level edge.
        place: The fixture it lies in; None on the table or elsewhere.
        fallen: It does not stand as it was put. A cube stands on any face.
        on_floor: It has left the table.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    category: Category
    colour: Colour
    position_m: tuple[float, float, float]
    centre_m: tuple[float, float, float]
    yaw_rad: float
    place: Place | None
    fallen: bool
    on_floor: bool


class SceneTruth(BaseModel):
    """Every object, in the order of the placed scene."""

    model_config = ConfigDict(frozen=True)

    objects: tuple[TrueObject, ...]


def read_truth(world: World) -> SceneTruth:
    """Ask the simulator."""
    found = []
    for item in world.placed.objects:
        centre, turn = p.getBasePositionAndOrientation(world.objects[item.id], physicsClientId=world.client)
        rotation = p.getMatrixFromQuaternion(turn)
        tilts = [abs(z) for z in rotation[6:9]] if item.category is Category.CUBE else [0.0, 0.0, rotation[8]]
        fallen = max(tilts) < UPRIGHT_COSINE
        along = 1 if tilts[0] > UPRIGHT_COSINE else 0
        base = centre[2] - (
            OBJECTS[item.category].footprint_radius_m if fallen else base_offset_m(item.category)
        )
        found.append(
            TrueObject(
                id=item.id,
                category=item.category,
                colour=item.colour,
                position_m=(centre[0], centre[1], base),
                centre_m=centre,
                yaw_rad=math.atan2(rotation[3 + along], rotation[along]),
                place=place_at(world.placed.places, centre),
                fallen=fallen,
                on_floor=centre[2] < -0.02,
            )
        )
    return SceneTruth(objects=tuple(found))


def place_at(places: Sequence[PlacedPlace], point_m: tuple[float, float, float]) -> Place | None:
    """The fixture whose inner rectangle lies under a point, within the height of a pile of things."""
    for fixture in places:
        half = PLACES[fixture.place].half_extent_m
        inside = all(abs(point_m[k] - fixture.position_m[k]) <= half[k] for k in (0, 1))
        if inside and -0.02 < point_m[2] < 0.25:
            return fixture.place
    return None
