"""Who points, in trials of a policy: as in a command, at what the agent's own eyes have seen."""

from __future__ import annotations

from agent.affordance import Hands
from agent.perception.detector import Detector
from agent.perception.perceive import CAMERA, perceive
from agent.whereabouts import whereabouts
from scenarios.monitor_bench import skill_of
from sim.demos.episode import Stage
from sim.demos.judge import look
from sim.demos.tasks import Task
from skills.library import Pick, Put
from skills.scene import Scene
from vla_low_level.policy import Instruction


class Pointer:
    """Looks before every task of one scene. Calling it is a `Tell`."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._scene: Scene | None = None
        self._names: dict[str, str] = {}
        self._hands = Hands()
        self._picked: tuple[Pick, Scene] | None = None

    def __call__(self, stage: Stage, task: Task, text: str) -> Instruction:
        """The words, and where it is; the words alone where that is not seen."""
        truth = look(stage.world)
        seen, held = stage.body.observe((CAMERA,)), self._names.get(truth.held or "")
        if self._picked is not None:
            self._hands.feel(seen.proprioception, *self._picked)
        scene = self._scene = perceive(self._detector, seen, self._scene, held)
        skill = skill_of(task, scene, truth, self._names)
        if skill is None:
            return Instruction(text)
        self._picked = (skill, scene) if isinstance(skill, Pick) else None
        way = self._hands.target(skill, scene, 1) if isinstance(skill, Put) else None
        return Instruction(text, about=whereabouts(skill, scene, way))
