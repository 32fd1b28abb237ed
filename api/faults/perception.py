"""Faults between pixels and scene."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import numpy as np

from agent.perception.perceive import place_of
from agent.sight import Perceiver
from api.faults.timetable import Timetable
from sim.faults.kinds import Site
from sim.faults.spec import Fault
from skills.scene import Scene, SceneObject
from vla_low_level.observation import Observation

Wrong = Callable[[Scene, Fault, np.random.Generator], Scene]
"""The scene that was perceived, the fault and its random numbers in; the scene that is believed out."""


class FaultyPerceiver:
    """A perceiver around a perceiver. Implements `Perceiver`."""

    def __init__(self, perceiver: Perceiver, times: Timetable) -> None:
        self._perceiver, self._times = perceiver, times

    def __call__(self, observation: Observation, previous: Scene | None, held: str | None) -> Scene:
        """Perceive, wrongly perhaps."""
        self._times.observe(observation.time_s)
        scene = self._perceiver(observation, previous, held)
        for fault in self._times.due(Site.PERCEIVER):
            wrong = WRONG[fault.name](scene, fault, self._times.stream(fault))
            if wrong != scene:
                self._times.acts(fault)
            scene = wrong
        return scene


def _pose_bias(scene: Scene, fault: Fault, rng: np.random.Generator) -> Scene:
    """Everything that lies is seen to one side of where it lies."""
    angle = rng.uniform(-np.pi, np.pi)
    way = (fault.magnitude * float(np.cos(angle)), fault.magnitude * float(np.sin(angle)))

    def moved(item: SceneObject) -> SceneObject:
        x, y, z = item.position_m
        there = (x + way[0], y + way[1], z)
        return item.model_copy(update={"position_m": there, "place": place_of(there, scene.places)})

    return _changed(scene, moved)


def _changed(scene: Scene, change: Callable[[SceneObject], SceneObject]) -> Scene:
    """The scene with every object changed but the one in the hand, which is not seen."""
    objects = tuple(o if o.id == scene.held else change(o) for o in scene.objects)
    return scene.model_copy(update={"objects": objects})


WRONG: MappingProxyType[str, Wrong] = MappingProxyType({"pose_bias": _pose_bias})
