"""R2: give today's perception, planner, router and policies what the recorded ones saw, and compare.

Nothing moves and no physics runs: every decision is made from the recorded observation, scene, history and
random stream, so a difference is the module's own and not an echo of an earlier one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from agent.modules import Modules
from agent.planner.grounder import ground, kept
from agent.planner.instruction import clean_instruction
from agent.planner.logical_form import LogicalForm
from agent.planner.protocol import Plan, Task
from replay.differences import Difference, decision_difference, output_difference, scene_difference
from replay.recorded import Inputs, check_repeatable, path_of, run_facts
from skills.router import PolicyKind
from traces import names
from traces.errors import TandemError
from traces.run import RecordedSpan, Run, SpanRef

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first decision that comes out differently.

    Attributes:
        ref: Its span.
        label: Where that stands in the run.
        module: `perception`, `planner`, `router` or `policy`.
        difference: What is different, and by how much.
    """

    ref: SpanRef
    label: str
    module: str
    difference: Difference


@dataclass(frozen=True, slots=True)
class DecisionReport:
    """What a decision replay found.

    Attributes:
        compared: How many decisions of each module were made again.
        equal: How many of all came out the same.
        first: The first that did not, in the order in which they were made; None when all did.
    """

    compared: Mapping[str, int]
    equal: int
    first: Divergence | None


def replay_decisions(run: Run, modules: Modules, progress: Progress = lambda _d, _o: None) -> DecisionReport:
    """Make every decision of a run again.

    Raises:
        TandemError: `REPLAY_INCOMPLETE` when the record lacks what a decision was made from,
            `REPLAY_REAL_TIME` or `REPLAY_USED_WORLD` for a run that cannot be repeated, `BLOB_MISSING`,
            `BLOB_CORRUPT`.
    """
    check_repeatable(run)
    today = _Today(run, modules)
    spans = [span for _, span in run.walk() if _module(span)]
    spans.sort(key=lambda span: span.start_ns)
    compared: Counter[str] = Counter()
    equal, first = 0, None
    for number, span in enumerate(spans, 1):
        for module, difference in today.decide(span):
            compared[module] += 1
            equal += difference is None
            if difference is not None and first is None:
                first = Divergence(span.ref, path_of(run, span), module, difference)
        progress(number, len(spans))
    return DecisionReport(dict(compared), equal, first)


_MODULES = {"tandem.perceive": "perception", "plan": "planner", "execute_tool": "router", "chunk": "policy"}


def _module(span: RecordedSpan) -> str:
    return _MODULES.get(span.name.split(" ", 1)[0], "")


Found = Iterator[tuple[str, Difference | None]]


@dataclass
class _Today:
    """Today's modules, and how far the recorded command has come."""

    run: Run
    modules: Modules
    believed: RecordedSpan | None = None
    form: LogicalForm | None = None
    task: Task = ()
    inputs: Inputs = field(init=False)

    def __post_init__(self) -> None:
        self.inputs = Inputs(self.run)
        self.router = self.modules.router()
        self.deciders = {
            "perception": self._perceive,
            "planner": self._plan,
            "router": self._route,
            "policy": self._act,
        }

    def decide(self, span: RecordedSpan) -> Found:
        """Make a span's decision again; nothing comes where the record holds none, as in a killed run."""
        module = _module(span)
        yield from ((module, difference) for difference in self.deciders[module](span))

    def _perceive(self, span: RecordedSpan) -> Iterator[Difference | None]:
        before = self.inputs.scene(self.believed, names.BELIEVED_REF) if self.believed else None
        if names.PERCEIVED_REF not in span.attributes:
            return
        held = span.attributes.get(names.PERCEPTION_HELD)
        now = self.modules.perceiver(self.inputs.observation(span), before, held)
        self.believed = span
        yield scene_difference(self.inputs.scene(span, names.PERCEIVED_REF), now)

    def _plan(self, span: RecordedSpan) -> Iterator[Difference | None]:
        if self.believed is None or names.PLAN_DECISION_REF not in span.attributes:
            return
        scene = self.inputs.scene(self.believed, names.BELIEVED_REF)
        history = self.inputs.history(span)
        recorded = self.inputs.decision(span)
        recheck = span.attributes.get(names.PLAN_TRIGGER) == "recheck"
        try:
            if self.form is not None and recheck:
                now = ground(self.form, scene, history, self.task)
            else:
                text = clean_instruction(str(run_facts(self.run)[names.COMMAND_TEXT]))
                now = self.modules.planner.plan(text, scene, history)
                now = kept(now, self.form, self.task, scene, history)
        except TandemError as error:
            yield Difference(f"it now fails: {error.code}: {error.message}")
        else:
            yield decision_difference(recorded, now)
        if isinstance(recorded, Plan):
            self.form, self.task = recorded.form, recorded.task

    def _route(self, span: RecordedSpan) -> Iterator[Difference | None]:
        kind = span.attributes[names.ROUTE]
        if kind == PolicyKind.GENERALIST.value and PolicyKind.GENERALIST in self.modules.policies:
            # As at the beginning of every attempt; its noise is keyed by how often that was.
            self.modules.policies[PolicyKind.GENERALIST].reset()
        if self.believed is None:
            return
        scene = self.inputs.scene(self.believed, names.BELIEVED_REF)
        attempt = int(span.attributes[names.SKILL_ATTEMPT])
        try:
            now = self.router.route(self.inputs.skill(span), scene, attempt)
        except TandemError as error:
            yield Difference(f"it now fails: {error.code}: {error.message}")
            return
        then = (kind, span.attributes[names.SKILL_SUBGOAL])
        same = then == (now.kind.value, now.subgoal)
        yield None if same else Difference(f"{then} is now {(now.kind.value, now.subgoal)}")

    def _act(self, span: RecordedSpan) -> Iterator[Difference | None]:
        kind = PolicyKind(span.attributes.get(names.ROUTE, PolicyKind.SPECIALIST))
        policy = self.modules.policies.get(kind)
        if policy is None:
            yield Difference(f"there is no {kind.value} now")
            return
        if kind is PolicyKind.SPECIALIST and span.name == names.CHUNK.format(k=0):
            policy.reset()
        told = (self.inputs.observation(span), self.inputs.instruction(span))
        try:
            now = policy.act(*told)
        except (TandemError, ValueError, TypeError, LookupError, ArithmeticError, RuntimeError) as error:
            yield Difference(f"it now fails: {error}")
            return
        recorded = self.run.blobs.get_arrays(span.attributes[names.CHUNK_REF])["actions"]
        progress = float(span.attributes[names.POLICY_PROGRESS])
        yield output_difference(recorded, progress, now, policy.replan_rows)
