"""Faults between pixels and scene, and of the success tests, which look through the same eyes."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import MappingProxyType

import numpy as np

from agent.perception.perceive import place_of
from agent.sight import Perceiver
from api.faults.timetable import Timetable
from sim.faults.kinds import Site
from sim.faults.spec import Fault
from skills.scene import PlaceRegion, Scene, SceneObject
from vla_low_level.nouns import Category, Colour
from vla_low_level.observation import Observation

Wrong = Callable[[Scene, Scene | None, Fault, np.random.Generator], Scene]
"""The scene that was perceived, the one before, the fault and its random numbers in; what is believed out."""

GHOST_X_M, GHOST_Y_M = (0.38, 0.58), (-0.18, 0.18)
# Perceived places of a thing that nobody touched are no further apart, m.
STAYS_M = 0.02
_LOOKS = ("category", "colour", "id")


class FaultyPerceiver:
    """A perceiver around a perceiver. Implements `Perceiver`."""

    def __init__(self, perceiver: Perceiver, times: Timetable) -> None:
        self._perceiver, self._times = perceiver, times

    def __call__(self, observation: Observation, previous: Scene | None, held: str | None) -> Scene:
        """Perceive, wrongly perhaps."""
        self._times.observe(observation.time_s)
        scene = self._perceiver(observation, previous, held)
        for fault in self._times.due(Site.PERCEIVER):
            wrong = WRONG[fault.name](scene, previous, fault, fault.stream(self._times.seed))
            if wrong != scene:
                self._times.acts(fault)
            scene = wrong
        return scene


def _label_swap(scene: Scene, _before: Scene | None, _fault: Fault, rng: np.random.Generator) -> Scene:
    """Two that lie are given each other's name and looks."""
    lying = [o for o in scene.objects if o.id != scene.held]
    if len(lying) < 2:
        return scene
    one, other = (lying[int(k)] for k in rng.permutation(len(lying))[:2])
    looks = {
        one.id: {name: getattr(other, name) for name in _LOOKS},
        other.id: {name: getattr(one, name) for name in _LOOKS},
    }
    return _changed(scene, lambda item: item.model_copy(update=looks.get(item.id, {})))


def _missed(scene: Scene, _before: Scene | None, fault: Fault, rng: np.random.Generator) -> Scene:
    """One that lies is left out: the one that is aimed at, or one that is drawn."""
    lying = [o.id for o in scene.objects if o.id != scene.held]
    if not lying:
        return scene
    gone = fault.aim or lying[int(rng.integers(len(lying)))]
    return scene.model_copy(update={"objects": tuple(o for o in scene.objects if o.id != gone)})


def _ghost(scene: Scene, _before: Scene | None, _fault: Fault, rng: np.random.Generator) -> Scene:
    """One that is not there is added; it stays where it is."""
    category = list(Category)[int(rng.integers(len(Category)))]
    colour = list(Colour)[int(rng.integers(len(Colour)))]
    at = (float(rng.uniform(*GHOST_X_M)), float(rng.uniform(*GHOST_Y_M)), 0.0)
    ghost = SceneObject(
        id=f"{colour.value}_{category.value}_9", category=category, colour=colour, position_m=at, yaw_rad=0.0
    )
    return scene.model_copy(update={"objects": (*(o for o in scene.objects if o.id != ghost.id), ghost)})


def _pose_bias(scene: Scene, _before: Scene | None, fault: Fault, rng: np.random.Generator) -> Scene:
    """Everything that lies is seen to one side of where it lies."""
    angle = float(rng.uniform(-np.pi, np.pi))
    dx, dy = fault.magnitude * math.cos(angle), fault.magnitude * math.sin(angle)

    def moved(item: SceneObject) -> SceneObject:
        x, y, z = item.position_m
        there = (x + dx, y + dy, z)
        return item.model_copy(
            update={"position_m": there, "place": place_of(item.category, there, scene.places)}
        )

    return _changed(scene, moved)


def _yaw_bias(scene: Scene, _before: Scene | None, fault: Fault, _rng: np.random.Generator) -> Scene:
    """Everything that has a direction is seen turned."""

    def turned(item: SceneObject) -> SceneObject:
        yaw = item.yaw_rad
        return item if yaw is None else item.model_copy(update={"yaw_rad": yaw + fault.magnitude})

    return _changed(scene, turned)


def _stale_check(scene: Scene, before: Scene | None, _fault: Fault, _rng: np.random.Generator) -> Scene:
    """What was seen before the motion; of the hand it is known what it holds."""
    if before is None:
        return scene
    held = scene.held if before.get(scene.held or "") else None
    return before.model_copy(update={"held": held, "observation_sequence": scene.observation_sequence})


def _loose_check(scene: Scene, _before: Scene | None, fault: Fault, _rng: np.random.Generator) -> Scene:
    """What lies beside a fixture lies in it."""

    def inside(item: SceneObject) -> SceneObject:
        near = [region for region in scene.places if _beside_m(item, region) < fault.magnitude]
        region = min(near, key=lambda r: _beside_m(item, r), default=None)
        return item.model_copy(update={"place": region.place}) if region and item.place is None else item

    return _changed(scene, inside)


def _inverted_check(scene: Scene, before: Scene | None, _fault: Fault, _rng: np.random.Generator) -> Scene:
    """What was in the hand lies in a fixture just when it does not.

    What was believed of a thing that has not been touched since is believed still.
    """

    def inverted(item: SceneObject) -> SceneObject:
        was = before.get(item.id) if before else None
        if was is None or before is None:
            return item
        if before.held == item.id:
            nearest = min(scene.places, key=lambda region: _beside_m(item, region), default=None)
            there = None if item.place or nearest is None else nearest.place
            return item.model_copy(update={"place": there})
        stays = math.dist(was.position_m[:2], item.position_m[:2]) < STAYS_M
        return item.model_copy(update={"place": was.place}) if stays else item

    return _changed(scene, inverted)


def _beside_m(item: SceneObject, region: PlaceRegion) -> float:
    """How far an object's centre is outside of a fixture's inner rectangle, m."""
    dx, dy = (item.position_m[k] - region.centre_m[k] for k in (0, 1))
    c, s = math.cos(region.yaw_rad), math.sin(region.yaw_rad)
    along, across = abs(c * dx + s * dy), abs(-s * dx + c * dy)
    return math.hypot(max(0.0, along - region.half_extent_m[0]), max(0.0, across - region.half_extent_m[1]))


def _changed(scene: Scene, change: Callable[[SceneObject], SceneObject]) -> Scene:
    """The scene with every object changed but the one in the hand, which is not seen."""
    objects = tuple(o if o.id == scene.held else change(o) for o in scene.objects)
    return scene.model_copy(update={"objects": objects})


WRONG: MappingProxyType[str, Wrong] = MappingProxyType(
    {
        "label_swap": _label_swap,
        "missed_object": _missed,
        "ghost_object": _ghost,
        "pose_bias": _pose_bias,
        "yaw_bias": _yaw_bias,
        "stale_check": _stale_check,
        "loose_check": _loose_check,
        "inverted_check": _inverted_check,
    }
)
