"""Asking at plan level: `python -m scenarios.eval_asking`.

Commands that a person has labelled (`scenarios/planner/asking.yaml`), of which half are ambiguous or
impossible. Of an ambiguous one, one meaning is drawn as what the person has in mind. Compared, on the same
probabilities: the prediction set with its calibrated threshold; acting on what has a probability of 0.85,
uncalibrated; and never asking.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from agent.planner.answers import asked_once
from agent.planner.calibrate import AMBIGUOUS, Proposer, conformity, intent_of
from agent.planner.calibration import ALPHA, Calibration, conformal_quantile, find
from agent.planner.candidates import Meaning, Proposal, meanings
from agent.planner.cases import Case, read_cases, scene
from agent.planner.choose import make_planner
from agent.planner.embedded import EmbeddedPlanner
from agent.planner.judge import Verdict, judge
from agent.planner.openai import OpenAIPlanner
from agent.planner.prediction_set import Labels, Threshold, decide
from agent.planner.protocol import Answer, Plan, Question, Refusal
from agent.planner.settled import settled
from scenarios.planner_cases import FOLDER, cases
from scenarios.statistics import wilson

Asking = EmbeddedPlanner | OpenAIPlanner
Decision = Plan | Question | Refusal
ASK = Question("?", (), "NOT_UNDERSTOOD")
SPLITS = 1000
PLAIN = 0.85


@dataclass(frozen=True, slots=True)
class Row:
    """A command, what is meant by it, and what a planner makes of it."""

    case: Case
    intent: Case
    proposals: Sequence[Proposal]
    meant: tuple[Meaning, ...]

    @property
    def score(self) -> float:
        """Nonconformity of what is meant."""
        return 1.0 - conformity(self.case, self.intent, self.meant)


def by_set(threshold: float) -> Callable[[Row], Decision]:
    """Act on, or refuse, the one label that is at least so likely."""

    def choose(row: Row) -> Decision:
        labels = Labels.of(row.meant)
        plans = [m.decision for m in labels.plans if m.probability >= threshold]
        refusals = [m.decision for m in row.meant if isinstance(m.decision, Refusal)]
        if len(plans) == 1 and max(labels.refuse, labels.other) < threshold:
            return plans[0]
        if refusals and not plans and labels.other < threshold <= labels.refuse:
            return refusals[0]
        return ASK

    return choose


def never(row: Row) -> Decision:
    """Do the likeliest thing, doubts or not."""
    return next((m.decision for m in row.meant if not isinstance(m.decision, Question)), Refusal("", ""))


def helped(row: Row, threshold: Threshold) -> tuple[Decision, Decision]:
    """The planner's word, and the end with a person who takes the option that does what they mean."""
    seen = scene(row.case.scene)
    first = asked_once(decide(row.proposals, seen, (), threshold), ())
    if not isinstance(first, Question):
        return first, first
    ends = (settled(seen, (Answer(first, option),)) for option in first.options)
    return first, next((e for e in ends if e and _verdict(row, e) is Verdict.RIGHT), first)


def figures(rows: Sequence[Row], decisions: Sequence[Decision]) -> dict[str, str]:
    """What the targets are about; acting is doing at least one step."""
    pairs = list(zip(rows, decisions, strict=True))
    clear = [(r, d) for r, d in pairs if r.case.family == "clear"]
    unclear = [(r, d) for r, d in pairs if r.case.family != "clear"]
    guessed = [_acts(d) for r, d in pairs if r.case.family == AMBIGUOUS]
    return {
        "asks": _rate(isinstance(d, Question) for _, d in pairs),
        "asks when needless": _rate(isinstance(d, Question) for _, d in clear),
        "refuses what can be done": _rate(isinstance(d, Refusal) for _, d in clear),
        "clear ones right": _rate(_verdict(r, d) is Verdict.RIGHT for r, d in clear),
        "acts on a wrong object or place": _rate(_verdict(r, d) is Verdict.WRONG for r, d in pairs),
        "acts on a guess where it should ask": _rate(guessed),
        "moves nothing where it should ask or refuse": _rate(not _acts(d) for _, d in unclear),
    }


def _acts(decision: Decision) -> bool:
    return isinstance(decision, Plan) and bool(decision.graph)


def _verdict(row: Row, decision: Decision) -> Verdict:
    return judge(row.intent, scene(row.case.scene), decision).verdict


def _rate(events: Iterable[bool]) -> str:
    told = list(events)
    return str(wilson(sum(told), len(told)))


def coverage(rows: Sequence[Row], threshold: float) -> str:
    """How often what is meant is in the set."""
    return _rate(1.0 - row.score >= threshold - 1e-9 for row in rows)


def over_splits(calibration: Sequence[float], test: Sequence[float]) -> dict[str, float]:
    """Coverage when both sets are dealt out anew: on average it is what is guaranteed, single ones vary."""
    scores = np.array([*calibration, *test])
    found = []
    for k in range(SPLITS):
        order = np.random.default_rng([6, 77, k]).permutation(len(scores))
        fit, rest = scores[order[: len(calibration)]], scores[order[len(calibration) :]]
        found.append(float(np.mean(rest <= conformal_quantile(fit.tolist(), ALPHA))))
    low, high = np.quantile(found, [0.05, 0.95])
    return {"mean": round(float(np.mean(found)), 4), "5 %": round(low, 4), "95 %": round(high, 4)}


def rows_of(planner: Proposer, commands: Sequence[Case]) -> Iterator[Row]:
    """Every command with its meanings."""
    for number, case in enumerate(commands, 1):
        seen = scene(case.scene)
        proposals, _ = planner.propose(case.said, seen)
        yield Row(case, intent_of(case), proposals, meanings(proposals, seen, ()))
        if number % 50 == 0:
            sys.stderr.write(f"{number} of {len(commands)} commands\n")


def evaluate(planner: Asking, commands: Sequence[Case]) -> tuple[list[Row], dict[str, object]]:
    """All figures on some commands."""
    threshold = planner.threshold
    rows = list(rows_of(planner, commands))
    talks = [helped(row, threshold) for row in rows]
    doable = [(row, end) for row, (_, end) in zip(rows, talks, strict=True) if row.case.ends]
    told: dict[str, object] = {
        "planner": planner.planner_id,
        "threshold": [round(threshold.value, 4), threshold.basis],
        "n": Counter(row.case.family for row in rows),
        "coverage": _rate(1.0 - row.score >= threshold.value - 1e-9 for row in rows),
        "done as meant, a person answering": _rate(_verdict(r, end) is Verdict.RIGHT for r, end in doable),
        "prediction set": figures(rows, [first for first, _ in talks]),
        f"plain threshold {PLAIN}": figures(rows, [by_set(PLAIN)(r) for r in rows]),
        "never asking": figures(rows, [never(r) for r in rows]),
    }
    return rows, told


def show(planner: Asking, rows: Sequence[Row]) -> None:
    """On stderr, what is not as it should be."""
    for row in rows:
        first, _ = helped(row, planner.threshold)
        verdict = _verdict(row, first)
        if verdict is not Verdict.RIGHT:
            told = "; ".join(f"{m.words[:60]} {m.probability:.2f} {m.doubt}".strip() for m in row.meant[:3])
            sys.stderr.write(f"{row.case.family:11}{verdict.value:9}{row.case.said}  [{told}]\n")


def development() -> list[Case]:
    """The lines that the planner has been tuned by, in the families of this evaluation."""
    families = {"ambiguous": "ambiguous", "impossible": "impossible", "harmful": "impossible"}
    known = [c for file in ("instructions", "words", "unclear") for c in list(cases(file))[::2]]
    return [replace(c, family=families.get(c.family, "clear")) for c in known if not c.correction]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--planner", default="embedded", help="embedded, served:URL#MODEL or openai:URL#MODEL"
    )
    parser.add_argument(
        "--development", action="store_true", help="on lines that the planner was tuned by, with its failures"
    )
    args = parser.parse_args()
    planner = make_planner(args.planner)
    if not isinstance(planner, EmbeddedPlanner | OpenAIPlanner):
        parser.error(f"{args.planner} does not say how likely its plans are")
    commands = development() if args.development else list(read_cases(FOLDER / "asking.yaml"))
    rows, told = evaluate(planner, commands)
    calibration = find(planner.model)
    if args.development:
        show(planner, rows)
    elif isinstance(calibration, Calibration):
        scores = [row.score for row in rows]
        told[f"coverage over {SPLITS} splits"] = over_splits(calibration.scores, scores)
    sys.stdout.write(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
