"""The embedded planner on generated instructions: `python -m scenarios.eval_planner --count 400`.

Exact match of the whole logical form, on new combinations of known template families, on families that
were never trained on, and on what must be refused. A form that is doubted counts as asked, not as wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from agent.planner.doubt import doubt
from agent.planner.embedded import MIN_CHOICE_PROBABILITY, EmbeddedPlanner
from agent.planner.generate import Example, example
from agent.planner.logical_form import Intent, LogicalForm
from scenarios.statistics import wilson

# Far above the numbers that training and validation use.
FIRST = 30_000_000


def score(planner: EmbeddedPlanner, examples: list[Example]) -> dict[str, object]:
    """How many forms are right, how many are asked about, and how many would be acted on though wrong."""
    right = asked = wrong = 0
    for item in examples:
        reading = planner.read(item.instruction)
        form = LogicalForm.parse(reading.text)
        if reading.least < MIN_CHOICE_PROBABILITY or doubt(form, item.instruction):
            asked += 1
        elif form == item.form:
            right += 1
        else:
            wrong += 1
    n = len(examples)
    return {
        "n": n,
        "right": asdict(wilson(right, n)),
        "asked": asdict(wilson(asked, n)),
        "wrong": asdict(wilson(wrong, n)),
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=400)
    args = parser.parse_args()
    planner = EmbeddedPlanner()
    numbers = range(FIRST, FIRST + 3 * args.count)
    known = [example(0, n) for n in numbers]
    doable = [e for e in known if all(g.intent is not Intent.UNKNOWN for g in e.form.goals)]
    refused = [e for e in known if any(g.intent is Intent.UNKNOWN for g in e.form.goals)]
    held = [example(0, n, held=True) for n in numbers]
    held = [e for e in held if all(g.intent is not Intent.UNKNOWN for g in e.form.goals)]
    figures = {
        "known families": score(planner, doable[: args.count]),
        "held-out families": score(planner, held[: args.count]),
        "to be refused": score(planner, refused[: args.count]),
    }
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
