"""Where a subgoal lies in the perceived scene: where a policy may look first, and where it may not aim."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from skills.library import Pick, Push, Put, Skill, Stack
from skills.scene import Scene, SceneObject
from vla_low_level.geometry import OBJECTS
from vla_low_level.policy import ReleaseTarget, Target, Whereabouts

# What a policy's aim, and the eyes, may be off, m.
SLACK_M = 0.04
# How far from where it is best let go the hand is as well, m.
SPOT_M = 0.004


def whereabouts(skill: Skill, scene: Scene, way: Target | None = None) -> Whereabouts | None:
    """The circle on the table within which the hand must go for this; None where the scene does not say.

    Args:
        skill: What is to be done.
        scene: What is seen.
        way: Where the hand would let go of what it holds; another one at every try.
    """
    match skill:
        case Pick():
            return _around(scene.get(skill.object), 0.0)
        case Push():
            about = _around(scene.get(skill.object), 0.0)
            return about and replace(about, likeliest_m=None)
        case Stack():
            return _around(scene.get(skill.base), _radius_m(scene.get(skill.object)))
        case Put():
            return _within(skill, scene, way)
        case _:
            return None


def _around(item: SceneObject | None, more_m: float) -> Whereabouts | None:
    if item is None:
        return None
    centre_m, radius_m = np.array(item.position_m[:2]), _radius_m(item)
    middle_m = np.array([*centre_m, item.position_m[2] + OBJECTS[item.category].height_m / 2])
    return Whereabouts(centre_m, radius_m + more_m + SLACK_M, middle_m, radius_m)


def _within(skill: Put, scene: Scene, way: Target | None) -> Whereabouts | None:
    region = scene.region(skill.place)
    if region is None:
        return None
    reach = math.hypot(*region.half_extent_m) + _radius_m(scene.get(skill.object)) + SLACK_M
    at_m = way.position_m if isinstance(way, ReleaseTarget) else None
    return Whereabouts(np.array(region.centre_m[:2]), reach, at_m, SPOT_M)


def _radius_m(item: SceneObject | None) -> float:
    return 0.0 if item is None else OBJECTS[item.category].footprint_radius_m
