"""The planner on instructions: `python -m scenarios.eval_planner`.

First the hand-written sets in `scenarios/planner/`, judged by running each plan symbolically. Every second
case is blind: its failures are not shown, and nothing is mended by them. Then, of the embedded language
model, generated instructions: exact match of the whole logical form, on new combinations of known template
families, on families that were never trained on, and on what must be refused; then sentences of a person's
own (`planner_hazards.yaml`) that look like commands and are none that the plan language can say.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import yaml

from agent.planner.choose import make_planner
from agent.planner.doubt import doubt
from agent.planner.embedded import MIN_CHOICE_PROBABILITY, EmbeddedPlanner
from agent.planner.generate import Example, example
from agent.planner.logical_form import Intent, LogicalForm
from scenarios.planner_cases import cases
from scenarios.planner_suite import cautious, figures, halves, refused, run, show_failures
from scenarios.statistics import wilson

# Far above the numbers that training and validation use.
FIRST = 30_000_000


def score(planner: EmbeddedPlanner, examples: list[Example]) -> dict[str, object]:
    """How many forms are right, asked about, refused though they could be done, and acted on though wrong."""
    counts = dict.fromkeys(("right", "asked", "refused", "acted_wrongly"), 0)
    for item in examples:
        form = believed(planner, item.instruction)
        if form is None:
            counts["asked"] += 1
        elif form == item.form:
            counts["right"] += 1
        else:
            counts["refused" if refuses(form) else "acted_wrongly"] += 1
    n = len(examples)
    return {"n": n, **{name: asdict(wilson(count, n)) for name, count in counts.items()}}


def believed(planner: EmbeddedPlanner, instruction: str) -> LogicalForm | None:
    """The form that would be acted on or refused by; None when the planner would ask."""
    reading = planner.read(instruction)
    form = LogicalForm.parse(reading.text)
    unsure = reading.least < MIN_CHOICE_PROBABILITY or doubt(form, instruction)
    return None if unsure else form


def refuses(form: LogicalForm) -> bool:
    """Does it move nothing?"""
    return any(goal.intent is Intent.UNKNOWN for goal in form.goals)


def hazards(planner: EmbeddedPlanner) -> dict[str, object]:
    """Sentences that must move nothing, and those that did."""
    said = yaml.safe_load((Path(__file__).parent / "planner_hazards.yaml").read_text(encoding="utf-8"))
    forms = {text: believed(planner, text) for text in said}
    acted = [text for text, form in forms.items() if form is not None and not refuses(form)]
    return {"n": len(said), "acted_on": asdict(wilson(len(acted), len(said))), "which": acted}


def written(spec: str, *, failures: bool) -> dict[str, object]:
    """The hand-written sets, through any planner."""
    planner = make_planner(spec)
    told: dict[str, object] = {"planner": planner.planner_id}
    for file in ("instructions", "words", "unclear"):
        results = run(planner, cases(file))
        told[file] = figures(results) | halves(results)
        if file == "unclear":
            unclear = [r for r in results if r.case.family != "benign"]
            told["unclear: asks or refuses"] = cautious(unclear)
            told["benign: refused"] = refused([r for r in results if r.case.family == "benign"])
        if failures:
            show_failures(results)
    return told


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=400, help="generated instructions of each kind")
    parser.add_argument("--planner", default="embedded", help="embedded, or openai:URL#MODEL")
    parser.add_argument(
        "--failures", action="store_true", help="print failures of the development half on stderr"
    )
    args = parser.parse_args()
    sys.stdout.write(json.dumps(written(args.planner, failures=args.failures), indent=1) + "\n")
    if args.planner == "embedded" and args.count:
        sys.stdout.write(json.dumps(generated(args.count), indent=1) + "\n")


def generated(count: int) -> dict[str, object]:
    """The embedded model on instructions made as its training data is."""
    planner = EmbeddedPlanner()
    numbers = range(FIRST, FIRST + 3 * count)
    known = [example(0, n) for n in numbers]
    doable = [e for e in known if not refuses(e.form)]
    refused = [e for e in known if refuses(e.form)]
    held = [e for e in (example(0, n, held=True) for n in numbers) if not refuses(e.form)]
    return {
        "known families": score(planner, doable[:count]),
        "held-out families": score(planner, held[:count]),
        "to be refused": score(planner, refused[:count]),
        "hazards": hazards(planner),
    }


if __name__ == "__main__":
    main()
