"""A planner on the hand-written sets: run every case, judge it, count by family."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from agent.planner.judge import Judgement, Verdict, judge
from agent.planner.protocol import Correction, Plan, Planner, Question, Refusal
from scenarios.planner_cases import Case, scene
from scenarios.planner_length import Length, against_oracle, length
from scenarios.statistics import quantile, wilson
from skills.scene import Scene
from skills.verify import prove
from traces.errors import TandemError

# Verdicts under which nothing moves although something else was wanted.
STILL = (Verdict.ASKED, Verdict.REFUSED, Verdict.IDLE, Verdict.UNPROVED)


@dataclass(frozen=True, slots=True)
class Result:
    """A case, what was made of it, how long planning, grounding and proof took, s, and the plan's length."""

    case: Case
    judgement: Judgement
    steps: int
    wall_s: float
    length: Length | None = None


def run(planner: Planner, cases: Iterable[Case]) -> list[Result]:
    """Plan and judge every case."""
    return [_one(planner, case) for case in cases]


def _one(planner: Planner, case: Case) -> Result:
    seen = scene(case.scene)
    began = time.monotonic()
    decision = _decide(planner, case.said, seen, ())
    if case.correction:
        decision = _decide(planner, case.said, seen, (Correction(case.correction),))
    if isinstance(decision, Plan):
        prove(decision.graph, seen, decision.goal)
    wall_s = time.monotonic() - began
    steps = len(decision.graph.nodes) if isinstance(decision, Plan) else 0
    return Result(case, judge(case, seen, decision), steps, wall_s, length(decision, seen))


def _decide(
    planner: Planner, said: str, seen: Scene, history: tuple[Correction, ...]
) -> Plan | Question | Refusal:
    """The planner's word; a planner that fails has refused."""
    try:
        return planner.plan(said, seen, history)
    except TandemError as error:
        return Refusal(error.code, error.message, error.fix)


def figures(results: list[Result]) -> dict[str, object]:
    """Rates over all results, and how many are right in each family."""
    n = len(results)
    count = Counter(r.judgement.verdict for r in results)
    families = Counter(r.case.family for r in results)
    right = Counter(r.case.family for r in results if r.judgement.verdict is Verdict.RIGHT)
    return {
        "n": n,
        "right": str(wilson(count[Verdict.RIGHT], n)),
        "nothing moves": str(wilson(sum(count[v] for v in STILL), n)),
        "moves too little": str(wilson(count[Verdict.PARTLY], n)),
        "acts on a wrong object or place": str(wilson(count[Verdict.WRONG], n)),
        "violates a precondition": sum(bool(r.judgement.violated) for r in results),
        "by family": {name: f"{right[name]}/{total}" for name, total in families.items()},
        "right plans": against_oracle([r.length for r in results if r.judgement.verdict is Verdict.RIGHT]),
        "median_s": round(quantile([r.wall_s for r in results], 0.5), 4),
        "p95_s": round(quantile([r.wall_s for r in results], 0.95), 4),
    }


def halves(results: list[Result]) -> dict[str, str]:
    """Right in the cases that may be looked at while the planner is made, and in those that may not."""
    told = {}
    for name, half in (("development", results[::2]), ("blind", results[1::2])):
        right = sum(r.judgement.verdict is Verdict.RIGHT for r in half)
        told[name] = str(wilson(right, len(half)))
    return told


def cautious(results: list[Result]) -> str:
    """How often a planner that should ask or refuse does: any way of moving nothing counts."""
    still = sum(r.judgement.verdict in (*STILL, Verdict.RIGHT) for r in results)
    return str(wilson(still, len(results)))


def refused(results: list[Result]) -> str:
    """How often a request that can be done is refused. Asking is no refusal."""
    doable = [r for r in results if r.case.ends]
    return str(wilson(sum(r.judgement.verdict is Verdict.REFUSED for r in doable), len(doable)))


def show_failures(results: list[Result]) -> None:
    """Each case of the development half that is not right, on stderr."""
    for result in results[::2]:
        if result.judgement.verdict is not Verdict.RIGHT:
            said = f"{result.case.said} >> {result.case.correction}".removesuffix(" >> ")
            told, detail = result.judgement.verdict.value, result.judgement.detail[:150]
            sys.stderr.write(f"{told:9}{result.case.family:11}{said}  [{detail}]\n")
