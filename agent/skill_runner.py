"""One attempt at one subgoal: observe, policy, guard and body, monitor, again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from agent.affordance import EMPTY_GRIP, OPENED
from agent.events import Listener, MonitorRaised, NodeProgress
from agent.shadow import record_shadow
from skills.graph import SkillNode
from skills.router import Route
from traces import names
from traces.errors import TandemError
from traces.recorder import Recorder, Span, SpanRef
from vla_low_level.monitor import UNSEEING, ChunkMonitor, Finding, Level, Thresholds, worst
from vla_low_level.observation import Observation
from vla_low_level.policy import Instruction, PolicyOutput
from vla_low_level.recording import Facts, instruction_ref, monitor_scores, observation_facts
from vla_low_level.robot import Decision, ExecutionReport, Robot

FrameSink = Callable[[NDArray[np.uint8], str], None]

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
    """

    ended: Ended
    finding: Finding | None
    chunks: tuple[SpanRef, ...]
    lowest_m: NDArray[np.float64] | None = None


class SkillRunner:
    """Runs chunks until the policy believes it is done, the monitor objects, or somebody stops it."""

    def __init__(
        self,
        robot: Robot,
        recorder: Recorder,
        listener: Listener,
        cancelled: threading.Event,
        max_chunks: int,
    ) -> None:
        self._robot = robot
        self._recorder = recorder
        self._listener = listener
        self._cancelled = cancelled
        self._max_chunks = max_chunks
        self._frames: FrameSink | None = None
        self.chunks_executed = 0

    def film(self, sink: FrameSink) -> None:
        """Send a frame of the spectator camera to `sink` before every chunk."""
        self._frames = sink

    def run(
        self,
        node: SkillNode,
        route: Route,
        instruction: Instruction,
        *,
        seen: SpanRef | None,
        carrying: bool,
    ) -> Attempt:
        """Carry out one subgoal.

        Args:
            node: For whom, in events and traces.
            route: The policy.
            instruction: What it is told.
            seen: The perception that the instruction rests on; every chunk links it.
            carrying: Something is in the hand and must stay there until the fingers are opened.

        Raises:
            TandemError: `POLICY_CRASH` when the policy raises, `POLICY_NONFINITE` or `POLICY_REJECTED` when
                the guard refuses its chunk, `BODY_LOST` when the body does not answer.
        """
        route.policy.reset()
        spans: list[SpanRef] = []
        links = [(seen, names.LinkKind.OBSERVED)] if seen else []
        observation = self._observe(route, instruction.text)
        bounds = Thresholds() if route.policy.cameras else UNSEEING
        monitor = ChunkMonitor(observation.time_s, node.skill.time_budget_s, bounds)
        lowest_m = observation.proprioception.ee_position_m
        for k in range(self._max_chunks):
            if self._cancelled.is_set():
                self._robot.hold()
                return Attempt(Ended.CANCELLED, None, tuple(spans))
            if carrying and (lost := _grip_lost(observation)):
                return self._alarm(lost, spans)
            output = self._act(route, observation, instruction)
            astray = monitor.check_aim(observation, output, instruction.about)
            if astray is not None and astray.level is Level.ALARM:
                return self._alarm(astray, spans)
            before = self._before(observation, output, route, instruction)
            with self._recorder.span(names.CHUNK.format(k=k), before, links) as span:
                report = self._robot.execute(output.chunk)
                self._after(span, report)
                findings = monitor.check(output.chunk, report)
                findings = (*findings, *([astray] if astray else []))
                span.set(names.MONITOR_SCORES, monitor_scores(findings))
                for finding in findings:
                    self._note(span, finding)
                spans.append(span.ref)
            self.chunks_executed += 1
            _check_accepted(report, route)
            if report.latched:
                return Attempt(Ended.LATCHED, worst(findings), tuple(spans))
            if (serious := worst(findings)).level is Level.ALARM:
                alarmed = self._alarm(serious, spans)
                told = (self._robot.observe(route.policy.cameras), instruction)
                record_shadow(self._recorder, serious, output, route.policy, told)
                return alarmed
            self._listener(NodeProgress(node, output.progress, report.time_s))
            if output.progress >= 1.0:
                return Attempt(Ended.DONE, serious, tuple(spans), lowest_m)
            observation = self._observe(route, instruction.text)
            here_m = observation.proprioception.ee_position_m
            lowest_m = min(lowest_m, here_m, key=lambda point_m: float(point_m[2]))
        return self._alarm(Finding("chunks", Level.ALARM, self._max_chunks, self._max_chunks), spans)

    def _observe(self, route: Route, caption: str) -> Observation:
        cameras = route.policy.cameras if self._frames is None else (*route.policy.cameras, "front")
        observation = self._robot.observe(cameras)
        if self._frames is not None:
            self._frames(observation.images["front"].rgb, caption)
        return observation

    def _act(self, route: Route, observation: Observation, instruction: Instruction) -> PolicyOutput:
        """Ask the policy, and number its chunk: ids count per command, whoever made the chunk."""
        try:
            output = route.policy.act(observation, instruction)
        except _POLICY_FAULTS as fault:
            self._robot.hold()
            raise TandemError(
                "POLICY_CRASH",
                f"policy {route.policy.policy_id} failed on '{instruction.text}': {fault}",
                fix="try --policy specialist, and report the trace of this run",
            ) from fault
        # Receding horizon: the rows beyond are a guess that the next look makes better.
        rows = output.chunk.actions[: route.policy.replan_rows]
        return replace(output, chunk=replace(output.chunk, actions=rows, chunk_id=self.chunks_executed))

    def _alarm(self, finding: Finding, spans: list[SpanRef]) -> Attempt:
        self._robot.hold()
        self._listener(MonitorRaised(finding.name, finding.level.value, finding.score, finding.threshold))
        return Attempt(Ended.ALARM, finding, tuple(spans))

    def _note(self, span: Span, finding: Finding) -> None:
        """Warnings and alarms go into the trace; a person hears of warnings here, of alarms when they act."""
        if finding.level is Level.OK:
            return
        span.log(
            names.ALARM,
            {
                names.MONITOR_NAME: finding.name,
                names.MONITOR_LEVEL: finding.level.value,
                names.MONITOR_SCORE: finding.score,
                names.MONITOR_THRESHOLD: finding.threshold,
            },
        )
        if finding.level is Level.WARN:
            self._listener(MonitorRaised(finding.name, "warn", finding.score, finding.threshold))

    def _before(
        self, observation: Observation, output: PolicyOutput, route: Route, instruction: Instruction
    ) -> Facts:
        """What was observed and what is asked for; it stands in the start record, before anything moves."""
        chunk = output.chunk
        return {
            **observation_facts(self._recorder, observation, route.policy.cameras),
            names.INSTRUCTION_REF: instruction_ref(self._recorder, instruction),
            names.POLICY_FEATURES_REF: self._recorder.arrays(**output.features) if output.features else None,
            names.CHUNK_REF: self._recorder.arrays(actions=chunk.actions),
            names.CHUNK_ID: chunk.chunk_id,
            names.CHUNK_RATE_HZ: chunk.rate_hz,
            names.CHUNK_EXPIRES_S: chunk.expires_s,
            names.POLICY_ID: chunk.policy_id,
            names.ROUTE: route.kind.value,
            names.POLICY_PROGRESS: output.progress,
        }

    def _after(self, span: Span, report: ExecutionReport) -> None:
        """What became of it."""
        verdict = report.verdict
        span.update(
            {
                names.CHUNK_STEPS_EXECUTED: report.steps_executed,
                names.CHUNK_ROWS_EXECUTED: report.rows_executed,
                names.GUARD_DECISION: verdict.decision.value,
                names.STATE_HASH: report.state_hash,
                names.BODY_TIME_S: report.time_s,
                names.BODY_LATCHED: report.latched,
                names.TRACKING_ERROR_M: report.tracking_error_m,
            }
        )
        if verdict.decision is not Decision.PASS:
            span.log(
                names.GUARD_EVENT,
                {
                    names.GUARD_DECISION: verdict.decision.value,
                    names.GUARD_LIMIT: verdict.limit,
                    names.GUARD_VALUE: verdict.value,
                    names.GUARD_BOUND: verdict.bound,
                    names.GUARD_STEP: verdict.step,
                    names.GUARD_CLAMPS: report.clamps,
                },
            )


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


def _grip_lost(observation: Observation) -> Finding | None:
    """The fingers are told to hold, and have closed on nothing."""
    body = observation.proprioception
    if body.last_command[6] < OPENED and body.gripper_opening < EMPTY_GRIP:
        return Finding("grip_opening", Level.ALARM, body.gripper_opening, EMPTY_GRIP)
    return None
