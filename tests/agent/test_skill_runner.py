"""One attempt at a subgoal on a real body, in both of its clocks."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from attempts import episode

from agent.monitoring import Mode, Monitoring, camera_sha256
from agent.skill_runner import Ended, SkillRunner
from sim.layout import resolve
from sim.robot import SimRobot
from sim.scene import ObjectSpec, SceneSpec
from skills.graph import SkillNode
from skills.library import OpenDrawer
from skills.router import PolicyKind, Route
from traces import names
from traces.reader import read_run
from traces.recorder import Recorder
from traces.verify import verify
from vla_low_level.action import ActionChunk
from vla_low_level.monitoring.calibration import Calibration, Fingerprint
from vla_low_level.monitoring.make import calibrate
from vla_low_level.nouns import Category, Colour
from vla_low_level.observation import Observation
from vla_low_level.policy import Instruction, PolicyOutput, Whereabouts
from vla_low_level.recorded_robot import RecordedRobot

STEP_M = 0.004
NODE = SkillNode(id="open", skill=OpenDrawer())


class Ambler:
    """Looks, goes on a little to one side, and is done after some chunks."""

    policy_id = "ambler"
    cameras = ("wrist",)
    replan_rows = 4

    def __init__(self, chunks: int, aim_m: tuple[float, float] = (0.5, 0.0)) -> None:
        self._chunks, self._aim_m, self.asked = chunks, aim_m, 0

    def reset(self) -> None:
        self.asked = 0

    def act(self, observation: Observation, instruction: Instruction) -> PolicyOutput:
        assert observation.images["wrist"].rgb.any()
        self.asked += 1
        rows = np.zeros((12, 7), np.float32)
        rows[:, 1], rows[:, 6] = STEP_M, 1.0
        chunk = ActionChunk(rows, 10.0, observation.time_s + 1.0, 0, self.policy_id, observation.sequence)
        features = {"target_m": np.array([*self._aim_m, 0.0], np.float32)}
        return PolicyOutput(chunk, float(self.asked >= self._chunks), features)


@pytest.fixture(params=["lockstep", "realtime"])
def clock(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def robot(clock: str) -> Iterator[SimRobot]:
    cube = ObjectSpec(category=Category.CUBE, colour=Colour.RED, position=(0.45, 0.0))
    with SimRobot.start(resolve(SceneSpec(objects=(cube,)), 0), clock=clock) as started:
        yield started


def attempt(
    robot,
    clock,
    folder,
    policy,
    about=None,
    cancelled=None,
    monitoring=None,
    *,
    skill=NODE.skill.name,
    film=None,
):
    with Recorder.open(folder, {}) as recorder:
        robot.on_work = partial(recorder.adopt, names.BODY_EXECUTE)
        runner = SkillRunner(
            RecordedRobot(robot, recorder),
            recorder,
            lambda _: None,
            cancelled or threading.Event(),
            max_chunks=60,
            clock=clock,
        )
        runner.watch_with(monitoring or Monitoring())
        if film is not None:
            runner.film(film)
        route = Route(policy, PolicyKind.GENERALIST, "test", "go left")
        with recorder.span("execute_tool test"):
            return runner.run(
                NODE, route, Instruction("go left", about=about), seen=None, carrying=False, skill=skill
            )


def chunk_spans(folder):
    return [span for _, span in read_run(folder).walk() if span.name.startswith("chunk ")]


def test_chunks_follow_each_other_until_the_policy_is_done(robot, clock, tmp_path) -> None:
    before = robot.observe().proprioception.ee_position_m
    done = attempt(robot, clock, tmp_path / "run", Ambler(5))
    after = robot.observe().proprioception.ee_position_m
    assert done.ended is Ended.DONE
    assert done.lowest_m is not None
    assert after[1] - before[1] > 5 * STEP_M
    assert verify(tmp_path / "run").ok
    spans = chunk_spans(tmp_path / "run")
    assert len(done.chunks) == len(spans) >= 5
    overlaps = sum(b.start_ns < (a.end_ns or 0) for a, b in pairwise(spans))
    # In lockstep the next begins when one is over; in real time it is thought of and sent before.
    assert (overlaps == 0) if clock == "lockstep" else (overlaps > 0)
    if clock == "lockstep":
        assert [[child.name for child in span.children] for span in spans] == [[names.BODY_EXECUTE]] * len(
            spans
        )


def test_a_policy_that_aims_elsewhere_gets_no_second_chunk(robot, clock, tmp_path) -> None:
    about = Whereabouts(np.array([0.45, -0.45]), 0.07)
    stopped = attempt(robot, clock, tmp_path / "run", Ambler(50, aim_m=(0.5, 0.3)), about)
    assert stopped.ended is Ended.ALARM
    assert stopped.finding is not None
    assert (stopped.finding.name, round(stopped.finding.threshold, 2)) == ("aim_m", 0.07)
    assert len(chunk_spans(tmp_path / "run")) == 1
    assert verify(tmp_path / "run").ok
    logs = [log for span in chunk_spans(tmp_path / "run") for log in span.logs]
    assert clock == "realtime" or names.ALARM in [log.name for log in logs]


def test_who_cancels_before_it_begins_moves_nothing(robot, clock, tmp_path) -> None:
    cancelled = threading.Event()
    cancelled.set()
    policy = Ambler(5)
    assert attempt(robot, clock, tmp_path / "run", policy, cancelled=cancelled).ended is Ended.CANCELLED
    assert policy.asked == 0


def calibration(robot, most: float) -> Calibration:
    """Of something like the ambler: everything above `most` is to be stopped."""
    image = robot.observe(("wrist",)).images["wrist"]
    known = {"wrist": camera_sha256(image.depth_m.shape, image.intrinsics)}
    good = [replace(episode(k), skill="open_drawer") for k in range(40)]
    made = calibrate(good[:20], good[20:], Fingerprint(policy="ambler", cameras=known, controller=""))
    return replace(made, card=made.card.model_copy(update={"scores": (most,) * 20}))


@pytest.mark.parametrize("clock", ["lockstep"], indirect=True)
@pytest.mark.parametrize(("mode", "ended"), [(Mode.ACT, Ended.ALARM), (Mode.WATCH, Ended.DONE)])
def test_a_calibrated_alarm_holds_the_arm_and_names_its_score(robot, clock, tmp_path, mode, ended) -> None:
    watched = Monitoring(mode, {PolicyKind.GENERALIST: calibration(robot, -100.0)})
    done = attempt(robot, clock, tmp_path / "run", Ambler(4), monitoring=watched)
    assert done.ended is ended
    assert done.score is not None
    logs = [
        log for _, span in read_run(tmp_path / "run").walk() for log in span.logs if log.name == names.ALARM
    ]
    assert logs
    told = logs[0].attributes
    assert str(told[names.MONITOR_NAME]).startswith("monitor_")
    assert float(told[names.MONITOR_SCORE]) > float(told[names.MONITOR_THRESHOLD]) == -100.0
    # What alarms before it is sent never moves the arm.
    assert len(chunk_spans(tmp_path / "run")) == (0 if mode is Mode.ACT else 4)


@pytest.mark.parametrize("clock", ["lockstep"], indirect=True)
def test_an_attempt_that_is_filmed_is_watched_all_the_same(robot, clock, tmp_path) -> None:
    frames = []
    watched = Monitoring(Mode.ACT, {PolicyKind.GENERALIST: calibration(robot, -100.0)})
    told = {"monitoring": watched, "film": lambda frame, _: frames.append(frame.shape)}
    assert attempt(robot, clock, tmp_path / "run", Ambler(4), **told).ended is Ended.ALARM
    assert frames


@pytest.mark.parametrize("clock", ["lockstep"], indirect=True)
def test_compared_with_nothing_an_attempt_is_under_plain_limits(robot, clock, tmp_path) -> None:
    watched = Monitoring(Mode.ACT, {PolicyKind.GENERALIST: calibration(robot, -100.0)})
    done = attempt(robot, clock, tmp_path / "run", Ambler(4), monitoring=watched, skill=None)
    assert done.ended is Ended.DONE
    assert done.score is None


@pytest.mark.parametrize("clock", ["lockstep"], indirect=True)
def test_a_calibration_of_other_cameras_is_not_used_and_that_is_said(robot, clock, tmp_path) -> None:
    other = calibration(robot, -100.0)
    card = other.card.fingerprint.model_copy(update={"cameras": {"wrist": "another"}})
    other = replace(other, card=other.card.model_copy(update={"fingerprint": card}))
    done = attempt(
        *(robot, clock, tmp_path / "run", Ambler(3)),
        monitoring=Monitoring(Mode.ACT, {PolicyKind.GENERALIST: other}),
    )
    assert done.ended is Ended.DONE
    assert done.score is None
    told = [log.attributes for span in chunk_spans(tmp_path / "run") for log in span.logs]
    assert [a[names.MONITOR_NAME] for a in told if names.MONITOR_NAME in a] == ["monitor_cameras"]
