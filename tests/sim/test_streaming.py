"""The streaming door of a real body process. What needs no process is tested in `tests/vla_low_level`."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest

from sim.layout import resolve
from sim.messages import from_progress, to_progress
from sim.robot import SimRobot
from sim.scene import SceneSpec
from traces.errors import TandemError
from vla_low_level.action import ActionChunk
from vla_low_level.chunk_executor import ChunkExecutor
from vla_low_level.observation import Observation
from vla_low_level.policy import Instruction, PolicyOutput
from vla_low_level.robot import Decision, Ended, ExecutionReport, Progress, StreamingRobot, Verdict
from vla_low_level.wire import Decoder, encode

PLACED = resolve(SceneSpec(), 1)


class Slow:
    """Goes left, and takes its time to say so."""

    policy_id, cameras, replan_rows = "slow", (), 4

    def reset(self) -> None: ...

    def act(self, observation: Observation, instruction: Instruction) -> PolicyOutput:
        time.sleep(0.03)
        rows = np.zeros((16, 7), np.float32)
        rows[:, 1], rows[:, 6] = 0.003, 1.0
        expires_s = observation.time_s + 10.0
        return PolicyOutput(ActionChunk(rows, 10.0, expires_s, 0, "slow", observation.sequence), 0.0)


@pytest.fixture(scope="module")
def body() -> Iterator[SimRobot]:
    with SimRobot.start(PLACED, clock="realtime") as robot:
        robot.observe()
        yield robot


def test_the_arm_keeps_moving_while_the_policy_thinks_and_a_stop_ends_it(body: SimRobot) -> None:
    robot: StreamingRobot = body
    begin_m = robot.observe().proprioception.ee_position_m
    done = []
    for executed in ChunkExecutor(robot, Slow(), "realtime").run(Instruction("go left")):
        done.append(executed)
        if len(done) == 3:
            robot.stop("test")
    assert [one.report.verdict.decision for one in done[:3]] == [Decision.PASS] * 3
    assert (done[-1].report.latched, done[-1].report.verdict.decision) == (True, Decision.STOP)
    assert robot.observe().proprioception.ee_position_m[1] - begin_m[1] > 0.02
    robot.reset("test")
    assert robot.observe().time_s > done[0].began_s


def test_after_a_stream_a_chunk_can_be_executed_as_before(body: SimRobot) -> None:
    body.reset("test")
    rows = np.zeros((2, 7), np.float32)
    rows[:, 6] = 1.0
    expires_s = time.monotonic() + 20.0
    assert body.stream(ActionChunk(rows, 20.0, expires_s, 0, "test", 0)).ended == ()
    report = body.execute(ActionChunk(rows, 20.0, expires_s, 1, "test", 0))
    assert report.rows_executed == 2
    assert [ended.report.rows_executed for ended in body.progress().ended] == [2]


def test_in_lockstep_nothing_can_be_streamed() -> None:
    rows = np.zeros((2, 7), np.float32)
    with SimRobot.start(PLACED) as robot, pytest.raises(TandemError, match="NO_STREAM"):
        robot.stream(ActionChunk(rows, 20.0, 1.0, 0, "test", 0))


def test_progress_arrives_as_it_was_sent() -> None:
    report = ExecutionReport(Verdict(Decision.HOLD, "late", 3.0, 2.0), 1, 2, 3, 0.5, "ab", False, 0.01)
    sent = Progress(1.0, 3, True, 2, 0.05, 0.7, np.arange(3.0), np.eye(3), (Ended(2, 0.25, 1, report),))
    decoder = Decoder()
    decoder.feed(encode(from_progress(sent)))
    arrived = decoder.next()
    assert arrived is not None
    got = to_progress(arrived)
    assert got.ended == sent.ended
    assert (got.time_s, got.chunk_id, got.moving, got.rows_begun) == (1.0, 3, True, 2)
    np.testing.assert_array_equal(got.goal_rotation, sent.goal_rotation)
