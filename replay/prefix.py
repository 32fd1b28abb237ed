"""The recorded part of a run that goes on: stand-ins that repeat what was decided, up to a chunk.

Today's modules decide along in the prefix, so that their counters and phases stand where they stood, but what
was recorded is what counts; from the chosen chunk on the successors decide alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from agent.decisions import Decision
from agent.planner.protocol import History, Planner
from agent.sight import Perceiver
from replay.motion import ChunkMotion
from replay.recorded import Inputs
from skills.library import Skill
from skills.router import PolicyKind, Route, Router
from skills.scene import Scene
from traces import names
from traces.errors import TandemError
from traces.run import RecordedSpan, Run
from vla_low_level.action import MAX_HORIZON, ActionChunk
from vla_low_level.observation import Observation
from vla_low_level.passing_robot import PassingRobot
from vla_low_level.policy import Instruction, Policy, PolicyOutput
from vla_low_level.robot import ExecutionReport, Robot

_FAULTS = (TandemError, ValueError, TypeError, LookupError, ArithmeticError, RuntimeError)


class Prefix:
    """How far the repetition is.

    Attributes:
        until: Chunks that are repeated.
        done: Chunks that have been.
        drifted: Repeated chunks that today's policy would have made differently.
    """

    def __init__(self, run: Run, motions: Sequence[ChunkMotion], until: int) -> None:
        """`motions` are the run's chunks; the first `until` of them are repeated."""
        self.until, self.done, self.drifted = until, 0, 0
        self.motions = motions
        spans = run.named(names.CHUNK)
        self.spans = spans
        end_ns = spans[until].start_ns if until < len(spans) else run.last_ns + 1
        self.inputs = Inputs(run)
        self.scenes = _before(run, names.PERCEIVE, names.PERCEIVED_REF, end_ns)
        self.plans = [
            span
            for span in _before(run, names.PLAN, names.PLAN_DECISION_REF, end_ns)
            if span.attributes.get(names.PLAN_TRIGGER) != "recheck" or not self._has_form(span, run)
        ]
        self.answers = [
            str(span.attributes[names.ASK_ANSWER])
            for span in _before(run, names.ASK, names.ASK_ANSWER, end_ns)
        ]

    @property
    def over(self) -> bool:
        """Whether everything that was to be repeated has been."""
        return self.done >= self.until

    def _has_form(self, span: RecordedSpan, run: Run) -> bool:
        """Whether the executive grounded an earlier form again, instead of asking the planner."""
        earlier = [plan for plan in run.named(names.PLAN) if plan.start_ns < span.start_ns]
        refs = [plan.attributes.get(names.PLAN_DECISION_REF) for plan in earlier]
        return any(ref and run.blobs.get_json(ref).get("form") for ref in refs)


def _before(run: Run, name: str, key: str, end_ns: int) -> list[RecordedSpan]:
    return [span for span in run.named(name) if span.start_ns < end_ns and key in span.attributes]


def diverged(where: str, why: str) -> TandemError:
    """The repetition cannot go on: something before the chosen chunk comes out differently now."""
    return TandemError(
        "REPLAY_DIVERGED",
        f"{where}: {why}",
        fix="`tandem replay RUN --level decisions` says what has changed since; fork an earlier chunk",
    )


class PrefixPerceiver:
    """Says what was seen then, later what is seen now."""

    def __init__(self, prefix: Prefix, then: Perceiver) -> None:
        self._prefix, self._then, self._next = prefix, then, 0

    def __call__(self, observation: Observation, before: Scene | None, held: str | None) -> Scene:
        """Perceive."""
        number, self._next = self._next, self._next + 1
        if number < len(self._prefix.scenes):
            return self._prefix.inputs.scene(self._prefix.scenes[number], names.PERCEIVED_REF)
        return self._then(observation, before, held)


class PrefixPlanner:
    """Says what was planned then, later what is planned now."""

    def __init__(self, prefix: Prefix, then: Planner) -> None:
        self._prefix, self._then, self._next = prefix, then, 0
        self.planner_id = then.planner_id

    def plan(self, instruction: str, scene: Scene, history: Sequence[History]) -> Decision:
        """Plan."""
        number, self._next = self._next, self._next + 1
        if number < len(self._prefix.plans):
            return self._prefix.inputs.decision(self._prefix.plans[number])
        return self._then.plan(instruction, scene, history)


class PrefixRouter(Router):
    """Routes as then, later as now; an attempt that is under way changes hands where that is possible."""

    def __init__(self, prefix: Prefix, before: Router, then: Router) -> None:
        self._prefix, self._before, self._then = prefix, before, then

    def route(self, skill: Skill, scene: Scene, attempt: int = 1) -> Route:
        """The policy for this attempt."""
        if self._prefix.over:
            return self._then.route(skill, scene, attempt)
        route = self._before.route(skill, scene, attempt)
        successor = None
        if self._then is not self._before:
            wanted = self._then.route(skill, scene, attempt)
            # A specialist needs a pose, and only an attempt that began as a specialist's has one.
            fits = wanted.kind is PolicyKind.GENERALIST or route.kind is PolicyKind.SPECIALIST
            successor = wanted.policy if fits else None
        return replace(route, policy=PrefixPolicy(self._prefix, route.policy, successor))


class PrefixPolicy:
    """Repeats recorded chunks, then lets the policy or its successor act."""

    def __init__(self, prefix: Prefix, policy: Policy, successor: Policy | None) -> None:
        self._prefix, self._policy, self._successor = prefix, policy, successor

    @property
    def policy_id(self) -> str:
        """Of whoever acts now."""
        return self._now().policy_id

    @property
    def cameras(self) -> tuple[str, ...]:
        """What either needs: whoever runs an attempt asks once, before it changes hands."""
        later = self._successor.cameras if self._successor else ()
        return (*self._policy.cameras, *(camera for camera in later if camera not in self._policy.cameras))

    @property
    def replan_rows(self) -> int:
        """All there are; `act` gives no more than are to be carried out."""
        return MAX_HORIZON

    def reset(self) -> None:
        """A new subgoal begins."""
        self._now().reset()

    def act(self, observation: Observation, instruction: Instruction) -> PolicyOutput:
        """The next chunk. Raises `TandemError` (`REPLAY_DIVERGED`)."""
        if self._prefix.over:
            return _cut(self._now().act(observation, instruction), self._now())
        motion, span = self._prefix.motions[self._prefix.done], self._prefix.spans[self._prefix.done]
        recorded = int(span.attributes[names.OBSERVATION_SEQUENCE])
        if observation.sequence < recorded:
            # What was said here then was not carried out: the monitor objected. It does so again.
            return _cut(self._policy.act(observation, instruction), self._policy)
        told = self._prefix.inputs.instruction(span)
        if observation.sequence > recorded or told.text != instruction.text:
            raise diverged(span.name, f"the policy is now told {instruction.text!r}, then {told.text!r}")
        features = {}
        try:
            now = _cut(self._policy.act(observation, instruction), self._policy)
            features = dict(now.features)
            self._prefix.drifted += not np.array_equal(now.chunk.actions, motion.chunk.actions)
        except _FAULTS:
            self._prefix.drifted += 1
        return PolicyOutput(motion.chunk, float(span.attributes[names.POLICY_PROGRESS]), features)

    def _now(self) -> Policy:
        if self._prefix.over and self._successor is not None:
            if self._policy is not self._successor:
                self._policy = self._successor
                self._policy.reset()
            return self._successor
        return self._policy


def _cut(output: PolicyOutput, policy: Policy) -> PolicyOutput:
    """Only the rows that are to be carried out before the next look."""
    rows = output.chunk.actions[: policy.replan_rows]
    return replace(output, chunk=replace(output.chunk, actions=rows))


class PrefixRobot(PassingRobot):
    """Checks that the repetition is one, to the last bit."""

    def __init__(self, robot: Robot, prefix: Prefix) -> None:
        super().__init__(robot)
        self._prefix = prefix
        self.last_hash = ""

    def execute(self, chunk: ActionChunk) -> ExecutionReport:
        """Carry out a chunk. Raises `TandemError` (`REPLAY_DIVERGED`)."""
        report = self._robot.execute(chunk)
        self.last_hash = report.state_hash
        if not self._prefix.over:
            motion = self._prefix.motions[self._prefix.done]
            if report.state_hash != motion.state_hash:
                raise diverged(motion.label, "the physical state comes out differently")
        self._prefix.done += 1
        return report
