"""Looking at the scene: a frame from the overhead camera, checked, perceived and recorded."""

from __future__ import annotations

from collections.abc import Callable

from agent.events import Listener, MonitorRaised, SceneSeen
from agent.fixtures import camera_moved
from agent.memory import Memory
from agent.planner.protocol import Planner, Watching
from skills.scene import Scene
from traces import names
from traces.errors import TandemError
from traces.recorder import Recorder, SpanRef
from vla_low_level.monitor import Finding, FreezeCheck, Level, check_frame
from vla_low_level.observation import Observation
from vla_low_level.recording import observation_facts
from vla_low_level.robot import Robot

CAMERA = "overhead"

Perceiver = Callable[[Observation, Scene | None, str | None], Scene]
"""Observation, the scene before it and the id of the held object in; the scene now out."""


def shown_to(planner: Planner, perceiver: Perceiver) -> Perceiver:
    """The perceiver; a planner that looks at frames itself sees each one before it is perceived."""
    if not isinstance(planner, Watching):
        return perceiver

    def perceive(observation: Observation, before: Scene | None, held: str | None) -> Scene:
        planner.see(observation.images[CAMERA].rgb)
        return perceiver(observation, before, held)

    return perceive


class Sight:
    """The agent's eyes, and what they last saw."""

    def __init__(
        self, robot: Robot, perceiver: Perceiver, recorder: Recorder, listener: Listener, memory: Memory
    ) -> None:
        """`memory` is where the scene is kept."""
        self._robot = robot
        self._perceiver = perceiver
        self._recorder = recorder
        self._listener = listener
        self._freeze = FreezeCheck()
        self._memory = memory
        self.span: SpanRef | None = None

    @property
    def scene(self) -> Scene | None:
        """What is believed; None before the first look."""
        return self._memory.scene

    def look(self, held: str | None, *, arm_in_view: bool = False) -> Scene:
        """Perceive the scene as it is now, and remember it.

        With the arm in view, what it hides is still there: only what is seen of known things is learned.

        Raises:
            TandemError: `CAMERA_BLIND`, `CAMERA_FROZEN` or `CAMERA_MOVED` when it cannot be trusted.
        """
        with self._recorder.span(names.PERCEIVE) as span:
            observation = self._robot.observe((CAMERA,))
            image = observation.images[CAMERA]
            facts = observation_facts(self._recorder, observation, (CAMERA,), depth=True)
            span.update({**facts, names.PERCEPTION_HELD: held})
            for finding in (check_frame(image), self._freeze.check(observation, CAMERA)):
                self._trust(finding)
            scene = self._perceiver(observation, self.scene, held)
            if not arm_in_view:
                self._trust(camera_moved(self.scene, scene))
            believed = _with_hidden(scene, self.scene) if arm_in_view and self.scene else scene
            self._memory.scene = believed
            span.update(
                {
                    names.PERCEIVED_REF: self._recorder.json(scene.model_dump(mode="json")),
                    names.BELIEVED_REF: self._recorder.json(believed.model_dump(mode="json")),
                    names.PERCEIVED_OBJECTS: len(scene.objects),
                }
            )
            self.span = span.ref
        self._listener(SceneSeen(believed))
        return scene

    def _trust(self, finding: Finding) -> None:
        """Refuse a frame that is no picture of the present."""
        if finding.level is not Level.OK:
            self._listener(MonitorRaised(finding.name, finding.level, finding.score, finding.threshold))
        if finding.level is not Level.ALARM:
            return
        code = {"camera_frozen_m": "CAMERA_FROZEN", "camera_moved_m": "CAMERA_MOVED"}.get(
            finding.name, "CAMERA_BLIND"
        )
        raise TandemError(
            code,
            f"the {CAMERA} camera cannot be trusted: {finding.name} is {finding.score:.3g}, "
            f"the bound is {finding.threshold:.3g}",
            fix="check that the camera is connected, lit, not covered and in its place",
        )


def _with_hidden(seen: Scene, before: Scene) -> Scene:
    """The scene before, with the new poses of those of its objects and fixtures that are seen."""
    now = {item.id: item for item in seen.objects}
    places = {region.place: region for region in seen.places}
    return seen.model_copy(
        update={
            "objects": tuple(now.get(item.id, item) for item in before.objects),
            "places": tuple(places.get(region.place, region) for region in before.places),
        }
    )
