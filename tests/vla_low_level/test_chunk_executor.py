"""A policy drives an ideal arm; time passes only while the executor waits, so that every run is the same."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from sim.arms import embodiment
from traces.errors import TandemError
from vla_low_level.action import ActionChunk
from vla_low_level.audit import MotionAudit
from vla_low_level.chunk_executor import LATE_IN_A_ROW, ChunkExecutor
from vla_low_level.flight import Drop, Executed
from vla_low_level.ideal_plant import IdealPlant
from vla_low_level.observation import Observation
from vla_low_level.plant import CONTROL_HZ
from vla_low_level.policy import Instruction, Policy, PolicyOutput
from vla_low_level.robot import Decision, Progress
from vla_low_level.stepped_robot import SteppedRobot, TimedInference

ARM = embodiment("panda")
KINEMATICS = ARM.kinematics()
HERE_M = KINEMATICS.forward(ARM.home_rad)[0]
FAR_M = HERE_M + np.array([0.10, 0.25, -0.05])
GO = Instruction("go")
RATE_HZ = 10.0


@dataclass
class Servo:
    """Goes to a place from where the arm is commanded to be, evenly, then slower."""

    rows: int = 16
    replan_rows: int = 8
    expiry_s: float = 5.0
    speed_m_s: float = 0.06
    policy_id: str = "servo"
    cameras: tuple[str, ...] = ()
    asked: int = 0
    forgot: int = 0

    def reset(self) -> None:
        self.forgot += 1

    def act(self, observation: Observation, instruction: Instruction) -> PolicyOutput:
        self.asked += 1
        at, moves = observation.proprioception.target_position_m, []
        for _ in range(self.rows):
            step = 0.35 * (FAR_M - at)
            step *= min(1.0, self.speed_m_s / RATE_HZ / max(1e-9, float(np.linalg.norm(step))))
            moves.append([*step, 0, 0, 0, 1.0])
            at = at + step
        expires_s = observation.time_s + self.expiry_s
        rows = np.array(moves, np.float32)
        return PolicyOutput(ActionChunk(rows, RATE_HZ, expires_s, 0, "servo", observation.sequence), 0.0)


@dataclass
class Changed:
    """A policy around a policy that spoils one of its answers."""

    inner: Servo
    at: int
    replan_rows: int = 8
    policy_id: str = "changed"
    cameras: tuple[str, ...] = ()

    def reset(self) -> None:
        self.inner.reset()

    def act(self, observation: Observation, instruction: Instruction) -> PolicyOutput:
        output = self.inner.act(observation, instruction)
        if self.inner.asked == self.at:
            return replace(output, chunk=self.spoil(output.chunk))
        return output

    def spoil(self, chunk: ActionChunk) -> ActionChunk:
        raise ValueError("lost my mind")


class OutOfOrder(Changed):
    def spoil(self, chunk: ActionChunk) -> ActionChunk:
        return replace(chunk, observation_sequence=0)


class Nonsense(Changed):
    def spoil(self, chunk: ActionChunk) -> ActionChunk:
        return replace(chunk, actions=np.full((4, 7), np.nan, np.float32))


class Expired(Changed):
    def spoil(self, chunk: ActionChunk) -> ActionChunk:
        return replace(chunk, expires_s=0.0)


@dataclass
class Diary:
    """Remembers what was told, with how many targets had been written by then."""

    robot: SteppedRobot
    before_: list[tuple[int, int]] = field(default_factory=list)
    after_: list[Executed] = field(default_factory=list)

    def before(self, observation: Observation, output: PolicyOutput) -> None:
        assert len(self.robot.sent) == len(self.before_)
        self.before_.append((observation.sequence, output.chunk.chunk_id))

    def after(self, executed: Executed) -> None:
        self.after_.append(executed)


def ideal() -> tuple[IdealPlant, SteppedRobot]:
    plant = IdealPlant(ARM.home_rad)
    return plant, SteppedRobot(plant, ARM)


def live(robot: SteppedRobot, policy: Policy, *delays_s: float) -> ChunkExecutor:
    return ChunkExecutor(robot, policy, "realtime", inference=TimedInference.on(robot, *delays_s))


def take(run: Iterator[Executed], count: int) -> list[Executed]:
    """So many chunks, then leave, as a caller's loop does."""
    taken = list(itertools.islice(run, count))
    run.close()  # type: ignore[attr-defined]
    return taken


def speeds(robot: SteppedRobot) -> np.ndarray:
    tool = np.array([KINEMATICS.forward(joint)[0] for joint in robot.trail_rad])
    return np.linalg.norm(np.diff(tool, axis=0), axis=1) * CONTROL_HZ


def test_the_first_chunk_starts_from_rest_with_its_first_row_however_long_it_took():
    _, robot = ideal()
    driver = live(robot, Servo(), 0.9, 0.1)
    first = take(driver.run(GO), 1)[0]
    planned = Servo().act(first.observation, GO).chunk.actions
    assert (first.dropped_rows, driver.starved) == (0, 0)
    assert first.age_s >= 0.9
    np.testing.assert_allclose(robot.sent[0].actions, planned, atol=1e-6)


@pytest.mark.parametrize("delay_s", [0.02, 0.1, 0.3, 0.6])
def test_the_arm_is_never_without_a_chunk_when_answers_come_in_time(delay_s):
    _, robot = ideal()
    driver = live(robot, Servo(), delay_s)
    done = take(driver.run(GO), 4)
    assert (driver.starved, dict(driver.dropped)) == (0, {})
    for one, after in itertools.pairwise(done):
        assert after.began_s == pytest.approx(one.report.time_s, abs=1.5 / CONTROL_HZ)
    moving = speeds(robot)[round(done[0].began_s * CONTROL_HZ) + 60 : -60]
    assert moving.min() > 0.05


@pytest.mark.parametrize("delay_s", [0.1, 0.3])
def test_the_arm_looks_again_after_the_rows_that_the_policy_asks_for(delay_s):
    _, robot = ideal()
    done = take(live(robot, Servo(replan_rows=6), delay_s).run(GO), 7)[2:]
    assert all(5 <= one.report.rows_executed <= 7 for one in done)


def test_rows_that_have_passed_are_left_out():
    _, robot = ideal()
    done = take(live(robot, Servo(), 0.3).run(GO), 4)
    assert [one.dropped_rows for one in done[1:]] == [3, 3, 3]
    assert all(0.3 <= one.age_s < 0.42 for one in done[1:])


def test_joined_chunks_lead_where_the_policy_wants_to_go():
    _, robot = ideal()
    take(live(robot, Servo(), 0.3).run(GO), 12)
    np.testing.assert_allclose(robot.observe().proprioception.ee_position_m, FAR_M, atol=1e-3)


def test_a_starved_arm_rests_where_its_rows_end_and_goes_on_from_there():
    plant, robot = ideal()
    driver = live(robot, Servo(rows=8, replan_rows=4), 0.05, 1.0, 0.05)
    done = take(driver.run(GO), 3)
    assert driver.starved == 1
    assert done[0].report.rows_executed == 8
    assert done[1].began_s > done[0].report.time_s + 0.2
    begins = round(done[1].began_s * CONTROL_HZ)
    assert speeds(robot)[begins - 30 : begins - 5].max() < 0.002
    audit = MotionAudit(KINEMATICS, ARM.limits)
    audit.add(ARM.home_rad, plant.commands)
    assert sum(audit.breaches.values()) == 0


def test_a_late_chunk_whose_rows_have_all_passed_is_dropped_and_the_arm_looks_again():
    _, robot = ideal()
    driver = live(robot, Servo(rows=8, replan_rows=4), 0.05, 1.5, 0.05)
    done = take(driver.run(GO), 3)
    assert dict(driver.dropped) == {Drop.LATE: 1}
    # The chunk after it was made at rest: nothing of it had passed.
    assert [one.observation.sequence for one in done] == [0, 2, 3]
    assert done[1].dropped_rows == 0


def test_a_chunk_made_from_an_older_observation_than_the_one_in_use_is_dropped():
    _, robot = ideal()
    driver = live(robot, OutOfOrder(Servo(), at=3), 0.1)
    done = take(driver.run(GO), 4)
    assert dict(driver.dropped) == {Drop.OUT_OF_ORDER: 1}
    assert [one.observation.sequence for one in done] == [0, 1, 3, 4]


def test_an_expired_chunk_never_starts():
    _, robot = ideal()
    driver = live(robot, Expired(Servo(), at=2), 0.1)
    done = take(driver.run(GO), 3)
    assert dict(driver.dropped) == {Drop.EXPIRED: 1}
    assert [one.observation.sequence for one in done] == [0, 2, 3]
    assert [chunk.observation_sequence for chunk in robot.sent][:3] == [0, 2, 3]


def test_a_policy_that_is_always_too_slow_for_its_expiry_moves_nothing():
    _, robot = ideal()
    policy = Servo(expiry_s=0.2)
    driver = live(robot, policy, 0.5)
    forget = policy.act

    def act(observation: Observation, instruction: Instruction) -> PolicyOutput:
        if policy.asked == 5:
            driver.cancel()
        return forget(observation, instruction)

    policy.act = act
    assert list(driver.run(GO)) == []
    assert robot.sent == []
    assert driver.dropped[Drop.EXPIRED] >= 5


def test_a_policy_that_raises_is_heard_after_the_arm_has_been_told_to_hold():
    _, robot = ideal()
    driver = live(robot, Changed(Servo(), at=3), 0.1)
    with pytest.raises(ValueError, match="lost my mind"):
        list(driver.run(GO))
    assert not robot.progress().moving
    robot.pass_time(0.3)
    assert speeds(robot)[-20:].max() < 1e-3


def test_a_chunk_that_the_guard_refuses_comes_out_and_leaves_the_running_one_alone():
    _, robot = ideal()
    run = live(robot, Nonsense(Servo(), at=2), 0.1).run(GO)
    refused = next(run)
    assert (refused.report.verdict.decision, refused.report.verdict.limit) == (Decision.HOLD, "finite")
    assert np.isnan(refused.began_s)
    assert robot.progress().moving
    assert next(run).report.rows_executed > 8


def test_cancel_holds_and_ends_the_run():
    _, robot = ideal()
    driver = live(robot, Servo(), 0.1)
    done = []
    for executed in driver.run(GO):
        done.append(executed)
        driver.cancel()
    assert len(done) == 1
    assert not robot.progress().moving


def test_a_stop_comes_out_as_a_latched_report_and_ends_the_run():
    _, robot = ideal()
    done = []
    for executed in live(robot, Servo(), 0.1).run(GO):
        done.append(executed)
        if len(done) == 2:
            robot.stop("button")
            written = len(robot.trail_rad)
    assert done[-1].report.latched
    assert speeds(robot)[written:].max(initial=0.0) < 1e-6


def test_every_chunk_is_told_before_it_moves_and_after_it_has_ended():
    _, robot = ideal()
    diary = Diary(robot)
    numbers = itertools.count(40)
    driver = ChunkExecutor(
        robot, Servo(), "realtime", chunk_ids=numbers, inference=TimedInference.on(robot, 0.1)
    )
    run = driver.run(GO, diary)
    done = list(itertools.islice(run, 3))
    run.close()
    assert [number for _, number in diary.before_] == [40, 41, 42, 43]
    assert diary.after_[:3] == done
    assert len(diary.after_) == len(diary.before_)
    assert next(numbers) == 44


class Gone(SteppedRobot):
    """A body that is lost after a while."""

    def progress(self) -> Progress:
        if len(self.trail_rad) > 200:
            raise TandemError("BODY_LOST", "gone")
        return super().progress()


def test_a_lost_body_is_an_error():
    robot = Gone(IdealPlant(ARM.home_rad), ARM)
    with pytest.raises(TandemError, match="BODY_LOST"):
        list(live(robot, Servo(), 0.1).run(GO))


def lockstep(policy: Policy, count: int) -> tuple[SteppedRobot, list[Executed]]:
    _, robot = ideal()
    return robot, take(ChunkExecutor(robot, policy, "lockstep").run(GO), count)


def test_in_lockstep_the_same_run_gives_the_same_commands():
    policies, before = (Servo(), Servo()), threading.active_count()
    (one, first), (other, second) = (lockstep(policy, 4) for policy in policies)
    np.testing.assert_array_equal(one.trail_rad, other.trail_rad)
    assert [e.report for e in first] == [e.report for e in second]
    assert [len(chunk.actions) for chunk in one.sent] == [8] * 4
    assert [chunk.chunk_id for chunk in one.sent] == [0, 1, 2, 3]
    assert [policy.forgot for policy in policies] == [1, 1]
    assert threading.active_count() == before


def test_in_lockstep_a_policy_that_raises_is_heard():
    _, robot = ideal()
    with pytest.raises(ValueError, match="lost my mind"):
        list(ChunkExecutor(robot, Changed(Servo(), at=2), "lockstep").run(GO))
    assert len(robot.sent) == 1


def test_a_chunk_that_came_too_late_for_a_body_with_its_own_clock_is_thought_anew():
    _, robot = ideal()
    driver = ChunkExecutor(robot, Expired(Servo(), at=2), "lockstep")
    done = take(driver.run(GO), 3)
    assert dict(driver.dropped) == {Drop.EXPIRED: 1}
    assert [one.report.verdict.decision for one in done] == [Decision.PASS] * 3
    assert [one.output.chunk.chunk_id for one in done] == [0, 2, 3]


def test_a_policy_that_is_late_time_and_again_is_told_so():
    _, robot = ideal()
    driver = ChunkExecutor(robot, Servo(expiry_s=-1.0), "lockstep")
    late = next(driver.run(GO))
    assert (late.report.verdict.limit, late.report.rows_executed) == ("expired", 0)
    assert driver.dropped[Drop.EXPIRED] == LATE_IN_A_ROW - 1


def test_real_time_needs_a_robot_that_can_be_streamed_to():
    class OneAtATime:
        observe = execute = hold = stop = reset = close = lambda *_: None

    with pytest.raises(TandemError, match="NO_STREAM"):
        ChunkExecutor(OneAtATime(), Servo(), "realtime")


def test_waiting_for_the_thread_ends_with_the_run():
    class Ticking(SteppedRobot):
        """Time passes with each look, so that a thread that is not waited for can work meanwhile."""

        def progress(self) -> Progress:
            self.pass_time(0.05)
            return super().progress()

    robot = Ticking(IdealPlant(ARM.home_rad), ARM)
    done = take(ChunkExecutor(robot, Servo(expiry_s=50.0), "realtime").run(GO), 2)
    assert len(done) == 2
    assert not [t for t in threading.enumerate() if t.name.startswith("policy")]
