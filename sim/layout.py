"""Where things stand: what a scene leaves open, drawn from a seed so that nothing is in the way."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sim.scene import (
    AREA_X_M,
    AREA_Y_M,
    BUTTON_M,
    CABINET_M,
    JITTER_M,
    SLOTS,
    ObjectSpec,
    PlacedDrawer,
    PlacedLamp,
    PlacedObject,
    PlacedPlace,
    PlacedScene,
    PlaceSpec,
    SceneSpec,
)
from traces.errors import TandemError
from vla_low_level.geometry import (
    BUTTON_BASE_M,
    CABINET_SIZE_M,
    DRAWER_TRAVEL_M,
    HAND_HALF_LENGTH_M,
    HAND_HALF_WIDTH_M,
    LAMP_OFFSET_M,
    OBJECTS,
    PLACES,
)
from vla_low_level.nouns import Category, Colour, Place

GAP_M = 0.030
TALL_M = 0.06
TALL_GAP_M = 0.045
WALL_GAP_M = 0.035
# Between a fixture and what moves beside it.
CLEARANCE_M = 0.001
TRIES = 150
LAYOUTS = 400


def resolve(spec: SceneSpec, seed: int) -> PlacedScene:
    """Draw what the scene leaves open. The same spec and seed give the same placement.

    Raises:
        TandemError: `SCENE_FULL` when the objects do not fit, `SCENE_INVALID` when furniture and a fixture
            were given positions that block each other.
    """
    rng = np.random.default_rng([seed, 0x5CE7E])
    drawer, lamp = _place_furniture(spec)
    swept = _swept(drawer, lamp)
    places = _place_fixtures(spec, rng, swept)
    # Large footprints first: small ones still fit in between.
    kinds = sorted(_draw_kinds(spec, rng), key=lambda k: -OBJECTS[_category(k)].footprint_radius_m)
    placed = _place_objects(kinds, _KeepOut(places, swept), rng)
    azimuth, height = rng.uniform(-math.pi, math.pi), rng.uniform(1.2, 2.0)
    light = spec.light or (math.cos(azimuth), math.sin(azimuth), height)
    return PlacedScene(seed=seed, objects=tuple(placed), places=places, light=light, drawer=drawer, lamp=lamp)


def _place_furniture(spec: SceneSpec) -> tuple[PlacedDrawer | None, PlacedLamp | None]:
    drawer, lamp = spec.drawer, spec.lamp
    return (
        PlacedDrawer(position_m=drawer.position or CABINET_M, opening_m=drawer.opening) if drawer else None,
        PlacedLamp(position_m=lamp.position or BUTTON_M, lit=lamp.lit) if lamp else None,
    )


@dataclass(frozen=True, slots=True)
class Rectangle:
    """An upright rectangle on the table: centre and half extents, m."""

    centre_m: tuple[float, float]
    half_m: tuple[float, float]


@dataclass(frozen=True, slots=True)
class _KeepOut:
    """Where objects may not start: fixtures, and what furniture and its moving parts sweep."""

    places: tuple[PlacedPlace, ...]
    swept: tuple[Rectangle, ...]


def _swept(drawer: PlacedDrawer | None, lamp: PlacedLamp | None) -> tuple[Rectangle, ...]:
    """The cabinet with its drawer pulled out, the button and the lamp, and the hand that works them.

    The hand lies along x there, which is the way between the drawer's handle and its front.
    """
    found = []
    hand = (HAND_HALF_LENGTH_M, HAND_HALF_WIDTH_M)
    if drawer:
        x, y = drawer.position_m
        depth, width, _ = CABINET_SIZE_M
        handle = drawer.handle_m[0]
        far = handle - DRAWER_TRAVEL_M
        found.append(Rectangle((x - DRAWER_TRAVEL_M / 2, y), ((depth + DRAWER_TRAVEL_M) / 2, width / 2)))
        found.append(Rectangle(((handle + far) / 2, y), ((handle - far) / 2 + hand[0], hand[1])))
    if lamp:
        x, y = lamp.position_m
        dx, dy = LAMP_OFFSET_M
        half = BUTTON_BASE_M[0] / 2
        found.append(Rectangle((x + dx / 2, y + dy / 2), (half + abs(dx) / 2, half + abs(dy) / 2)))
        found.append(Rectangle((x, y), hand))
    return tuple(found)


def _category(kind: ObjectSpec) -> Category:
    if kind.category is None:
        raise TandemError("SCENE_INVALID", "an object has no category", fix="give it one")
    return kind.category


def _draw_kinds(spec: SceneSpec, rng: np.random.Generator) -> list[ObjectSpec]:
    """Categories and colours of everything on the table."""
    asked = spec.objects or (ObjectSpec(),) * int(rng.integers(spec.count[0], max(spec.count) + 1))
    most = {Category.PLATE: 2, Category.SPOON: 3, Category.BOTTLE: 3, Category.CUP: 4, Category.CUBE: 4}
    for kind in asked:
        if kind.category is not None:
            most[kind.category] -= 1
    kinds = []
    for kind in asked:
        free = [c for c in Category if most[c] > 0]
        category = kind.category
        if category is None:
            category = free[int(rng.integers(len(free)))]
            most[category] -= 1
        colour = kind.colour or list(Colour)[int(rng.integers(len(Colour)))]
        kinds.append(kind.model_copy(update={"category": category, "colour": colour}))
    return kinds


def _place_fixtures(
    spec: SceneSpec, rng: np.random.Generator, swept: tuple[Rectangle, ...]
) -> tuple[PlacedPlace, ...]:
    wanted = spec.places or tuple(PlaceSpec(place=place) for place in Place)
    fixtures = []
    for item in wanted:
        jitter = rng.uniform(-JITTER_M, JITTER_M, 2)
        x, y = item.position or (SLOTS[item.place][0] + jitter[0], SLOTS[item.place][1] + jitter[1])
        fixture = PlacedPlace(place=item.place, position_m=(float(x), float(y)))
        for box in swept:
            fixture = _aside(fixture, box, given=item.position is not None)
        fixtures.append(fixture)
    return tuple(fixtures)


def _aside(fixture: PlacedPlace, box: Rectangle, *, given: bool) -> PlacedPlace:
    """Moved the shortest way out of what furniture sweeps: a drawer that meets a wall cannot be shut."""
    walls = _walls(fixture)
    away = [fixture.position_m[k] - box.centre_m[k] for k in (0, 1)]
    short = [walls.half_m[k] + box.half_m[k] + CLEARANCE_M - abs(away[k]) for k in (0, 1)]
    if min(short) <= 0.0:
        return fixture
    if given:
        raise TandemError(
            "SCENE_INVALID",
            f"the {fixture.place.phrase} stands where the drawer or the lamp needs room",
            fix="move one of them",
        )
    axis = short.index(min(short))
    moved = list(fixture.position_m)
    moved[axis] += math.copysign(short[axis], away[axis])
    return fixture.model_copy(update={"position_m": (moved[0], moved[1])})


def _walls(fixture: PlacedPlace) -> Rectangle:
    """What a fixture takes up, its walls included."""
    size = PLACES[fixture.place]
    x, y = (half + size.wall_thickness_m for half in size.half_extent_m)
    return Rectangle(fixture.position_m, (x, y))


def _place_objects(
    kinds: list[ObjectSpec], keep_out: _KeepOut, rng: np.random.Generator
) -> tuple[PlacedObject, ...]:
    """Put one after the other; begin anew when the early ones leave no room for a late one."""
    stuck = ObjectSpec()
    for _ in range(LAYOUTS):
        placed: list[PlacedObject] = []
        for kind in kinds:
            found = _place_object(kind, placed, keep_out, rng)
            if found is None:
                stuck = kind
                break
            placed.append(found)
        else:
            return tuple(placed)
    raise TandemError(
        "SCENE_FULL",
        f"no room for a {_category(stuck).value} beside {len(kinds) - 1} other objects",
        fix="use fewer objects, or give positions",
    )


def _place_object(
    kind: ObjectSpec, placed: list[PlacedObject], keep_out: _KeepOut, rng: np.random.Generator
) -> PlacedObject | None:
    category, colour = _category(kind), kind.colour or Colour.RED
    number = 1 + sum((o.category, o.colour) == (category, colour) for o in placed)
    for _ in range(TRIES):
        x, y = kind.position or _draw_position(kind, category, keep_out.places, rng)
        candidate = PlacedObject(
            id=f"{colour.value}_{category.value}_{number}",
            category=category,
            colour=colour,
            position_m=(x, y, 0.001 if kind.place is None else 0.006),
            yaw_rad=kind.yaw if kind.yaw is not None else float(rng.uniform(-math.pi, math.pi)),
        )
        if kind.position or (
            all(_apart(candidate, other) for other in placed)
            and (kind.place is not None or _outside(candidate, keep_out))
        ):
            return candidate
    return None


def _draw_position(
    kind: ObjectSpec, category: Category, places: tuple[PlacedPlace, ...], rng: np.random.Generator
) -> tuple[float, float]:
    if kind.place is None:
        return float(rng.uniform(*AREA_X_M)), float(rng.uniform(*AREA_Y_M))
    fixture = next((p for p in places if p.place is kind.place), None)
    if fixture is None:
        raise TandemError("SCENE_INVALID", f"an object is in the {kind.place.phrase}, which is not there")
    half = PLACES[kind.place].half_extent_m
    room = [max(0.0, h - OBJECTS[category].footprint_radius_m) for h in half]
    return (
        fixture.position_m[0] + float(rng.uniform(-room[0], room[0])),
        fixture.position_m[1] + float(rng.uniform(-room[1], room[1])),
    )


def _apart(one: PlacedObject, other: PlacedObject) -> bool:
    """Far enough for a hand to come down between the two."""
    tall = max(OBJECTS[one.category].height_m, OBJECTS[other.category].height_m) > TALL_M
    gap = TALL_GAP_M if tall else GAP_M
    return all(math.dist(a[:2], b[:2]) > a[2] + b[2] + gap for a in _discs(one) for b in _discs(other))


def _outside(item: PlacedObject, keep_out: _KeepOut) -> bool:
    """Clear of fixtures and furniture; a thing that starts inside a wall is thrown out by the physics."""
    walls = [_walls(fixture) for fixture in keep_out.places]
    return all(_clear(disc, box) for disc in _discs(item) for box in (*walls, *keep_out.swept))


def _clear(disc: tuple[float, float, float], box: Rectangle) -> bool:
    away = (max(0.0, abs(disc[k] - box.centre_m[k]) - box.half_m[k]) for k in (0, 1))
    return math.hypot(*away) > disc[2] + WALL_GAP_M


def _discs(item: PlacedObject) -> tuple[tuple[float, float, float], ...]:
    """The footprint as discs (x, y, radius): one, or three along a spoon."""
    x, y = item.position_m[:2]
    radius = OBJECTS[item.category].footprint_radius_m
    if item.category is not Category.SPOON:
        return ((x, y, radius),)
    along = (math.cos(item.yaw_rad) * radius * 0.67, math.sin(item.yaw_rad) * radius * 0.67)
    return tuple((x + k * along[0], y + k * along[1], radius / 3) for k in (-1, 0, 1))
