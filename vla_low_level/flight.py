"""What is under way between a policy and an arm in real time: questions, chunks on their way, seams."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vla_low_level.observation import Observation
from vla_low_level.policy import Policy, PolicyOutput
from vla_low_level.robot import Decision, Ended, ExecutionReport, Progress, Seam, StreamingRobot
from vla_low_level.seams import Blend, Path, gripper_after, splice

# A seam nearer than this is not aimed at: the chunk would come after it.
MARGIN_S = 0.010
# What a question is expected to take before one has been answered.
FIRST_DELAY_S = 0.1
# Delays are forgotten by so much a chunk, so that one slow answer does not make all later ones early.
FORGET = 0.9


class Drop(StrEnum):
    """Why a chunk was not used."""

    LATE = "late"
    OUT_OF_ORDER = "out_of_order"
    EXPIRED = "expired"
    HELD = "held"
    SUPERSEDED = "superseded"


TIMING = frozenset(drop.value for drop in Drop)
"""Limits that a chunk can fail without being bad."""


@dataclass(frozen=True, slots=True)
class Executed:
    """One chunk that is over.

    Attributes:
        observation: What it was made from.
        output: What the policy said; its chunk is the one that was sent, seams and all.
        report: What became of it.
        age_s: From the observation to the chunk's first step, s; NaN when it never began.
        began_s: The body's clock at its first step, s; NaN when it never began.
        dropped_rows: Rows at the beginning of the policy's chunk that had passed when it took over.
    """

    observation: Observation
    output: PolicyOutput
    report: ExecutionReport
    age_s: float
    began_s: float
    dropped_rows: int


class ChunkLog(Protocol):
    """Told of every chunk, for instance to put it on record."""

    def before(self, observation: Observation, output: PolicyOutput) -> None:
        """The chunk is about to be sent; nothing of it has moved."""
        ...

    def after(self, executed: Executed) -> None:
        """The chunk is over, or was refused."""
        ...


@dataclass(frozen=True, slots=True)
class Looked:
    """An observation, the body's clock just before it, and how long rows had been followed by then."""

    observation: Observation
    time_s: float
    travelled_s: float


@dataclass(frozen=True, slots=True)
class Sent:
    """A chunk that the body has been given."""

    observation: Observation
    output: PolicyOutput
    dropped_rows: int


@dataclass(frozen=True, slots=True)
class Junction:
    """Where a new chunk could take over.

    Attributes:
        seam: After which row; None when nothing runs.
        wait_s: Until then, s.
        old: What would be left of the running chunk.
    """

    seam: Seam | None
    wait_s: float
    old: Path


class Flight:
    """Book-keeping of one run in real time.

    Attributes:
        dropped: How many chunks were not used, by reason.
        starved: How often the arm had come to rest before the next chunk came.
        over: Chunks that are over, oldest first, for whoever takes them out.
    """

    def __init__(
        self,
        robot: StreamingRobot,
        policy: Policy,
        blend: Blend,
        chunk_ids: Iterator[int],
        log: ChunkLog,
    ) -> None:
        """Forget what was streamed before."""
        self._robot, self._policy, self._blend = robot, policy, blend
        self._chunk_ids, self._log = chunk_ids, log
        self._looked: dict[int, Looked] = {}
        self._sent: dict[int, Sent] = {}
        self._progress: Progress = robot.progress()
        self._due_s = self._progress.time_s
        self._delay_s = FIRST_DELAY_S
        self._held_s = -np.inf
        self._ran_dry = False
        self.dropped: Counter[Drop] = Counter()
        self.starved = 0
        self.over: deque[Executed] = deque()

    @property
    def due(self) -> bool:
        """It is time for the next question."""
        return self._progress.time_s >= self._due_s

    def wait_s(self, longest_s: float) -> float:
        """How long nothing needs to be done unless an answer comes, s."""
        left_s = self._due_s - self._progress.time_s
        return min(longest_s, left_s) if left_s > 0 else longest_s

    def observe(self) -> Observation:
        """Look now, and remember when that was."""
        self.look_after()
        before = self._progress
        observation = self._robot.observe(self._policy.cameras)
        self._looked[observation.sequence] = Looked(observation, before.time_s, before.travelled_s)
        return observation

    def look_after(self) -> None:
        """See how far the body is, and collect what is over."""
        self._note(self._robot.progress())

    def hand_over(self, output: PolicyOutput) -> None:
        """Let a chunk take over from the running one as soon as can be, or drop it."""
        now = self._progress
        self._due_s = now.time_s
        looked = self._looked.get(output.chunk.observation_sequence)
        if looked is None:
            self.dropped[Drop.OUT_OF_ORDER] += 1
        elif looked.time_s < self._held_s:
            self.dropped[Drop.HELD] += 1
        elif now.time_s > output.chunk.expires_s:
            self.dropped[Drop.EXPIRED] += 1
        else:
            self._join(output, looked)

    def _join(self, output: PolicyOutput, looked: Looked) -> None:
        rate_hz, now = output.chunk.rate_hz, self._progress
        junction = self._junction(rate_hz)
        phase = max(0.0, now.travelled_s + junction.wait_s - looked.travelled_s) * rate_hz
        age_s = now.time_s + junction.wait_s - looked.time_s
        if phase > 0 and max(phase, age_s * rate_hz) >= len(output.chunk.actions):
            self.dropped[Drop.LATE] += 1
            return
        self.starved += self._ran_dry and not now.moving
        self._ran_dry = False
        rows = self._rows(output, looked, junction.old, phase)
        chunk = replace(output.chunk, actions=rows, chunk_id=next(self._chunk_ids))
        self._delay_s = max(now.time_s - looked.time_s, FORGET * self._delay_s)
        # The next answer is wanted in the middle of the last row before its seam, with rows left to mix.
        before_next = max(1, min(self._policy.replan_rows, len(rows) - self._blend.rows)) - 0.5
        self._due_s = now.time_s + junction.wait_s + before_next / rate_hz - self._delay_s
        self._send(Sent(looked.observation, replace(output, chunk=chunk), int(phase)), junction)

    def _junction(self, rate_hz: float) -> Junction:
        """The next end of a row that can be reached in time."""
        now = self._progress
        running = self._sent.get(now.chunk_id) if now.moving else None
        if running is None or running.output.chunk.rate_hz != rate_hz:
            nothing = Path.along(now.goal_m, now.goal_rotation, np.empty((0, 7)))
            return Junction(None, now.row_left_s, nothing)
        left = running.output.chunk.actions[now.rows_begun :]
        further = 1 if now.row_left_s < MARGIN_S and len(left) else 0
        old = Path.along(now.goal_m, now.goal_rotation, left).after(further)
        seam = Seam(now.chunk_id, now.rows_begun + further)
        return Junction(seam, now.row_left_s + further / rate_hz, old)

    def _rows(self, output: PolicyOutput, looked: Looked, old: Path, phase: float) -> NDArray[np.float32]:
        """Rows [n, 7] from the seam to where the policy means the arm to end."""
        body, planned = looked.observation.proprioception, output.chunk.actions
        plan = Path.along(body.target_position_m, body.target_rotation, planned).after(phase)
        moves = splice(old, plan, self._blend)
        grip = gripper_after(planned, phase, len(moves))
        return np.column_stack([moves, grip]).astype(np.float32)

    def _send(self, sent: Sent, junction: Junction) -> None:
        chunk = sent.output.chunk
        self._log.before(sent.observation, sent.output)
        self._sent[chunk.chunk_id] = sent
        used = chunk.observation_sequence
        self._looked = {k: seen for k, seen in self._looked.items() if k >= used}
        self._note(self._robot.stream(chunk, junction.seam))

    def _note(self, progress: Progress) -> None:
        self._progress = progress
        for ended in progress.ended:
            sent = self._sent.pop(ended.chunk_id, None)
            if sent is not None:
                self._end(sent, ended)

    def _end(self, sent: Sent, ended: Ended) -> None:
        """A chunk is over: tell, and draw the consequences."""
        report, began = ended.report, not np.isnan(ended.began_s)
        executed = Executed(
            observation=sent.observation,
            output=sent.output,
            report=report,
            age_s=ended.began_s - sent.observation.time_s,
            began_s=ended.began_s,
            dropped_rows=sent.dropped_rows + ended.rows_skipped,
        )
        self._log.after(executed)
        whole = report.rows_executed + ended.rows_skipped == len(sent.output.chunk.actions)
        self._ran_dry = began and whole
        if report.verdict.decision in (Decision.HOLD, Decision.STOP):
            self._due_s = report.time_s
            self._held_s = report.time_s if began else self._held_s
        if not began and report.verdict.limit in TIMING:
            self.dropped[Drop(report.verdict.limit)] += 1
        else:
            self.over.append(executed)
