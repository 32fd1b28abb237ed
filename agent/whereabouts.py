"""Where a subgoal lies in the perceived scene: where a policy may look first, and where it may not aim."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from agent.spots import free_spots
from skills.library import Pick, Push, Put, Skill, Stack
from skills.scene import Scene, SceneObject
from vla_low_level.geometry import OBJECTS, PLATE_RIM_RADIUS_M
from vla_low_level.nouns import Category
from vla_low_level.policy import Whereabouts

# What a policy's aim, and the eyes, may be off, m.
SLACK_M = 0.04
# How far from the middle of free room it is as good, m.
SPOT_M = 0.004
# How far from its middle a thing is held, m; others are held there.
HELD_OFF_M = {Category.PLATE: PLATE_RIM_RADIUS_M}


def whereabouts(skill: Skill, scene: Scene, attempt: int = 1) -> Whereabouts | None:
    """The circle on the table within which the hand must go for this; None where the scene does not say.

    Args:
        skill: What is to be done.
        scene: What is seen.
        attempt: Which try; where one spot in a fixture did not do, the next best is pointed at.
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
            return _within(skill, scene, attempt)
        case _:
            return None


def _around(item: SceneObject | None, more_m: float) -> Whereabouts | None:
    if item is None:
        return None
    centre_m, radius_m = np.array(item.position_m[:2]), _radius_m(item)
    middle_m = np.array([*centre_m, item.position_m[2] + OBJECTS[item.category].height_m / 2])
    return Whereabouts(centre_m, radius_m + more_m + SLACK_M, middle_m, radius_m)


def _within(skill: Put, scene: Scene, attempt: int) -> Whereabouts | None:
    region, item = scene.region(skill.place), scene.get(skill.object)
    if region is None or item is None:
        return None
    spots = free_spots(region, item.category, [o for o in scene.objects if o.id != item.id])
    spot = spots[min(attempt, len(spots)) - 1]
    free_m = np.array([spot.x_m, spot.y_m, spot.support_m + OBJECTS[item.category].height_m])
    reach = math.hypot(*region.half_extent_m) + _radius_m(item) + SLACK_M
    about_m = SPOT_M + HELD_OFF_M.get(item.category, 0.0)
    return Whereabouts(np.array(region.centre_m[:2]), reach, free_m, about_m)


def _radius_m(item: SceneObject | None) -> float:
    return 0.0 if item is None else OBJECTS[item.category].footprint_radius_m
