"""Which words led to which steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.planner.protocol import Plan
from agent.planner.weave import subject
from skills.library import CloseDrawer, OpenDrawer, Press, Skill


@dataclass(frozen=True, slots=True)
class Reason:
    """A step of the plan and where it comes from.

    Attributes:
        node: Its id.
        words: What was said of it.
        meaning: The step of the logical form that it belongs to, as compact JSON.
    """

    node: str
    words: tuple[str, ...]
    meaning: str


def explain(plan: Plan, said: Sequence[tuple[str, ...]]) -> tuple[Reason, ...]:
    """A reason for every node. `said` holds, for each step of the form, the words that it was read from."""
    if plan.form is None:
        return ()
    reasons = []
    for node in plan.graph.nodes:
        about = _about(node.skill)
        for number, goals in enumerate(plan.task):
            if about in {subject(goal) for goal in goals}:
                words = said[number] if number < len(said) else ()
                step = plan.form.steps[number]
                meaning = step.model_dump_json(exclude_defaults=True)
                reasons.append(Reason(node.id, words, meaning))
    return tuple(reasons)


def _about(skill: Skill) -> str:
    match skill:
        case OpenDrawer() | CloseDrawer():
            return "drawer"
        case Press():
            return "lamp"
    return skill.subject
