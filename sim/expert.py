"""The scripted expert: grasps and releases from the simulator's truth, for demonstrations and oracles.

It knows poses exactly and nothing else that a policy does not: its targets go to the same specialist,
executor and guard.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim.scene import PlacedPlace
from sim.truth import SceneTruth, TrueObject
from vla_low_level.geometry import GRIPPER_STROKE_M, OBJECTS, PLACES
from vla_low_level.nouns import Category
from vla_low_level.policies.grasps import TRAVEL_HEIGHT_M, Obstacle, discs, ranked, room_around
from vla_low_level.policies.specialist import HOME_YAW_RAD, preferred_yaw
from vla_low_level.policy import GraspTarget, ReleaseTarget
from vla_low_level.rotations import wrap

# Fingers open this much further than the object is wide; just enough, so that neighbours are not pushed.
SLACK_M = 0.024
LEAST_OPENING = 0.6
ABOVE_FLOOR_M = 0.008
SPOT_STEP_M = 0.015
# Tall things swing in the fingers, so they keep further from the walls.
TALL_M, TALL_MARGIN_M, LOW_MARGIN_M = 0.03, 0.018, 0.006
WALL_STEP_M = 0.02
CLIMB_STEP_M = 0.01
CLIMB_STEPS = 16
ENOUGH_M = 0.012
# The discs along a spoon are wider than its handle, a cube's reaches its corners: both may lie closer.
OVERLAP_M = {Category.SPOON: 0.020, Category.CUBE: 0.008}
# Of the hand against the arm's bearing, home yaw left out; the last joint's limit is 2.0 on one side.
WRIST_TURN_RAD = 1.8
# Room beyond this decides nothing in a demonstration.
NO_PREFERENCE_M = 0.012
# Room may be this negative: obstacles are drawn a little too large.
TIGHT_M = -0.004


@dataclass(frozen=True, slots=True)
class Held:
    """How an object was taken: the grasp, and the truth about the object at that moment."""

    grasp: GraspTarget
    item: TrueObject


def grasp(truth: SceneTruth, places: Sequence[PlacedPlace], object_id: str) -> Held | None:
    """The roomiest way to take an object from above; None when neighbours leave none, or it has fallen."""
    item = next(o for o in truth.objects if o.id == object_id)
    if item.fallen or item.on_floor:
        return None
    best = ranked(item.category, item.position_m, item.yaw_rad, _obstacles(truth, places, object_id))[0]
    if best.room_m < TIGHT_M:
        return None
    yaw = preferred_yaw(best.target.yaw_rad, best.target.position_m, HOME_YAW_RAD)
    return Held(GraspTarget(best.target.position_m, yaw, best.target.height_m), item)


def choose_grasp(truth: SceneTruth, places: Sequence[PlacedPlace], object_id: str) -> Held | None:
    """As `grasp`, but near equals are told apart by what a camera shows: least twist, then the inner side.

    A policy can only learn a choice that depends smoothly on what it sees.
    """
    item = next(o for o in truth.objects if o.id == object_id)
    if item.fallen or item.on_floor:
        return None
    found = ranked(item.category, item.position_m, item.yaw_rad, _obstacles(truth, places, object_id))
    roomy = [g for g in found if g.room_m >= min(found[0].room_m, NO_PREFERENCE_M) - 1e-9]
    if found[0].room_m < TIGHT_M:
        return None
    x, y = item.position_m[:2]
    natural = HOME_YAW_RAD + math.atan2(y, x)

    def cost(target: GraspTarget) -> float:
        twist = abs(wrap(2 * (target.yaw_rad - natural))) / 2
        inner = abs(float(target.position_m[1])) - abs(y)
        return twist + 2.0 * inner

    best = min((g.target for g in roomy), key=cost)
    yaw = preferred_yaw(best.yaw_rad, best.position_m, HOME_YAW_RAD)
    return Held(GraspTarget(best.position_m, yaw, best.height_m, best.opening), item)


def release(
    truth: SceneTruth,
    places: Sequence[PlacedPlace],
    held: Held,
    fixture: PlacedPlace,
    inner_m: float = 0.0,
) -> ReleaseTarget | None:
    """Where to open the fingers so that the object's centre lands on a free spot; None when there is none.

    Spots nearer to the arm's axis than `inner_m` are out of its reach.
    """
    others = [o for o in truth.objects if o.id != held.item.id and not o.on_floor]
    spots = _free_spots(held.item.category, fixture, others)
    spots = [spot for spot in spots if math.hypot(*spot) > inner_m]
    if not spots:
        return None
    obstacles = _obstacles(truth, places, held.item.id)
    yaw = _release_yaw(held, fixture, spots[0])
    return _lowest_way(held, spots[0], yaw, PLACES[fixture.place].floor_m, obstacles)


def _lowest_way(
    held: Held, spot: tuple[float, float], yaw_rad: float, floor_m: float, obstacles: Sequence[Obstacle]
) -> ReleaseTarget | None:
    """As low as hand and fingers have room; the grasp's offset turns with the hand."""
    turn = yaw_rad - held.grasp.yaw_rad
    dx, dy, below = (held.item.position_m[k] - float(held.grasp.position_m[k]) for k in range(3))
    x = spot[0] - (math.cos(turn) * dx - math.sin(turn) * dy)
    y = spot[1] - (math.sin(turn) * dx + math.cos(turn) * dy)
    width = OBJECTS[held.item.category].grasp_width_m + SLACK_M
    low = floor_m - below + ABOVE_FLOOR_M
    for k in range(CLIMB_STEPS):
        at = np.array([x, y, low + k * CLIMB_STEP_M])
        if room_around(at, yaw_rad, obstacles, width) > 0.0:
            opening = min(1.0, max(LEAST_OPENING, width / GRIPPER_STROKE_M))
            return ReleaseTarget(at, yaw_rad, max(TRAVEL_HEIGHT_M, float(at[2]) + 0.1), opening)
    return None


def _release_yaw(held: Held, fixture: PlacedPlace, spot: tuple[float, float]) -> float:
    """Turn with the arm, but stay off the wrist's limits; lay a spoon along the fixture.

    The hand may turn before the arm swings, so the wrist must bear the yaw at both ends of the way.
    """
    at = held.grasp.position_m
    start, end = math.atan2(float(at[1]), float(at[0])), math.atan2(spot[1], spot[0])
    low = HOME_YAW_RAD + max(start, end) - WRIST_TURN_RAD
    high = HOME_YAW_RAD + min(start, end) + WRIST_TURN_RAD
    carried = min(high, max(low, held.grasp.yaw_rad + end - start))
    if held.item.category is not Category.SPOON:
        return carried
    across = _long_axis_rad(fixture) + math.pi / 2
    nearest = across + math.pi * round((carried - across) / math.pi)
    ways = (nearest, nearest - math.pi, nearest + math.pi)
    # The two ends of a spoon are alike here, the two ends of the wrist's range are not.
    return min(ways, key=lambda yaw: (max(low - yaw, 0.0, yaw - high), abs(yaw - carried)))


def _long_axis_rad(fixture: PlacedPlace) -> float:
    half = PLACES[fixture.place].half_extent_m
    return 0.0 if half[0] >= half[1] else math.pi / 2


def _free_spots(
    category: Category, fixture: PlacedPlace, others: Sequence[TrueObject]
) -> list[tuple[float, float]]:
    """Spots inside the walls that touch nothing: roomy ones first, then those far from the middle."""
    least = -OVERLAP_M.get(category, 0.0)
    size, axis = OBJECTS[category], _long_axis_rad(fixture)
    margin = TALL_MARGIN_M if size.height_m > TALL_M else LOW_MARGIN_M
    reach = [size.footprint_radius_m] * 2
    if category is Category.SPOON:
        reach[0 if axis else 1] = size.grasp_width_m
    room = [max(0.0, h - r - margin) for h, r in zip(PLACES[fixture.place].half_extent_m, reach, strict=True)]
    lines = [np.linspace(-r, r, 2 * math.ceil(r / SPOT_STEP_M) + 1) for r in room]
    taken = [d for o in others for d in discs(o.category, o.position_m, o.yaw_rad)]
    found = []
    for u in lines[0]:
        for v in lines[1]:
            x, y = fixture.position_m[0] + float(u), fixture.position_m[1] + float(v)
            mine = discs(category, (x, y, 0.0), axis)
            gap = min((_gap(a, b) for a in mine for b in taken), default=math.inf)
            if gap > least:
                found.append((-round(min(gap, ENOUGH_M), 3), -round(math.hypot(u, v), 3), x, y))
    return [(x, y) for _, _, x, y in sorted(found)]


def _gap(one: Obstacle, other: Obstacle) -> float:
    return math.dist((one.x_m, one.y_m), (other.x_m, other.y_m)) - one.radius_m - other.radius_m


def _obstacles(truth: SceneTruth, places: Sequence[PlacedPlace], but: str) -> list[Obstacle]:
    """Everything that the hand must not hit: the other objects, and walls as rows of small discs."""
    loose = [o for o in truth.objects if o.id != but and not o.on_floor]
    return [d for o in loose for d in discs(o.category, o.position_m, o.yaw_rad)] + [
        wall for fixture in places for wall in _walls(fixture)
    ]


def _walls(fixture: PlacedPlace) -> list[Obstacle]:
    size = PLACES[fixture.place]
    radius = size.wall_thickness_m / 2
    hx, hy = (h + radius for h in size.half_extent_m)
    across = np.arange(-hx, hx + WALL_STEP_M, WALL_STEP_M).clip(max=hx)
    along = np.arange(-hy, hy + WALL_STEP_M, WALL_STEP_M).clip(max=hy)
    points = [(u, v) for u in across for v in (-hy, hy)] + [(u, v) for u in (-hx, hx) for v in along]
    x, y = fixture.position_m
    return [Obstacle(x + float(u), y + float(v), radius, size.wall_height_m) for u, v in points]
