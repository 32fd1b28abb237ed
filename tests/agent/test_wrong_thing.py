"""A policy that takes another thing than it was told to, in front of the real body, eyes and executive."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from agent.executive import Executive
from agent.mind import Mind
from agent.outcome import Outcome
from agent.perception.detector import Detector
from agent.perception.perceive import perceive
from agent.planner.grounder import ground
from agent.planner.logical_form import Do, Hue, Kind, LogicalForm, Selector, Step, To
from agent.planner.protocol import History, Plan, Question, Refusal
from sim.layout import resolve
from sim.robot import SimRobot
from sim.scene import ObjectSpec, SceneSpec
from skills.router import PolicyKind, Router
from skills.scene import Scene
from traces.recorder import Recorder
from vla_low_level.nouns import Category, Colour
from vla_low_level.observation import Observation
from vla_low_level.policies.specialist import SpecialistPolicy
from vla_low_level.policy import GraspTarget, Instruction, PolicyOutput
from vla_low_level.recorded_robot import RecordedRobot

RED_M, BLUE_M = (0.42, -0.10), (0.42, 0.12)


class PutRedAway:
    planner_id = "red-in-the-tray"

    def plan(self, _words: str, scene: Scene, history: Sequence[History]) -> Plan | Question | Refusal:
        red_cube = Selector(kind=Kind("cube"), hue=Hue("red"))
        form = LogicalForm(steps=(Step(do=Do.PUT, what=(red_cube,), to=To("tray")),))
        return ground(form, scene, history)


class Confused:
    """Takes the blue cube when it is first told to take the red one; afterwards it does as told."""

    policy_id = "confused"
    cameras: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._hand = SpecialistPolicy()
        self.replan_rows = self._hand.replan_rows
        self._picks = 0
        self._target: GraspTarget | None = None

    def reset(self) -> None:
        self._hand.reset()
        self._target = None

    def act(self, observation: Observation, instruction: Instruction) -> PolicyOutput:
        if self._target is None:
            self._picks += 1
            x, y = BLUE_M if self._picks == 1 else RED_M
            self._target = GraspTarget(np.array([x, y, 0.022]), 0.0, 0.2)
        return self._hand.act(observation, Instruction(instruction.text, self._target))


@pytest.fixture
def robot():
    cubes = (
        ObjectSpec(category=Category.CUBE, colour=Colour.RED, position=RED_M),
        ObjectSpec(category=Category.CUBE, colour=Colour.BLUE, position=BLUE_M),
    )
    with SimRobot.start(resolve(SceneSpec(objects=cubes), 3), privileged=True) as started:
        yield started


def test_what_was_taken_by_mistake_is_put_back_where_it_was(robot: SimRobot, tmp_path: Path) -> None:
    confused = Confused()
    policies = {PolicyKind.SPECIALIST: SpecialistPolicy(), PolicyKind.GENERALIST: confused}

    class OnlyPicks(Router):
        def route(self, skill, scene, attempt=1):
            kind = PolicyKind.GENERALIST if skill.name == "pick" else PolicyKind.SPECIALIST
            return Router(policies, kind).route(skill, scene, attempt)

    mind = Mind(partial(perceive, Detector.from_pretrained()), PutRedAway(), OnlyPicks(policies))
    before = {item.id: item.position_m for item in robot.truth().objects}
    with Recorder.open(tmp_path / "run", {}) as recorder:
        result = Executive(RecordedRobot(robot, recorder), mind, recorder).run("put the red cube in the tray")
    assert result.outcome is Outcome.SUCCEEDED, result.message
    assert result.retries == 1
    after = {item.id: item for item in robot.truth().objects}
    moved = np.subtract(after["blue_cube_1"].position_m, before["blue_cube_1"])
    assert np.linalg.norm(moved) < 0.02
    assert after["red_cube_1"].place == "tray"
