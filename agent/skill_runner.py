"""One attempt at one subgoal: chunk after chunk, until somebody says that it is enough."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from agent.chunk_record import ChunkRecord, ObjectionError, Told
from agent.events import Listener, MonitorRaised, NodeProgress
from agent.filming import FilmedRobot, FrameSink
from agent.monitoring import Monitoring
from agent.shadow import record_shadow
from skills.graph import SkillNode
from skills.router import Route
from traces import names
from traces.errors import TandemError
from traces.recorder import Recorder, SpanRef
from vla_low_level.chunk_executor import ChunkExecutor
from vla_low_level.flight import Executed
from vla_low_level.monitor import Finding, Level, worst
from vla_low_level.observation import Observation
from vla_low_level.policy import Instruction, Policy, PolicyOutput
from vla_low_level.robot import Clock, Decision, ExecutionReport, Robot

# Time to get out of the way when no skill says otherwise, s.
RETREAT_S = 20.0
_POLICY_FAULTS = (ValueError, TypeError, LookupError, ArithmeticError, RuntimeError)


class Ended(StrEnum):
    """Why an attempt stopped."""

    DONE = "done"
    ALARM = "alarm"
    CANCELLED = "cancelled"
    LATCHED = "latched"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What an attempt came to, before anyone has judged its effect.

    Attributes:
        ended: Why it stopped; DONE is only the policy's own belief.
        finding: The most serious finding of the monitor.
        chunks: Spans of the chunks that were executed, for the outcome to link.
        lowest_m: float64 [3], where the tool centre point was lowest; None when nothing was observed.
        score: The attempt's calibrated score; None where nothing is calibrated.
    """

    ended: Ended
    finding: Finding | None
    chunks: tuple[SpanRef, ...]
    lowest_m: NDArray[np.float64] | None = None
    score: float | None = None


class SkillRunner:
    """Runs chunks until the policy believes it is done, the monitor objects, or somebody stops it.

    Attributes:
        monitoring: Who watches, and what alarms lead to.
        chunks_executed: Of the command so far.
    """

    def __init__(
        self,
        robot: Robot,
        recorder: Recorder,
        listener: Listener,
        cancelled: threading.Event,
        *,
        max_chunks: int,
        clock: Clock = "lockstep",
    ) -> None:
        """`clock` is the robot's; in real time a policy that looks thinks while the arm moves."""
        self._robot = robot
        self._recorder = recorder
        self._listener = listener
        self._cancelled = cancelled
        self._max_chunks = max_chunks
        self._clock = clock
        self.monitoring = Monitoring()
        self._frames: FrameSink | None = None
        self._chunk_ids = itertools.count()
        self.chunks_executed = 0

    def watch_with(self, monitoring: Monitoring) -> None:
        """Watch from now on with these calibrations; with plain limits until then."""
        self.monitoring = monitoring

    def film(self, sink: FrameSink) -> None:
        """Send a frame of the spectator camera to `sink` before every chunk."""
        self._frames = sink

    def run(
        self,
        node: SkillNode | None,
        route: Route,
        instruction: Instruction,
        *,
        seen: SpanRef | None,
        carrying: bool,
        skill: str | None = None,
    ) -> Attempt:
        """Carry out one subgoal.

        Args:
            node: For whom, in events and traces; None when it is for none.
            route: The policy.
            instruction: What it is told.
            seen: The perception that the instruction rests on; every chunk links it.
            carrying: Something is in the hand and must stay there until the fingers are opened.
            skill: What a calibrated score compares the attempt with; without it plain limits watch.

        Raises:
            TandemError: `POLICY_CRASH` when the policy raises, `POLICY_NONFINITE` or `POLICY_REJECTED` when
                the guard refuses its chunk, `BODY_LOST` when the body does not answer.
        """
        links = [(seen, names.LinkKind.OBSERVED)] if seen else []
        # Who does not look gains nothing from thinking ahead.
        clock: Clock = self._clock if route.policy.cameras else "lockstep"
        in_turn = clock == "lockstep"
        told = Told(
            route,
            instruction,
            node.skill.time_budget_s if node else RETREAT_S,
            carrying,
            in_turn,
            skill,
        )
        record = ChunkRecord(self._recorder, self._listener, told, links, self.monitoring)
        if self._cancelled.is_set():
            self._robot.hold()
            return Attempt(Ended.CANCELLED, None, ())
        try:
            executor = self._executor(route.policy, instruction, clock)
            with closing(executor.run(instruction, record)) as chunks:
                return self._follow(chunks, node, told, record)
        except ObjectionError as objection:
            return self._alarm(objection.finding, record)
        finally:
            record.close()

    def _executor(self, policy: Policy, instruction: Instruction, clock: Clock) -> ChunkExecutor:
        robot = FilmedRobot(self._robot, self._frames, instruction.text) if self._frames else self._robot
        return ChunkExecutor(robot, _Named(policy), clock, chunk_ids=self._chunk_ids)

    def _follow(
        self,
        chunks: Iterable[Executed],
        node: SkillNode | None,
        told: Told,
        record: ChunkRecord,
    ) -> Attempt:
        """Chunk by chunk: is this going on?"""
        lowest_m: NDArray[np.float64] | None = None
        for k, executed in enumerate(chunks, start=1):
            self.chunks_executed += 1
            report, output = executed.report, executed.output
            findings = record.findings(executed)
            _check_accepted(report, told.route)
            serious = worst(findings)
            if report.latched:
                return Attempt(Ended.LATCHED, serious, tuple(record.spans))
            if serious.level is Level.ALARM and (record.acts or _ends(serious)):
                alarmed = self._alarm(serious, record)
                policy = told.route.policy
                again = (self._robot.observe(policy.cameras), told.instruction)
                record_shadow(self._recorder, serious, output, policy, again)
                return alarmed
            if node is not None:
                self._listener(NodeProgress(node, output.progress, report.time_s))
            here_m = executed.observation.proprioception.ee_position_m
            lowest_m = here_m if lowest_m is None or here_m[2] < lowest_m[2] else lowest_m
            if output.progress >= 1.0:
                return Attempt(Ended.DONE, serious, tuple(record.spans), lowest_m, record.score)
            if self._cancelled.is_set():
                break
            if k >= self._max_chunks:
                return self._alarm(Finding("chunks", Level.ALARM, k, self._max_chunks), record)
        self._robot.hold()
        return Attempt(Ended.CANCELLED, None, tuple(record.spans))

    def _alarm(self, finding: Finding, record: ChunkRecord) -> Attempt:
        self._robot.hold()
        self._listener(MonitorRaised(finding.name, finding.level.value, finding.score, finding.threshold))
        return Attempt(Ended.ALARM, finding, tuple(record.spans), score=record.score)


def _ends(finding: Finding) -> bool:
    """Whether it ends an attempt even where nothing is done about alarms: its time is up."""
    return finding.name == "time_s"


class _Named:
    """A policy around a policy: what goes wrong in it says whose fault it is."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.policy_id, self.cameras = policy.policy_id, policy.cameras
        self.replan_rows = policy.replan_rows

    def reset(self) -> None:
        self._policy.reset()

    def act(self, observation: Observation, instruction: Instruction) -> PolicyOutput:
        try:
            return self._policy.act(observation, instruction)
        except _POLICY_FAULTS as fault:
            raise TandemError(
                "POLICY_CRASH",
                f"policy {self.policy_id} failed on '{instruction.text}': {fault}",
                fix="try --policy specialist, and report the trace of this run",
            ) from fault


def _check_accepted(report: ExecutionReport, route: Route) -> None:
    """A chunk that the guard refused whole is the policy's fault: nothing more is taken from it.

    Raises:
        TandemError: `POLICY_NONFINITE` or `POLICY_REJECTED`; the arm holds already.
    """
    verdict = report.verdict
    if verdict.decision is not Decision.HOLD or verdict.step != -1:
        return
    code = "POLICY_NONFINITE" if verdict.limit == "finite" else "POLICY_REJECTED"
    raise TandemError(
        code,
        f"the guard refused a chunk of {route.policy.policy_id}: {verdict.limit} is {verdict.value:.4g}, "
        f"the bound is {verdict.bound:.4g}",
        fix="use another policy, and report the trace of this run",
    )
