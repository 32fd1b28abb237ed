"""A policy that misbehaves, in front of the real body, guard and recorder."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from agent.executive import Executive
from agent.mind import Mind
from agent.outcome import CommandResult, Outcome
from agent.perception.detector import Detector
from agent.perception.perceive import perceive
from agent.planner.grounder import ground
from agent.planner.logical_form import Do, LogicalForm, Step
from agent.planner.protocol import History, Plan, Question, Refusal
from sim.layout import resolve
from sim.robot import SimRobot
from sim.scene import ObjectSpec, SceneSpec
from skills.router import PolicyKind, Router
from skills.scene import Scene
from traces.recorder import Recorder
from traces.verify import verify
from vla_low_level.action import ActionChunk
from vla_low_level.nouns import Category, Colour
from vla_low_level.observation import Observation
from vla_low_level.policy import Instruction, PolicyOutput
from vla_low_level.recorded_robot import RecordedRobot


class ClearPlanner:
    planner_id = "always-clear"

    def plan(self, _words: str, scene: Scene, history: Sequence[History]) -> Plan | Question | Refusal:
        form = LogicalForm(steps=(Step(do=Do.PUT_AWAY),))
        return ground(form, scene, history)


class BadPolicy:
    policy_id = "bad"
    replan_rows = 64
    cameras: tuple[str, ...] = ()

    def __init__(self, value: float, shape: tuple[int, ...]) -> None:
        self._actions = np.full(shape, value, np.float32)

    def reset(self) -> None:
        pass

    def act(self, observation: Observation, _instruction: Instruction) -> PolicyOutput:
        chunk = ActionChunk(
            self._actions, 20.0, observation.time_s + 1, 0, self.policy_id, observation.sequence
        )
        return PolicyOutput(chunk, 0.0)


@pytest.fixture(scope="module")
def robot() -> Iterator[SimRobot]:
    cube = ObjectSpec(category=Category.CUBE, colour=Colour.RED, position=(0.45, 0.0))
    with SimRobot.start(resolve(SceneSpec(objects=(cube,)), 0)) as started:
        yield started


def run(robot: SimRobot, policy: BadPolicy, folder: Path) -> CommandResult:
    mind = Mind(
        partial(perceive, Detector.from_pretrained()), ClearPlanner(), Router({PolicyKind.GENERALIST: policy})
    )
    with Recorder.open(folder, {}) as recorder:
        return Executive(RecordedRobot(robot, recorder), mind, recorder).run("clear the table")


@pytest.mark.parametrize(
    ("value", "shape", "code"),
    [
        (float("nan"), (8, 7), "POLICY_NONFINITE"),
        (float("inf"), (8, 7), "POLICY_NONFINITE"),
        (1e30, (8, 7), "POLICY_REJECTED"),
        (0.0, (8, 6), "POLICY_CRASH"),
    ],
)
def test_nothing_moves_and_the_command_fails_by_name(
    robot: SimRobot, tmp_path: Path, value: float, shape: tuple[int, ...], code: str
) -> None:
    before = robot.observe()
    result = run(robot, BadPolicy(value, shape), tmp_path / "run")
    after = robot.observe()
    assert (result.outcome, result.code) == (Outcome.FAILED, code)
    assert "bad" in result.message
    assert result.fix
    assert after.time_s == before.time_s
    np.testing.assert_array_equal(
        after.proprioception.joint_position_rad, before.proprioception.joint_position_rad
    )
    assert verify(tmp_path / "run").ok
