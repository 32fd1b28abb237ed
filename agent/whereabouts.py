"""Where a subgoal lies in the perceived scene, so that a policy that aims elsewhere is noticed."""

from __future__ import annotations

import math

import numpy as np

from skills.library import Pick, Push, Put, Skill, Stack
from skills.scene import Scene
from vla_low_level.geometry import OBJECTS
from vla_low_level.policy import Whereabouts

# What a policy's aim, and the eyes, may be off, m.
SLACK_M = 0.04


def whereabouts(skill: Skill, scene: Scene) -> Whereabouts | None:
    """The circle on the table within which the hand must go for this; None where the scene does not say."""
    match skill:
        case Pick() | Push():
            return _around(skill.object, scene, 0.0)
        case Stack():
            return _around(skill.base, scene, _radius_m(skill.object, scene))
        case Put():
            region = scene.region(skill.place)
            if region is None:
                return None
            reach = math.hypot(*region.half_extent_m) + _radius_m(skill.object, scene)
            return Whereabouts(np.array(region.centre_m[:2]), reach + SLACK_M)
        case _:
            return None


def _around(object_id: str, scene: Scene, more_m: float) -> Whereabouts | None:
    item = scene.get(object_id)
    if item is None:
        return None
    return Whereabouts(np.array(item.position_m[:2]), _radius_m(object_id, scene) + more_m + SLACK_M)


def _radius_m(object_id: str, scene: Scene) -> float:
    item = scene.get(object_id)
    return 0.0 if item is None else OBJECTS[item.category].footprint_radius_m
