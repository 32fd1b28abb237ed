"""Who points, in trials of a policy: as in a command, at what the agent's own eyes have seen."""

from __future__ import annotations

from agent.perception.detector import Detector
from agent.perception.perceive import CAMERA, perceive
from agent.whereabouts import whereabouts
from scenarios.monitor_bench import skill_of
from sim.demos.episode import Stage
from sim.demos.judge import look
from sim.demos.tasks import Task
from skills.scene import Scene
from vla_low_level.policy import Instruction


class Pointer:
    """Looks before every task of one scene. Calling it is a `Tell`."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._scene: Scene | None = None
        self._names: dict[str, str] = {}

    def __call__(self, stage: Stage, task: Task, text: str) -> Instruction:
        """The words, and where it is; the words alone where that is not seen."""
        truth = look(stage.world)
        held = self._names.get(truth.held or "")
        self._scene = perceive(self._detector, stage.body.observe((CAMERA,)), self._scene, held)
        skill = skill_of(task, self._scene, truth, self._names)
        return Instruction(text, about=None if skill is None else whereabouts(skill, self._scene))
