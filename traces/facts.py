"""The few facts of each kind of span that a person wants to see first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from traces import names
from traces.run import RecordedSpan

FACTS: Final[Mapping[str, tuple[str, ...]]] = {
    "invoke_workflow": (names.COMMAND_TEXT, names.OUTCOME, names.OUTCOME_CODE),
    "tandem.perceive": (names.PERCEIVED_OBJECTS,),
    "plan": (
        names.PLAN_VERSION,
        names.PLAN_TRIGGER,
        names.PLAN_DECISION,
        names.PLAN_NODES,
        names.PROOF_ERROR,
    ),
    "chat": (names.INPUT_TOKENS, names.OUTPUT_TOKENS),
    "execute_tool": (names.SKILL_SUBGOAL, names.SKILL_ATTEMPT, names.ROUTE, names.SKILL_REASON),
    "chunk": (names.POLICY_ID, names.CHUNK_ROWS_EXECUTED, names.GUARD_DECISION),
    "tandem.evaluate": (names.EVALUATION_NAME, names.EVALUATION_LABEL, names.EVALUATION_EXPLANATION),
    "tandem.ask": (names.ASK_QUESTION, names.ASK_ANSWER),
}
NEAR: Final = 0.5
"""Scores from this share of their bound on are worth showing."""


def kind_of(span: RecordedSpan) -> str:
    """The first word of a span's name, which says what it is."""
    return span.name.split(" ", 1)[0]


def facts_of(span: RecordedSpan) -> list[tuple[str, object]]:
    """Attribute and value of what stands in `FACTS` for this kind of span."""
    return [(key, span.attributes[key]) for key in FACTS.get(kind_of(span), ()) if key in span.attributes]


def scores_of(span: RecordedSpan) -> dict[str, tuple[float, float | None]]:
    """The monitor's scores on a chunk, each with its bound; a bound of None never alarms."""
    try:
        told = json.loads(str(span.attributes.get(names.MONITOR_SCORES, "{}")))
        return {
            str(name): (float(score), None if bound is None else float(bound))
            for name, (score, bound) in told.items()
        }
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}


def near_scores(span: RecordedSpan, share: float = NEAR) -> list[str]:
    """Scores that come near their bounds or pass them, in words."""
    return [
        f"{name} {score:.3g} of {bound:.3g}"
        for name, (score, bound) in scores_of(span).items()
        if bound and score >= share * bound
    ]
