"""Where do two runs part? The first decision or outcome that is not the same, and on whose side it lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from traces import names
from traces.facts import kind_of
from traces.run import RecordedSpan, Run

# What a span was given, and what came out of it, by the first word of its name.
INPUTS: Final = {
    "plan": (names.PLAN_TRIGGER, names.PLAN_HISTORY_REF),
    "chunk": (names.PROPRIOCEPTION_REF, names.TABLE_REF, names.WRIST_REF, names.INSTRUCTION_REF),
    "tandem.perceive": (names.OVERHEAD_REF, names.DEPTH_REF, names.PERCEPTION_HELD),
}
OUTPUTS: Final = {
    "invoke_workflow": (names.COMMAND_TEXT,),
    "tandem.perceive": (names.PERCEIVED_REF,),
    "plan": (names.PLAN_DECISION, names.PLAN_DECISION_REF, names.PLAN_REF),
    "execute_tool": (names.TOOL_ARGUMENTS, names.SKILL_ATTEMPT, names.ROUTE, names.SKILL_SUBGOAL),
    "chunk": (names.POLICY_ID, names.CHUNK_REF, names.GUARD_DECISION, names.STATE_HASH),
    "tandem.evaluate": (names.EVALUATION_NAME, names.EVALUATION_LABEL),
    "tandem.ask": (names.ASK_QUESTION, names.ASK_ANSWER),
}
_FACTS: Final = (
    names.COMMAND_TEXT,
    names.SCENE_NAME,
    names.SCENE_REF,
    names.SEED,
    names.EMBODIMENT,
    names.PLANNER_ID,
    names.CODE_VERSION,
    names.CONFIG,
    names.PARENT_OVERRIDES,
)
WORLD: Final = "the world"
_MAKER: Final = {
    "tandem.perceive": "perception",
    "plan": "the planner",
    "execute_tool": "the executive and its router",
    "chunk": "the policy",
    "tandem.evaluate": "the success test",
    "tandem.ask": "the person",
}


@dataclass(frozen=True, slots=True)
class Parting:
    """The first thing that is different.

    Attributes:
        number: How many spans before it are the same in both runs.
        first: The span in the first run; None when that run ends here.
        second: The same in the second run.
        key: The attribute that differs; empty when the spans are not even of one name.
        values: Its two values.
        whose: Who made the difference: `the policy`, `the planner`, `the world`, ...
    """

    number: int
    first: RecordedSpan | None
    second: RecordedSpan | None
    key: str
    values: tuple[object, object]
    whose: str


@dataclass(frozen=True, slots=True)
class RunDiff:
    """Two runs compared.

    Attributes:
        facts: What differed from the start: attribute and both values.
        parting: Where they part; None when every span says the same.
        spans: How many spans each run has that are compared.
    """

    facts: tuple[tuple[str, object, object], ...]
    parting: Parting | None
    spans: tuple[int, int]


def diff_runs(first: Run, second: Run) -> RunDiff:
    """Compare two runs, span by span in the order in which they started; times do not count."""
    facts = tuple(
        (key, first.attributes.get(key), second.attributes.get(key))
        for key in _FACTS
        if first.attributes.get(key) != second.attributes.get(key)
    )
    one, two = _decisions(first), _decisions(second)
    return RunDiff(facts, _parting(one, two), (len(one), len(two)))


def _decisions(run: Run) -> list[RecordedSpan]:
    spans = [span for _, span in run.walk() if kind_of(span) in OUTPUTS]
    return sorted(spans, key=lambda span: span.start_ns)


def _parting(one: Sequence[RecordedSpan], two: Sequence[RecordedSpan]) -> Parting | None:
    for number, (a, b) in enumerate(zip(one, two, strict=False)):
        if a.name != b.name:
            return Parting(number, a, b, "", (a.name, b.name), _MAKER.get(kind_of(a), "the executive"))
        kind = kind_of(a)
        given = [key for key in INPUTS.get(kind, ()) if a.attributes.get(key) != b.attributes.get(key)]
        for key in OUTPUTS[kind]:
            values = (a.attributes.get(key), b.attributes.get(key))
            if values[0] != values[1]:
                return Parting(number, a, b, key, values, _whose(kind, key, given))
        if given:
            key = given[0]
            return Parting(number, a, b, key, (a.attributes.get(key), b.attributes.get(key)), WORLD)
    if len(one) == len(two):
        return None
    number = min(len(one), len(two))
    a_last = one[number] if number < len(one) else None
    b_last = two[number] if number < len(two) else None
    longer = a_last or b_last
    name = longer.name if longer else ""
    return Parting(number, a_last, b_last, "", (a_last and name, b_last and name), "one run goes on")


def _whose(kind: str, key: str, given: Sequence[str]) -> str:
    """Who made a difference: whoever decided, if what it was given is the same."""
    if key in (names.STATE_HASH, names.GUARD_DECISION):
        return "the body: the same chunk came out differently"
    if given:
        return f"{WORLD}: what was given differs already ({', '.join(given)})"
    return _MAKER.get(kind, "the executive")
