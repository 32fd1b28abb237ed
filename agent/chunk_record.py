"""Every chunk on record: a span from before it is sent until it is over, with what the monitor finds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from agent.affordance import EMPTY_GRIP, OPENED
from agent.events import Listener, MonitorRaised, Scored
from agent.monitoring import Mode, Monitoring, Watched
from skills.router import Route
from traces import names
from traces.recorder import Recorder, Span, SpanRef
from traces.span import Links
from vla_low_level.flight import Executed
from vla_low_level.monitor import ChunkMonitor, Finding, Level, worst
from vla_low_level.observation import Observation
from vla_low_level.policy import Instruction, PolicyOutput
from vla_low_level.recording import Facts, instruction_ref, marks_ref, monitor_scores, observation_facts
from vla_low_level.robot import Decision, ExecutionReport


@dataclass(frozen=True, slots=True)
class Told:
    """One attempt, as it is begun.

    Attributes:
        route: The policy.
        instruction: What it is told.
        budget_s: Time that it may take.
        carrying: Something is in the hand and must stay there until the fingers are opened.
        in_turn: A chunk begins only when the one before is over.
        skill: What a calibrated score compares it with; None where plain limits watch.
    """

    route: Route
    instruction: Instruction
    budget_s: float
    carrying: bool
    in_turn: bool
    skill: str | None = None


class ObjectionError(Exception):
    """A chunk must not be sent.

    Attributes:
        finding: Why.
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.name)
        self.finding = finding


class ChunkRecord:
    """Implements `ChunkLog` for one attempt at a subgoal.

    Attributes:
        spans: Of every chunk that was sent.
    """

    def __init__(
        self,
        recorder: Recorder,
        listener: Listener,
        told: Told,
        links: Links,
        monitoring: Monitoring | None = None,
    ) -> None:
        """`links` are what every chunk rests on; without `monitoring` plain limits watch."""
        self._recorder, self._listener, self._told, self._links = recorder, listener, told, links
        self._monitoring = monitoring or Monitoring()
        self._monitor: ChunkMonitor | None = None
        self._watched: Watched | None = None
        self._open: dict[int, tuple[Span, tuple[Finding, ...]]] = {}
        self._judged: dict[int, tuple[Finding, ...]] = {}
        self._warned: set[str] = set()
        self.spans: list[SpanRef] = []

    def before(self, observation: Observation, output: PolicyOutput) -> None:
        """Look at what is about to be sent, and write it down.

        Raises:
            ObjectionError: It must not be sent.
        """
        monitor, at_first = (self._monitor, ()) if self._monitor else self._begin(observation)
        about = self._told.instruction.about
        found = [monitor.check_aim(observation, output, about), *at_first]
        if self._told.carrying:
            found.insert(0, _grip_lost(observation))
        if self._watched is not None:
            found.append(self._watched.see(observation, output, about))
        findings = tuple(finding for finding in found if finding is not None)
        if findings and (serious := worst(findings)).level is Level.ALARM and self.acts:
            self._refuse(findings)
            raise ObjectionError(serious)
        name = names.CHUNK.format(k=len(self.spans))
        span = self._recorder.span(name, self._facts(observation, output), self._links)
        # In turn, what is done from here on is done for this chunk; in real time the next comes meanwhile.
        span = span.__enter__() if self._told.in_turn else span.begin()
        self._open[output.chunk.chunk_id] = (span, findings)
        self.spans.append(span.ref)

    def after(self, executed: Executed) -> None:
        """Write down what became of it."""
        chunk, report = executed.output.chunk, executed.report
        span, findings = self._open.pop(chunk.chunk_id)
        if self._monitor is not None:
            findings = (*self._monitor.check(chunk, report), *findings)
        if self._watched is not None:
            findings = (*findings, self._watched.feel(executed))
        self._judged[chunk.chunk_id] = findings
        _outcome(span, report, marks_ref(self._recorder, report))
        span.set(names.MONITOR_SCORES, monitor_scores(findings))
        if self._watched is not None:
            parts = {name: round(score, 4) for name, score in sorted(self._watched.parts.items())}
            span.set(names.MONITOR_CHANNELS, json.dumps(parts))
        for finding in findings:
            self._note(span, finding)
        span.finish()
        self._listener(Scored(tuple((f.name, f.level.value, f.score, f.threshold) for f in findings)))

    @property
    def acts(self) -> bool:
        """Whether alarms are acted upon."""
        return self._monitoring.mode is Mode.ACT

    @property
    def score(self) -> float | None:
        """The attempt's calibrated score so far; None where nothing is calibrated."""
        return None if self._watched is None else self._watched.score

    def findings(self, executed: Executed) -> tuple[Finding, ...]:
        """What the monitor found in a chunk that is over. Once."""
        return self._judged.pop(executed.output.chunk.chunk_id)

    def close(self) -> None:
        """End what is still open: the arm holds, and nothing more is heard of those chunks."""
        for span, _ in self._open.values():
            span.fail("ABANDONED", "the attempt ended before the chunk did")
            span.finish()
        self._open.clear()

    def _begin(self, observation: Observation) -> tuple[ChunkMonitor, tuple[Finding, ...]]:
        """The first look of the attempt: who watches it from here on, and what is to be said about that."""
        route, at_first = self._told.route, tuple[Finding, ...]()
        if strangers := self._monitoring.strangers(route, observation):
            # Plain limits watch instead, and nobody should think otherwise.
            at_first = (Finding("monitor_cameras", Level.WARN, len(strangers), 0),)
        else:
            self._watched = self._monitoring.begin(route, self._told.skill, observation.time_s)
        bounds = self._monitoring.thresholds(route, calibrated=self._watched is not None)
        self._monitor = ChunkMonitor(observation.time_s, self._told.budget_s, bounds)
        return self._monitor, at_first

    def _refuse(self, findings: Sequence[Finding]) -> None:
        """A chunk that is not sent has no span: what was found stands in the attempt's."""
        for finding in findings:
            if finding.level is not Level.OK:
                self._recorder.log(names.ALARM, _alarm_facts(finding))

    def _facts(self, observation: Observation, output: PolicyOutput) -> Facts:
        """What was observed and what is asked for; it stands in the start record, before anything moves."""
        chunk = output.chunk
        return {
            **observation_facts(self._recorder, observation, self._told.route.policy.cameras),
            names.INSTRUCTION_REF: instruction_ref(self._recorder, self._told.instruction),
            names.POLICY_FEATURES_REF: self._recorder.arrays(**output.features) if output.features else None,
            names.CHUNK_REF: self._recorder.arrays(actions=chunk.actions),
            names.CHUNK_ID: chunk.chunk_id,
            names.CHUNK_RATE_HZ: chunk.rate_hz,
            names.CHUNK_EXPIRES_S: chunk.expires_s,
            names.POLICY_ID: chunk.policy_id,
            names.ROUTE: self._told.route.kind.value,
            names.POLICY_PROGRESS: output.progress,
        }

    def _note(self, span: Span, finding: Finding) -> None:
        """All of it goes into the trace. A person hears of a warning once, of alarms when they act."""
        if finding.level is Level.OK:
            return
        span.log(names.ALARM, _alarm_facts(finding))
        if finding.level is Level.WARN and finding.name not in self._warned:
            self._warned.add(finding.name)
            self._listener(MonitorRaised(finding.name, "warn", finding.score, finding.threshold))


def _alarm_facts(finding: Finding) -> dict[str, object]:
    return {
        names.MONITOR_NAME: finding.name,
        names.MONITOR_LEVEL: finding.level.value,
        names.MONITOR_SCORE: finding.score,
        names.MONITOR_THRESHOLD: finding.threshold,
    }


def _outcome(span: Span, report: ExecutionReport, marks: str | None) -> None:
    verdict = report.verdict
    span.update(
        {
            names.CHUNK_STEPS_EXECUTED: report.steps_executed,
            names.CHUNK_ROWS_EXECUTED: report.rows_executed,
            names.GUARD_DECISION: verdict.decision.value,
            names.STATE_HASH: report.state_hash,
            names.STATE_MARKS_REF: marks,
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


def _grip_lost(observation: Observation) -> Finding | None:
    """The fingers are told to hold, and have closed on nothing."""
    body = observation.proprioception
    if body.last_command[6] < OPENED and body.gripper_opening < EMPTY_GRIP:
        return Finding("grip_opening", Level.ALARM, body.gripper_opening, EMPTY_GRIP)
    return None
