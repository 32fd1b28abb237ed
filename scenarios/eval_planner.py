"""The planner on instructions: `python -m scenarios.eval_planner`.

First the hand-written sets in `scenarios/planner/`, judged by running each plan symbolically. Every second
case is blind: its failures are not shown, and nothing is mended by them. Then, of the embedded planner,
generated instructions on random scenes: of known template families and of families that were never trained
on; then sentences of a person's own (`planner_hazards.yaml`) that look like commands and are none.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import yaml

from agent.planner.choose import make_planner
from agent.planner.embedded import EmbeddedPlanner
from agent.planner.generate import example
from agent.planner.grammar import HELD
from agent.planner.protocol import Plan
from scenarios.planner_cases import cases, scene
from scenarios.planner_generated import score
from scenarios.planner_suite import cautious, figures, halves, refused, run, show_failures
from scenarios.statistics import wilson

# Far above the numbers that training and validation use.
FIRST = 30_000_000


def hazards(planner: EmbeddedPlanner) -> dict[str, object]:
    """Sentences that look like commands and must not be acted on, on a scene where they could be."""
    said = yaml.safe_load((Path(__file__).parent / "planner_hazards.yaml").read_text(encoding="utf-8"))
    table = scene("dinner")
    plans = {text: planner.plan(text, table, ()) for text in said}
    acted = [text for text, plan in plans.items() if isinstance(plan, Plan) and plan.graph]
    return {"n": len(said), "acted on": str(wilson(len(acted), len(said))), "which": acted}


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
    numbers = range(FIRST, FIRST + count)
    return {
        "generated, unseen scenes": score(planner, (example(0, n) for n in numbers)),
        "generated, template families held out": score(planner, (example(0, n, kept=HELD) for n in numbers)),
        "hazards": hazards(planner),
    }


if __name__ == "__main__":
    main()
