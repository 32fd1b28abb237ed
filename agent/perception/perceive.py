"""From detections to a scene: stable names, and which fixture each object lies in."""

from __future__ import annotations

import math

from agent.perception.detector import DetectedFurniture, DetectedObject, Detections, Detector
from skills.scene import PlaceRegion, Scene, SceneObject, SeenDrawer, SeenLamp
from vla_low_level.geometry import DRAWER_TRAVEL_M, OBJECTS, PLACES, PLATE_TOP_M
from vla_low_level.nouns import Category, Furniture, Place
from vla_low_level.observation import Observation

CAMERA = "overhead"
# What is in a fixture has its middle further inside of the walls than this; on a rim it may look as if it
# were in. Long ones lean over the walls, and their middle with them: so far out they still count as inside.
INSIDE_M, LEANING_M = 0.006, 0.012
# An object stands on another when its base is this near to the other's top, and over its middle.
SUPPORT_M = {Category.CUBE: OBJECTS[Category.CUBE].height_m, Category.PLATE: PLATE_TOP_M}
ON_M = 0.012
ON_SHARE = 0.75


def perceive(detector: Detector, observation: Observation, previous: Scene | None, held: str | None) -> Scene:
    """The scene in an observation of the overhead camera.

    Args:
        detector: The network.
        observation: Must hold the overhead camera's image.
        previous: The scene before; objects keep their ids from it.
        held: Id of the object in the hand; it stays in the scene with what was known of it.
    """
    found = detector.detect(observation.images[CAMERA])
    regions = tuple(_region(place.place, place.centre_m) for place in found.places)
    known = previous.objects if previous else ()
    kept = tuple(o for o in known if o.id == held)
    names = _names(found, tuple(o for o in known if o.id != held), {o.id for o in known})
    objects = tuple(
        _scene_object(item, name, regions) for item, name in zip(found.objects, names, strict=True)
    )
    resting = tuple(item.model_copy(update={"on": _support(item, objects)}) for item in objects)
    furniture = {item.kind: item for item in found.furniture}
    return Scene(
        objects=(*kept, *sorted(resting, key=lambda o: o.id)),
        places=regions,
        drawer=_drawer(furniture.get(Furniture.DRAWER)),
        lamp=_lamp(furniture.get(Furniture.LAMP)),
        held=held if kept else None,
        observation_sequence=observation.sequence,
    )


def _support(item: SceneObject, others: tuple[SceneObject, ...]) -> str | None:
    """Id of the object that it stands on: a plate or cube whose top is where its base is."""
    for other in others:
        top = SUPPORT_M.get(other.category)
        if top is None or other.id == item.id:
            continue
        level = abs(item.position_m[2] - other.position_m[2] - top) < ON_M
        near = math.dist(item.position_m[:2], other.position_m[:2])
        if level and near < ON_SHARE * OBJECTS[other.category].footprint_radius_m:
            return other.id
    return None


def _drawer(found: DetectedFurniture | None) -> SeenDrawer | None:
    if found is None:
        return None
    return SeenDrawer(handle_m=found.point_m, opening_m=min(DRAWER_TRAVEL_M, max(0.0, found.state)))


def _lamp(found: DetectedFurniture | None) -> SeenLamp | None:
    return None if found is None else SeenLamp(button_m=found.point_m, lit=found.state > 0.5)


def _region(place: Place, centre_m: tuple[float, float]) -> PlaceRegion:
    size = PLACES[place]
    return PlaceRegion(place=place, centre_m=(*centre_m, size.floor_m), half_extent_m=size.half_extent_m)


def _names(found: Detections, known: tuple[SceneObject, ...], taken: set[str]) -> list[str]:
    """An id for each detection: that of the nearest known thing of the same looks, else a new one."""
    names: list[str | None] = [None] * len(found.objects)
    free = list(known)
    pairs = sorted(
        (math.dist(item.position_m[:2], old.position_m[:2]), k, old.id)
        for k, item in enumerate(found.objects)
        for old in free
        if (item.category, item.colour) == (old.category, old.colour)
    )
    used: set[str] = set()
    # Near pairs first, so that one that stayed keeps its name and the one that moved gets what is left.
    for _, k, name in pairs:
        if names[k] is None and name not in used:
            names[k] = name
            used.add(name)
    return [name or _new_name(item, taken) for name, item in zip(names, found.objects, strict=True)]


def _new_name(item: DetectedObject, taken: set[str]) -> str:
    """`red_cup_1`, `red_cup_2`, ...: never one that was used before. `taken` is updated."""
    number = 1
    while (name := f"{item.colour.value}_{item.category.value}_{number}") in taken:
        number += 1
    taken.add(name)
    return name


def _scene_object(item: DetectedObject, name: str, regions: tuple[PlaceRegion, ...]) -> SceneObject:
    return SceneObject(
        id=name,
        category=item.category,
        colour=item.colour,
        position_m=item.position_m,
        yaw_rad=item.yaw_rad,
        place=place_of(item.category, item.position_m, regions),
        confidence=min(1.0, item.confidence),
    )


def place_of(
    category: Category, position_m: tuple[float, float, float], regions: tuple[PlaceRegion, ...]
) -> Place | None:
    """The fixture that holds a thing; what lies on a rim or leans on it from outside is in none."""
    margin_m = -LEANING_M if category is Category.SPOON else INSIDE_M
    for region in regions:
        dx, dy = (position_m[k] - region.centre_m[k] for k in (0, 1))
        c, s = math.cos(region.yaw_rad), math.sin(region.yaw_rad)
        along, across = abs(c * dx + s * dy), abs(-s * dx + c * dy)
        if along <= region.half_extent_m[0] - margin_m and across <= region.half_extent_m[1] - margin_m:
            return region.place
    return None
