"""L1 to L8 and P1 to P5 of the catalogue of faults, each in front of the real body: nothing moves unasked.

The endpoint is a real HTTP server in this process; only what it says is made up.
"""

from __future__ import annotations

import gzip
import json
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from agent.budgets import Budgets
from agent.events import Event, PlanMade
from agent.executive import Company, Executive
from agent.mind import Mind
from agent.outcome import CommandResult, Outcome
from agent.perception.detector import Detector
from agent.perception.perceive import perceive
from agent.planner.logical_form import LogicalForm
from agent.planner.openai import OpenAIPlanner
from sim.layout import resolve
from sim.robot import SimRobot
from sim.scene import ObjectSpec, SceneSpec
from skills.router import PolicyKind, Router
from tests.agent.test_bad_policy import BadPolicy
from tests.agent.test_planner_openai import Answer, Endpoint, drip, raw, says
from traces import names
from traces.errors import TandemError
from traces.reader import read_run
from traces.recorder import Recorder
from traces.verify import verify
from vla_low_level.nouns import Category, Colour
from vla_low_level.policies.specialist import SpecialistPolicy
from vla_low_level.policy import Policy
from vla_low_level.recorded_robot import RecordedRobot

CUBE = {"kind": "cube", "hue": "red"}
PUT = {"do": "put", "what": [CUBE], "to": "tray"}
GOOD = LogicalForm.model_validate({"steps": [PUT]}, strict=False).text()
TEXT = "put the red cube in the tray"
LONG = json.dumps({"steps": [PUT] * 100_000})


@contextmanager
def started() -> Iterator[SimRobot]:
    cube = ObjectSpec(category=Category.CUBE, colour=Colour.RED, position=(0.45, 0.0))
    with SimRobot.start(resolve(SceneSpec(objects=(cube,)), 0)) as robot:
        yield robot


@pytest.fixture(scope="module")
def robot() -> Iterator[SimRobot]:
    with started() as robot:
        yield robot


class Desk:
    """A person's desk: the robot, an endpoint that answers as it is told, and a record."""

    def __init__(self, robot: SimRobot, folder: Path) -> None:
        self.robot, self.folder = robot, folder
        self.company = Company()
        self.policy: Policy = SpecialistPolicy()
        self.budgets = Budgets()

    def run(self, *answers: Answer, deadline_s: float = 20.0) -> CommandResult:
        self.endpoint = Endpoint(*answers)
        planner = OpenAIPlanner(self.endpoint.url, "m", deadline_s=deadline_s)
        eyes = partial(perceive, Detector.from_pretrained())
        mind = Mind(eyes, planner, Router({PolicyKind.SPECIALIST: self.policy}))
        try:
            with Recorder.open(self.folder, {}) as recorder:
                body = RecordedRobot(self.robot, recorder)
                self.executive = Executive(body, mind, recorder, self.company, self.budgets)
                return self.executive.run(TEXT)
        finally:
            self.endpoint.server.shutdown()
            self.endpoint.server.server_close()

    def replies(self) -> list[tuple[str, str]]:
        """Finish reason and reply of each recorded exchange."""
        run = read_run(self.folder)
        spans = run.named(names.CHAT)
        blobs = [run.blobs.get(span.attributes[names.CHAT_OUTPUT_REF]) for span in spans]
        ends = [span.attributes[names.RESPONSE_FINISH][0] for span in spans]
        return [(end, blob.decode()) for end, blob in zip(ends, blobs, strict=True)]


@pytest.fixture
def desk(robot: SimRobot, tmp_path: Path) -> Desk:
    return Desk(robot, tmp_path / "run")


@pytest.fixture
def own_desk(tmp_path: Path) -> Iterator[Desk]:
    """With a robot that nobody uses after."""
    with started() as robot:
        yield Desk(robot, tmp_path / "run")


def step(**more: object) -> Answer:
    return says(json.dumps({"steps": [PUT | more]}))


HTML = b"<html>502 Bad Gateway</html>"
FAULTS: dict[str, tuple[list[Answer], str, int]] = {
    "L1 broken": ([raw(500, b"oops")], "LLM_UNAVAILABLE", 3),
    "L2 drips": ([drip], "LLM_TIMEOUT", 1),
    "L3 busy": ([raw(429, b"later", Retry_After="60")], "LLM_UNAVAILABLE", 1),
    "L3 no key": ([raw(401, b"{}")], "LLM_AUTH", 1),
    "L4 html": ([raw(200, HTML)], "LLM_BAD_RESPONSE", 1),
    "L4 no choices": ([raw(200, b'{"choices": []}')], "LLM_BAD_RESPONSE", 1),
    "L5 cut off": ([says(GOOD[:40], "length")], "PLAN_INVALID", 2),
    "L6 endless": ([says(GOOD + " " * 300)], "LLM_BAD_RESPONSE", 1),
    "L7 huge": ([raw(200, b"x" * 50_000_000)], "LLM_BAD_RESPONSE", 1),
    "L7 bomb": (
        [raw(200, gzip.compress(bytes(50_000_000)), Content_Encoding="gzip")],
        "LLM_BAD_RESPONSE",
        1,
    ),
    "L7 redirect": ([raw(302, b"", Location="http://127.0.0.1:1/")], "LLM_BAD_RESPONSE", 1),
    "P1 unknown skill": ([step(do="explode")], "PLAN_INVALID", 2),
    "P1 unknown object": ([step(what=[{"kind": "dragon"}])], "PLAN_INVALID", 2),
    "P1 extra field": ([step(force=3)], "PLAN_INVALID", 2),
    "P1 wrong type": ([step(what="the cube")], "PLAN_INVALID", 2),
    "P2 not a number": (
        [says('{"steps":[{"do":"put","what":[{"count":NaN}],"to":"tray"}]}')],
        "PLAN_INVALID",
        2,
    ),
    "P2 infinite": ([step(what=[CUBE | {"count": 1e308}])], "PLAN_INVALID", 2),
    "P2 as text": ([step(what=[CUBE | {"count": "2"}])], "PLAN_INVALID", 2),
    "P2 negative": ([step(what=[CUBE | {"count": -1}])], "PLAN_INVALID", 2),
    "P3 empty": ([says('{"steps":[]}')], "PLAN_INVALID", 2),
    "P3 too many": ([says(json.dumps({"steps": [PUT] * 9}))], "PLAN_INVALID", 2),
    "P3 a hundred thousand": ([says(LONG)], "LLM_BAD_RESPONSE", 1),
    "P4 harmful": ([says('{"refuse":"harmful"}')], "HARMFUL", 1),
    "P4 cannot stand": ([step(do="put_on", on=CUBE, to="nowhere")], "NOT_STACKABLE", 1),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_it_ends_by_name_and_nothing_has_moved(desk: Desk, fault: str) -> None:
    answers, code, requests = FAULTS[fault]
    before = desk.robot.observe()
    result = desk.run(*answers, deadline_s=2.0 if fault.startswith("L2") else 20.0)
    after = desk.robot.observe()
    refused = fault.startswith("P4")
    assert (result.outcome, result.code) == (Outcome.REFUSED if refused else Outcome.FAILED, code)
    assert result.message
    assert len(desk.endpoint.requests) == requests
    assert after.time_s == before.time_s
    np.testing.assert_array_equal(
        after.proprioception.joint_position_rad, before.proprioception.joint_position_rad
    )
    assert verify(desk.folder).ok


def test_nobody_there_and_then_left_alone(desk: Desk) -> None:
    """L1: an endpoint that fails five times is not asked again for a while, and that is told at once."""
    planner = OpenAIPlanner("http://127.0.0.1:9/v1", "m")
    scene = perceive(Detector.from_pretrained(), desk.robot.observe(("overhead",)), None, None)
    for _ in range(5):
        with pytest.raises(TandemError, match="no answer"):
            planner.plan(TEXT, scene, ())
    with pytest.raises(TandemError, match="in a row") as caught:
        planner.plan(TEXT, scene, ())
    assert caught.value.code == "LLM_UNAVAILABLE"


def test_a_rejected_reply_is_on_record_and_bounded(desk: Desk) -> None:
    """L4: what came back instead of a plan can be read afterwards."""
    desk.run(raw(200, HTML))
    assert desk.replies() == [("rejected", HTML.decode())]


def test_a_reply_that_is_too_long_is_kept_in_part(desk: Desk) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    desk.run(raw(200, b"x" * 50_000_000))
    (reply,) = desk.replies()
    assert reply == ("rejected", "x" * 64 * 1024)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 120_000  # KiB, the server's own too


def test_a_plan_that_cannot_be_stands_beside_the_one_that_repaired_it(desk: Desk) -> None:
    """P1: one repair turn, with the validator's words; both replies are on record."""
    desk.policy, desk.budgets = BadPolicy(0.0, (8, 7)), Budgets(attempts=1, fruitless=1, chunks=1)
    desk.run(says('{"steps":[]}'), says(GOOD))
    assert [end for end, _ in desk.replies()][:2] == ["stop", "stop"]
    assert "steps" in desk.endpoint.requests[1]["messages"][-1]["content"]


def test_a_server_that_dies_during_a_replan_leaves_the_arm_at_rest(own_desk: Desk) -> None:
    """L8: the running skill ends by itself; the correction cannot be planned, and the command fails."""

    def correct_once(event: Event) -> None:
        if isinstance(event, PlanMade):
            own_desk.executive.correct("no, in the sink")

    own_desk.company = Company(listener=correct_once)
    result = own_desk.run(says(GOOD), raw(500, b"gone"))
    assert (result.outcome, result.code) == (Outcome.FAILED, "LLM_UNAVAILABLE")
    assert result.steps_done == 1
    first = own_desk.robot.observe().proprioception.joint_position_rad
    np.testing.assert_allclose(own_desk.robot.observe().proprioception.joint_position_rad, first, atol=1e-6)
    assert verify(own_desk.folder).ok


def test_replanning_for_ever_ends_in_a_question(robot: SimRobot, tmp_path: Path) -> None:
    """P5: the same plan again and again, and nothing comes of it."""
    asked = threading.Event()

    def ask(question: str, _options: object) -> None:
        assert "not getting further" in question
        asked.set()

    desk = Desk(robot, tmp_path / "run")
    desk.policy, desk.budgets = BadPolicy(0.0, (8, 7)), Budgets(attempts=1, chunks=2)
    desk.company = Company(ask=ask)
    result = desk.run(says(GOOD))
    assert (result.outcome, result.code) == (Outcome.NEEDS_HELP, "NO_PROGRESS")
    assert result.replans <= Budgets().fruitless
    assert asked.is_set()
