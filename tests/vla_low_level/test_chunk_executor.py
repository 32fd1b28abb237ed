"""A policy drives an ideal arm; time passes only while the executor waits, so that every run is the same."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from sim.arms import embodiment
from traces.errors import TandemError
from vla_low_level.action import ActionChunk
from vla_low_level.body import Body
from vla_low_level.chunk_executor import ChunkExecutor, Clock
from vla_low_level.flight import Drop, Executed
from vla_low_level.guard import ChunkHeader
from vla_low_level.ideal_plant import IdealPlant
from vla_low_level.inference import ThreadInference
from vla_low_level.limits import PANDA
from vla_low_level.observation import Observation
from vla_low_level.plant import CONTROL_HZ
from vla_low_level.policy import Instruction, Policy, PolicyOutput
from vla_low_level.robot import Decision, ExecutionReport, Progress, Seam

KINEMATICS = embodiment("panda").kinematics()
HOME_RAD = embodiment("panda").home_rad
HERE_M = KINEMATICS.forward(HOME_RAD)[0]
GO = Instruction("go")
RATE_HZ = 10.0


class Rig:
    """An ideal arm that can be streamed to. Its clock stands still until `pass_time`."""

    def __init__(self) -> None:
        self.plant = IdealPlant(HOME_RAD)
        self.body = Body(self.plant, KINEMATICS, PANDA, HOME_RAD)
        self.told: list[str] = []
        self.sent: list[ActionChunk] = []
        self.gone = False

    def pass_time(self, duration_s: float) -> None:
        for _ in range(max(1, round(duration_s * CONTROL_HZ))):
            self.body.tick()

    def observe(self, cameras: Sequence[str] = ()) -> Observation:
        return self.body.observe(cameras)

    def execute(self, chunk: ActionChunk) -> ExecutionReport:
        self.sent.append(chunk)
        return self.body.execute(chunk.actions, header(chunk))

    def stream(self, chunk: ActionChunk, seam: Seam | None = None) -> Progress:
        self.sent.append(chunk)
        self.body.stream(chunk.actions, header(chunk), seam)
        return self.progress()

    def progress(self) -> Progress:
        if self.gone:
            raise TandemError("BODY_LOST", "gone")
        return self.body.progress()

    def hold(self) -> None:
        self.told.append("hold")
        self.body.hold()

    def stop(self, reason: str) -> None:
        self.body.stop(reason)

    def reset(self, reason: str) -> None:
        self.body.reset()

    def close(self) -> None:
        self.told.append("close")

    def positions_m(self) -> np.ndarray:
        return np.array([HERE_M, *(KINEMATICS.forward(joint)[0] for joint in self.plant.commands)])


def header(chunk: ActionChunk) -> ChunkHeader:
    return ChunkHeader(chunk.rate_hz, chunk.expires_s, chunk.chunk_id)


class Slow:
    """Stands in for the thread: answers after so much of the body's time. `delays_s` repeats its last."""

    def __init__(self, policy: Policy, rig: Rig, delays_s: Sequence[float]) -> None:
        self._policy, self._rig = policy, rig
        self._delays_s = itertools.chain(delays_s, itertools.repeat(delays_s[-1]))
        self._question: tuple[Observation, Instruction] | None = None
        self._left_s = 0.0
        self.closed = False

    @property
    def busy(self) -> bool:
        return self._question is not None

    def ask(self, observation: Observation, instruction: Instruction) -> None:
        assert not self.busy
        self._question, self._left_s = (observation, instruction), next(self._delays_s)

    def poll(self, timeout_s: float) -> PolicyOutput | None:
        passing_s = min(timeout_s, self._left_s) if self._question else timeout_s
        self._rig.pass_time(passing_s)
        if self._question is None:
            return None
        self._left_s -= passing_s
        if self._left_s > 1e-9:
            return None
        question, self._question = self._question, None
        return self._policy.act(*question)

    def close(self) -> None:
        self.closed = True


@dataclass
class Servo:
    """Goes to a place in a smooth way, from wherever the arm is commanded to be. Plans like a good VLA."""

    goal_m: np.ndarray
    rows: int = 16
    replan_rows: int = 8
    expiry_s: float = 5.0
    speed_m_s: float = 0.15
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
            step = 0.35 * (self.goal_m - at)
            step *= min(1.0, self.speed_m_s / RATE_HZ / max(1e-9, float(np.linalg.norm(step))))
            moves.append([*step, 0, 0, 0, 1.0])
            at = at + step
        chunk = ActionChunk(
            np.array(moves, np.float32),
            RATE_HZ,
            observation.time_s + self.expiry_s,
            0,
            self.policy_id,
            observation.sequence,
        )
        return PolicyOutput(chunk, 0.0)


def far() -> np.ndarray:
    return HERE_M + [0.10, 0.25, -0.05]


def executor(
    rig: Rig, policy: Policy, delays_s: Sequence[float] = (0.1,)
) -> tuple[ChunkExecutor, list[Slow]]:
    made: list[Slow] = []

    def inference(of: Policy) -> Slow:
        made.append(Slow(of, rig, delays_s))
        return made[-1]

    return ChunkExecutor(rig, policy, "realtime", inference=inference), made


def take(run: Iterator[Executed], count: int) -> list[Executed]:
    """So many chunks, then leave, as a caller's loop does."""
    taken = list(itertools.islice(run, count))
    run.close()  # type: ignore[attr-defined]
    return taken


def test_the_first_chunk_starts_from_rest_with_its_first_row_however_long_it_took():
    rig, policy = Rig(), Servo(far())
    driver, _ = executor(rig, policy, [0.9, 0.1])
    first = take(driver.run(GO), 1)[0]
    planned = Servo(far()).act(first.observation, GO).chunk.actions
    assert first.dropped_rows == 0
    assert first.age_s >= 0.9
    np.testing.assert_allclose(rig.sent[0].actions, planned, atol=1e-6)
    assert driver.starved == 0


@pytest.mark.parametrize("delay_s", [0.02, 0.1, 0.3, 0.6])
def test_the_arm_is_never_without_a_chunk_when_answers_come_in_time(delay_s):
    rig = Rig()
    driver, _ = executor(rig, Servo(far()), [delay_s])
    done = take(driver.run(GO), 5)
    assert driver.starved == 0
    assert not driver.dropped
    for one, after in itertools.pairwise(done):
        assert after.began_s == pytest.approx(one.report.time_s, abs=1.5 / CONTROL_HZ)


@pytest.mark.parametrize("delay_s", [0.1, 0.3])
def test_the_arm_looks_again_after_the_rows_that_the_policy_asks_for(delay_s):
    driver, _ = executor(Rig(), Servo(far(), replan_rows=6), [delay_s])
    done = take(driver.run(GO), 8)[2:]
    assert all(5 <= one.report.rows_executed <= 7 for one in done)


def test_rows_that_have_passed_are_left_out():
    driver, _ = executor(Rig(), Servo(far()), [0.3])
    done = take(driver.run(GO), 4)
    assert [one.dropped_rows for one in done[1:]] == [3, 3, 3]
    for one in done[1:]:
        assert 0.3 <= one.age_s < 0.42


def test_a_starved_arm_rests_where_its_rows_end_and_goes_on_from_there():
    rig = Rig()
    policy = Servo(far(), rows=8, replan_rows=4, speed_m_s=0.1)
    driver, _ = executor(rig, policy, [0.05, 1.5, 0.05])
    done = take(driver.run(GO), 3)
    assert driver.starved == 1
    assert done[0].report.rows_executed == 8
    assert done[1].began_s > done[0].report.time_s + 0.3
    step = np.linalg.norm(np.diff(rig.positions_m(), axis=0), axis=1) * CONTROL_HZ
    waiting = slice(round(done[1].began_s * CONTROL_HZ) - 30, round(done[1].began_s * CONTROL_HZ) - 5)
    assert step[waiting].max() < 0.002
