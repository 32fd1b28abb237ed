"""The hand as the agent knows it: what it holds and how, where to grasp next, and where to let go."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agent.spots import Spot, free_spots
from skills.library import CARRYING, Pick, Put, Skill
from skills.scene import PlaceRegion, Scene, SceneObject
from vla_low_level.geometry import FINGERTIP_M, GRIPPER_STROKE_M, OBJECTS, PLACES
from vla_low_level.nouns import Category
from vla_low_level.observation import Proprioception
from vla_low_level.policies.grasps import TRAVEL_HEIGHT_M, Grasp, Obstacle, discs, ranked, room_around
from vla_low_level.policies.specialist import HOME_YAW_RAD, preferred_yaw
from vla_low_level.policy import GraspTarget, ReleaseTarget, Target
from vla_low_level.rotations import nearest_turn, wrap, yaw_of

F64 = NDArray[np.float64]

# Fingers this far closed hold nothing: the thinnest thing here, a plate's rim, keeps them further apart.
EMPTY_GRIP = 0.03
# Perception is a few millimetres off, so a little overlap on paper is none on the table.
TIGHT_M = -0.006
RELEASE_ABOVE_M = 0.008
OVER_WALL_M = 0.004
RELEASE_SLACK_M = 0.024
# A command above this lets go; below, it holds.
OPENED = 0.55
NEAR_M = 0.22
# A radian of turn counts like so much of distance, in telling one grasp from another.
TURN_COSTS_M = 0.03
SPOTS = 12
# Turn of the wrist to either side of home that keeps the last joint off its limits, with room to spare.
WRIST_REACH_RAD = 1.75
WALL_STEP_M = 0.02


@dataclass(frozen=True, slots=True)
class _Grip:
    """How the held object sits in the hand.

    Attributes:
        object: Its id.
        category: What it is.
        offset_m: float64 [2], from the tool centre point to the object's centre, in the hand's axes
            (finger axis first).
        below_m: How far its base is below the tool centre point.
        bearing_turn_rad: Yaw of the finger axis minus bearing of the arm, when it was grasped.
    """

    object: str
    category: Category
    offset_m: F64
    below_m: float
    bearing_turn_rad: float


class Hands:
    """Computes targets for skills, and keeps track of what is held by what the fingers feel."""

    def __init__(self) -> None:
        self._grip: _Grip | None = None

    @property
    def held(self) -> str | None:
        """Id of the object in the hand."""
        return self._grip.object if self._grip else None

    def let_go(self) -> None:
        """Forget what was thought to be held."""
        self._grip = None

    def target(self, skill: Pick | Put, scene: Scene, attempt: int) -> Target | None:
        """Where the fingers have to go for this skill; None when there is no way. Later attempts differ."""
        return (
            self._grasp(skill, scene, attempt)
            if isinstance(skill, Pick)
            else self._release(skill, scene, attempt)
        )

    def difficulty(self, skill: Skill, scene: Scene) -> float:
        """Smaller is easier: what is held first, then what has room around it, tall things before low."""
        if isinstance(skill, CARRYING):
            return -math.inf
        item = scene.get(skill.subject)
        if item is None:
            return math.inf
        best = _grasps(item, scene)[0]
        return -100.0 * min(best.room_m, 0.03) - OBJECTS[item.category].height_m

    def feel(self, body: Proprioception, skill: Skill, scene: Scene) -> None:
        """Take note, after an attempt, of what the fingers say. `scene` is from before it."""
        closed = body.last_command[6] < OPENED
        if not closed or body.gripper_opening < EMPTY_GRIP:
            self._grip = None
        elif isinstance(skill, Pick) and (item := scene.get(skill.object)) is not None:
            self._grip = _grip(self._nearest_grasp(body, item, scene), item)

    def _grasp(self, skill: Pick, scene: Scene, attempt: int) -> GraspTarget | None:
        item = scene.get(skill.object)
        if item is None:
            return None
        able = [grasp for grasp in _grasps(item, scene) if grasp.room_m > TIGHT_M]
        if not able:
            return None
        chosen = able[(attempt - 1) * 3 % len(able)].target
        yaw = preferred_yaw(chosen.yaw_rad, chosen.position_m, HOME_YAW_RAD)
        return replace(chosen, yaw_rad=yaw)

    def _nearest_grasp(self, body: Proprioception, item: SceneObject, scene: Scene) -> GraspTarget:
        """Of the ways to grasp it, the one that the hand is at: who grasped it lifted it straight up."""
        yaw = yaw_of(body.target_rotation)

        def off(grasp: Grasp) -> float:
            turned = abs(nearest_turn(grasp.target.yaw_rad, yaw, math.pi) - yaw)
            away = math.dist(grasp.target.position_m[:2], body.target_position_m[:2])
            return away + TURN_COSTS_M * turned

        nearest = min(_grasps(item, scene), key=off).target
        return replace(nearest, yaw_rad=nearest_turn(nearest.yaw_rad, yaw, math.pi))

    def _release(self, skill: Put, scene: Scene, attempt: int) -> ReleaseTarget | None:
        region, grip = scene.region(skill.place), self._grip
        if region is None or grip is None:
            return None
        others = [o for o in scene.objects if o.id != grip.object]
        obstacles = [d for o in others for d in discs(o.category, o.position_m, o.yaw_rad)] + walls(region)
        ways = _ways(grip, region, free_spots(region, grip.category, others)[:SPOTS], obstacles)
        return ways[min(attempt - 1, len(ways) - 1)] if ways else None


def _ways(
    grip: _Grip, region: PlaceRegion, spots: Sequence[Spot], obstacles: Sequence[Obstacle]
) -> list[ReleaseTarget]:
    """Ways to let go, best first: low ones in the order of their spots, then those that must drop it."""
    low: list[ReleaseTarget] = []
    high: list[ReleaseTarget] = []
    width = OBJECTS[grip.category].grasp_width_m + RELEASE_SLACK_M
    opening = min(1.0, max(OPENED, width / GRIPPER_STROKE_M))
    for spot in spots:
        for yaw in _release_yaws(grip, region, spot):
            at = _tool_over(spot, grip, yaw, PLACES[region.place].wall_height_m)
            if room_around(at, yaw, obstacles, opening * GRIPPER_STROKE_M) > 0.0:
                low.append(_release_at(at, yaw, opening))
                break
        else:
            yaw = _release_yaws(grip, region, spot)[0]
            above = max(d.top_m for d in obstacles) + FINGERTIP_M + OVER_WALL_M
            at = _tool_over(spot, grip, yaw, PLACES[region.place].wall_height_m)
            at[2] = max(float(at[2]), above)
            high.append(_release_at(at, yaw, opening))
    high.sort(key=lambda way: float(way.position_m[2]))
    return low + high


def _release_at(at: F64, yaw: float, opening: float) -> ReleaseTarget:
    return ReleaseTarget(at, yaw, max(TRAVEL_HEIGHT_M, float(at[2]) + 0.1), opening)


def _tool_over(spot: Spot, grip: _Grip, yaw: float, wall_top_m: float) -> F64:
    """Where the tool has to be for the object's centre to be over the spot, just above what it stands on."""
    c, s = math.cos(yaw), math.sin(yaw)
    x = spot.x_m - (c * grip.offset_m[0] - s * grip.offset_m[1])
    y = spot.y_m - (s * grip.offset_m[0] + c * grip.offset_m[1])
    z = spot.support_m + grip.below_m + RELEASE_ABOVE_M
    if OBJECTS[grip.category].height_m < wall_top_m:
        # Lower than the walls: let it fall the last centimetres, rather than bring the fingers between them.
        z = max(z, wall_top_m + FINGERTIP_M + OVER_WALL_M)
    return np.array([x, y, z])


def _grip(target: GraspTarget, item: SceneObject) -> _Grip:
    dx, dy = (item.position_m[k] - float(target.position_m[k]) for k in (0, 1))
    c, s = math.cos(target.yaw_rad), math.sin(target.yaw_rad)
    bearing = math.atan2(float(target.position_m[1]), float(target.position_m[0]))
    return _Grip(
        object=item.id,
        category=item.category,
        offset_m=np.array([c * dx + s * dy, -s * dx + c * dy]),
        below_m=float(target.position_m[2]) - item.position_m[2],
        bearing_turn_rad=target.yaw_rad - bearing,
    )


def _release_yaws(grip: _Grip, region: PlaceRegion, spot: Spot) -> list[float]:
    """Turn with the arm, so that the wrist need not, or near that; long things lie along the fixture."""
    carried = grip.bearing_turn_rad + math.atan2(spot.y_m, spot.x_m)
    if grip.category is Category.SPOON:
        near = nearest_turn(region.long_axis_rad + math.pi / 2, carried, math.pi) - carried
        # The two ends of a spoon are alike here, the two ends of the wrist's range are not.
        wound = abs(wrap(grip.bearing_turn_rad - HOME_YAW_RAD) + near) > WRIST_REACH_RAD
        return [carried + near - (math.copysign(math.pi, near) if wound else 0.0)]
    turns = sorted((k * math.pi / 12 for k in range(-6, 7)), key=abs)
    wrist = grip.bearing_turn_rad - HOME_YAW_RAD
    return [carried + turn for turn in turns if abs(wrap(wrist) + turn) <= WRIST_REACH_RAD]


def _grasps(item: SceneObject, scene: Scene) -> list[Grasp]:
    """All grasps of an object among its neighbours, best first."""
    obstacles = [
        disc
        for other in scene.objects
        if other.id not in (item.id, scene.held)
        for disc in discs(other.category, other.position_m, other.yaw_rad)
    ]
    obstacles += [wall for region in scene.places for wall in walls(region)]
    x, y = item.position_m[:2]
    near = [d for d in obstacles if math.dist((x, y), (d.x_m, d.y_m)) < NEAR_M + d.radius_m]
    return ranked(item.category, item.position_m, item.yaw_rad, near)


def walls(region: PlaceRegion) -> list[Obstacle]:
    """A fixture's walls as a row of small discs."""
    size = PLACES[region.place]
    half = [h + size.wall_thickness_m / 2 for h in region.half_extent_m]
    corners = [(half[0], half[1]), (-half[0], half[1]), (-half[0], -half[1]), (half[0], -half[1])]
    points = []
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        count = max(1, round(math.dist((ax, ay), (bx, by)) / WALL_STEP_M))
        points += [(ax + (bx - ax) * k / count, ay + (by - ay) * k / count) for k in range(count)]
    c, s = math.cos(region.yaw_rad), math.sin(region.yaw_rad)
    x, y, _ = region.centre_m
    radius, top = size.wall_thickness_m / 2, size.wall_height_m
    return [Obstacle(x + c * px - s * py, y + s * px + c * py, radius, top) for px, py in points]
