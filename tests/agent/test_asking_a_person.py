"""A question of the planner, put by the executive in front of the real body, eyes and planner."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from agent.events import Event, PlanMade
from agent.executive import Company, Executive, Mind
from agent.outcome import Outcome
from agent.perception.detector import Detector
from agent.perception.perceive import perceive
from agent.planner.embedded import EmbeddedPlanner
from agent.planner.protocol import History, Plan, Planner, Question, Refusal
from sim.layout import resolve
from sim.robot import SimRobot
from sim.scene import ObjectSpec, SceneSpec
from skills.router import PolicyKind, Router
from skills.scene import Scene
from traces import names
from traces.reader import read_run
from traces.recorder import Recorder
from vla_low_level.nouns import Category, Colour
from vla_low_level.policies.specialist import SpecialistPolicy
from vla_low_level.recorded_robot import RecordedRobot

SAID = "put the red cube in the tray"


class AlwaysUnsure:
    planner_id = "always-unsure"

    def plan(self, _words: str, _scene: Scene, _history: Sequence[History]) -> Plan | Question | Refusal:
        return Question("Which?", ("this", "that"), "AMBIGUOUS")


@pytest.fixture
def robot() -> Iterator[SimRobot]:
    spots = ((0.42, -0.15), (0.42, 0.15))
    cubes = tuple(ObjectSpec(category=Category.CUBE, colour=Colour.RED, position=spot) for spot in spots)
    with SimRobot.start(resolve(SceneSpec(objects=cubes), 3)) as started:
        yield started


def mind(planner: Planner) -> Mind:
    router = Router({PolicyKind.SPECIALIST: SpecialistPolicy()}, PolicyKind.SPECIALIST)
    return Mind(partial(perceive, Detector.from_pretrained()), planner, router)


def test_the_answer_changes_the_plan_and_the_question_is_on_record_with_its_reason(
    robot: SimRobot, tmp_path: Path
) -> None:
    asked: list[Sequence[str]] = []
    plans: list[PlanMade] = []

    def answer(_question: str, options: Sequence[str]) -> str:
        asked.append(options)
        return "red cube on the right"

    def watch(event: Event) -> None:
        if isinstance(event, PlanMade):
            plans.append(event)
            executive.cancel()

    with Recorder.open(tmp_path / "run", {}) as recorder:
        company = Company(ask=answer, listener=watch)
        executive = Executive(RecordedRobot(robot, recorder), mind(EmbeddedPlanner()), recorder, company)
        executive.run(SAID)
    assert [sorted(options) for options in asked] == [["red cube on the left", "red cube on the right"]]
    run = read_run(tmp_path / "run")
    unsure, settled = run.named(names.PLAN)[:2]
    ask = next(span for _, span in run.walk() if span.name.startswith("tandem.ask"))
    assert [link.target.span_id for link in ask.links] == [unsure.ref.span_id]
    facts = unsure.attributes
    assert facts[names.PLAN_SET_SIZE] != 1
    candidates = run.blobs.get(facts[names.PLAN_SET_REF]).decode()
    assert "put the red cube on the right in the tray" in candidates
    assert 0.0 < facts[names.PLAN_SET_THRESHOLD] < 1.0
    assert ask.attributes[names.ASK_CODE] == "AMBIGUOUS"
    assert settled.attributes[names.PLAN_DECISION] == "plan"
    history = run.blobs.get(settled.attributes[names.PLAN_HISTORY_REF]).decode()
    (chosen,) = {node.skill.subject for node in plans[0].graph.nodes}
    assert chosen in history


def test_the_same_question_is_not_put_twice(robot: SimRobot, tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(question: str, options: Sequence[str]) -> str:
        asked.append(question)
        return options[0]

    with Recorder.open(tmp_path / "run", {}) as recorder:
        company = Company(ask=answer)
        executive = Executive(RecordedRobot(robot, recorder), mind(AlwaysUnsure()), recorder, company)
        result = executive.run(SAID)
    assert asked == ["Which?"]
    assert result.outcome is Outcome.NEEDS_HELP
    assert "asked and answered before" in result.message
