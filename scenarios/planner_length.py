"""Plans against the oracle: how many more steps than the shortest plan for the same goal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.planner.protocol import Plan, Question, Refusal
from skills.scene import Scene
from skills.search import shortest


@dataclass(frozen=True, slots=True)
class Length:
    """Steps of a plan, and of the shortest one that reaches its goal."""

    steps: int
    least: int


def length(decision: Plan | Question | Refusal, scene: Scene) -> Length | None:
    """None for what moves nothing, and where an order that is asked for may need more steps than the goal."""
    if not isinstance(decision, Plan) or not decision.graph:
        return None
    if decision.form is None or any(step.then for step in decision.form.steps):
        return None
    best = shortest(scene, decision.goal)
    return Length(len(decision.graph.nodes), len(best)) if best else None


def against_oracle(lengths: Sequence[Length | None]) -> str:
    """Mean excess over the shortest plan, and how many plans it is the mean of."""
    known = [found for found in lengths if found is not None]
    if not known:
        return "no plan to compare"
    excess = sum(found.steps / found.least - 1 for found in known) / len(known)
    longer = sum(found.steps > found.least for found in known)
    return f"{100 * excess:.1f} % longer than the shortest ({longer} of {len(known)} plans are longer)"
