"""How smooth a motion is where chunks join, and how near it stays to what the policy means."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vla_low_level.flight import Executed
from vla_low_level.observation import Observation
from vla_low_level.plant import CONTROL_HZ
from vla_low_level.policy import Instruction, Policy, PolicyOutput
from vla_low_level.robot import StreamingRobot
from vla_low_level.seams import Path

F64 = NDArray[np.float64]

# The controller changes speed as fast as it may, so what differs is how long: changes are taken over this.
WINDOW_S = 0.05
SAMPLE_S = 0.006
# Before and after a seam, where its jolt shows.
BEFORE_S, AFTER_S = 0.05, 0.45


@dataclass(frozen=True, slots=True)
class Smoothness:
    """Figures of one run. Changes are taken over `WINDOW_S`.

    Attributes:
        seam_m_s2: Mean over seams of the largest acceleration near each.
        worst_m_s2: The largest of them.
        inside_m_s2: Mean over what lies between.
        seam_m_s3: As `seam_m_s2`, of the jerk.
        inside_m_s3: As `inside_m_s2`, of the jerk.
        aside_m: Mean distance between the tool and where the newest plan wants it at that time.
        duty: Share of the time in which a chunk ran.
    """

    seam_m_s2: float
    worst_m_s2: float
    inside_m_s2: float
    seam_m_s3: float
    inside_m_s3: float
    aside_m: float
    duty: float


class Noted:
    """A policy around a policy that remembers what was planned.

    Attributes:
        plans: By observation: its time, s, and the planned tool positions [rows + 1, 3], m.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.policy_id, self.cameras, self.replan_rows = policy.policy_id, policy.cameras, policy.replan_rows
        self.plans: dict[int, tuple[float, F64]] = {}

    def reset(self) -> None:
        """Forget the last subgoal."""
        self._policy.reset()

    def act(self, observation: Observation, instruction: Instruction) -> PolicyOutput:
        """Choose the next chunk."""
        output = self._policy.act(observation, instruction)
        body = observation.proprioception
        path = Path.along(body.target_position_m, body.target_rotation, output.chunk.actions)
        self.plans[observation.sequence] = (observation.time_s, path.position_m)
        return output


class Sampler:
    """Looks where the tool is, again and again, beside a run; a context manager."""

    def __init__(self, robot: StreamingRobot) -> None:
        self._robot = robot
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._seen: list[Observation] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(SAMPLE_S):
            self._seen.append(self._robot.observe())

    def trail(self) -> tuple[F64, F64]:
        """Clock [n], s, and tool [n, 3], m."""
        seen = self._seen
        return np.array([o.time_s for o in seen]), np.array([o.proprioception.ee_position_m for o in seen])


def smoothness(time_s: F64, tool_m: F64, policy: Noted, done: Sequence[Executed]) -> Smoothness:
    """Judge a motion.

    Args:
        time_s: [n], the body's clock at each sample.
        tool_m: [n, 3], where the tool was.
        policy: What planned it.
        done: The chunks; four at least.
    """
    clock_s = np.arange(time_s[0], time_s[-1], 1.0 / CONTROL_HZ)
    tool = np.stack([np.interp(clock_s, time_s, tool_m[:, k]) for k in range(3)], axis=1)
    window = round(WINDOW_S * CONTROL_HZ)
    speed = (tool[window:] - tool[:-window]) / WINDOW_S
    change = (speed[window:] - speed[:-window]) / WINDOW_S
    acceleration = np.linalg.norm(change, axis=1)
    jerk = np.linalg.norm(change[window:] - change[:-window], axis=1) / WINDOW_S
    changed_s, jerked_s = clock_s[window:][: len(acceleration)], clock_s[window * 3 // 2 :][: len(jerk)]
    # The start from rest is no seam, and what comes after the last is not whole.
    seams = [one.began_s for one in done[2:-1]]
    near = [(seam - BEFORE_S, seam + AFTER_S) for seam in seams]
    rest = [(seam + AFTER_S, after - BEFORE_S) for seam, after in itertools.pairwise(seams)]
    aside = [_aside(tool, clock_s, policy, before, one) for before, one in itertools.pairwise(done)]
    running_s = sum(one.report.time_s - one.began_s for one in done)
    return Smoothness(
        seam_m_s2=_mean(_peaks(acceleration, changed_s, near)),
        worst_m_s2=float(_peaks(acceleration, changed_s, near).max()),
        inside_m_s2=_mean(_peaks(acceleration, changed_s, rest)),
        seam_m_s3=_mean(_peaks(jerk, jerked_s, near)),
        inside_m_s3=_mean(_peaks(jerk, jerked_s, rest)),
        aside_m=float(np.mean(np.concatenate(aside))),
        duty=running_s / (done[-1].report.time_s - done[0].began_s),
    )


def _peaks(values: F64, clock_s: F64, spans: list[tuple[float, float]]) -> F64:
    within = [(clock_s > begin) & (clock_s < end) for begin, end in spans]
    return np.array([values[mask].max() for mask in within if mask.any()])


def _mean(values: F64) -> float:
    """NaN without a value: chunks may follow each other too fast to leave anything between seams."""
    return float(values.mean()) if len(values) else float("nan")


def _aside(tool: F64, clock_s: F64, policy: Noted, before: Executed, one: Executed) -> F64:
    """Distance [steps] from the plan while its chunk ran, m. For an arm that rested the plan begins then."""
    seen_s, plan = policy.plans[one.observation.sequence]
    rested = one.began_s > before.report.time_s + 2.5 / CONTROL_HZ
    steps = (clock_s > one.began_s) & (clock_s <= one.report.time_s)
    rows = (clock_s[steps] - (one.began_s if rested else seen_s)) * one.output.chunk.rate_hz
    wanted = np.stack([np.interp(rows, np.arange(len(plan)), plan[:, k]) for k in range(3)], axis=1)
    return np.asarray(np.linalg.norm(tool[steps] - wanted, axis=1))
