"""How far one command has come, and whether it goes round in circles."""

from __future__ import annotations

import queue
from dataclasses import dataclass, field

from agent.planner.logical_form import LogicalForm
from agent.planner.protocol import Answer, Correction, History, Plan, Question, Task
from skills.predicates import State
from skills.scene import Scene
from traces.span import SpanRef

SAME_AGAIN = 4


@dataclass
class Course:
    """What has happened in this command so far."""

    instruction: str
    history: list[History] = field(default_factory=list)
    versions: int = 0
    questions: int = 0
    refuted: int = 0
    fruitless: int = 0
    steps_done: int = 0
    placed: int = 0
    retries: int = 0
    trigger: str = "initial"
    form: LogicalForm | None = None
    task: Task = ()
    seen: dict[str, int] = field(default_factory=dict)
    cause: SpanRef | None = None
    start_s: float = 0.0
    end_s: float = 0.0

    def resumed(self) -> Course:
        """What is left of it, for another command: what was understood, answered and done still counts."""
        return Course(self.instruction, list(self.history), trigger="recheck", form=self.form, task=self.task)

    def oscillates(self, scene: Scene, plan: Plan) -> bool:
        """Is this the same plan from the same state for the fourth time? Then more of it will not help."""
        state = State.of(scene)
        where = sorted((name, str(place), state.on.get(name, "")) for name, place in state.location.items())
        key = repr((where, state.held, state.drawer, state.lamp, plan.graph.as_json()))
        self.seen[key] = self.seen.get(key, 0) + 1
        if self.seen[key] < SAME_AGAIN:
            return False
        self.seen.clear()
        return True

    def asked_before(self, question: Question) -> bool:
        """Has a person answered this very question already?"""
        answers = [h.question for h in self.history if isinstance(h, Answer)]
        return any((q.text, q.options) == (question.text, question.options) for q in answers)

    def hear(self, said: queue.SimpleQueue[str]) -> None:
        """Take in what a person has said in the meantime: a reason to plan again, from the words on."""
        while not said.empty():
            self.history.append(Correction(said.get()))
            self.trigger, self.form, self.task = "human", None, ()
