"""The embedded planner's model on a server: `python -m scenarios.bench_served URL#MODEL`.

Does it write what the model in this process writes, on every hand-written line, and how many sketches a
second with 1, 8 and 32 requests in flight? The server must serve `agent/planner/weights` in float32.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from agent.planner.embedded import EmbeddedPlanner, LocalWriter
from agent.planner.language_model import FOLDER
from agent.planner.mentions import Marked
from agent.planner.served import ServedWriter
from scenarios.planner_cases import cases
from scenarios.statistics import quantile, wilson

FILES = ("instructions", "words", "unclear")
IN_FLIGHT = (1, 8, 32)


@dataclass(frozen=True, slots=True)
class Difference:
    """A sentence that the two read differently."""

    marked: str
    here: str
    there: str


def sentences(planner: EmbeddedPlanner) -> Iterator[Marked]:
    """What the model reads of each hand-written line, and of each correction."""
    for file in FILES:
        for case in cases(file):
            yield planner.marked(f"{case.said} | {case.correction}" if case.correction else case.said)


def compare(
    local: LocalWriter, served: ServedWriter, asked: Sequence[Marked]
) -> tuple[list[Difference], float]:
    """Where greedy sketches differ, and by how much probabilities do at most; eight requests in flight."""
    different, most = [], 0.0
    with ThreadPoolExecutor(8) as pool:
        for marked, there in zip(asked, pool.map(served.write, asked), strict=True):
            here = local.write(marked)
            if here.text != there.text:
                different.append(Difference(marked.text, here.text, there.text))
            else:
                most = max(most, abs(here.least - there.least))
    return different, most


def speed(served: ServedWriter, asked: Sequence[Marked], in_flight: int) -> dict[str, float]:
    """Sketches a second, and how long one takes, s."""
    took: list[float] = []

    def one(marked: Marked) -> None:
        began = time.monotonic()
        served.write(marked)
        took.append(time.monotonic() - began)

    began = time.monotonic()
    with ThreadPoolExecutor(in_flight) as pool:
        list(pool.map(one, asked))
    wall_s = time.monotonic() - began
    told = {"requests/s": len(asked) / wall_s, "median_s": quantile(took, 0.5), "p95_s": quantile(took, 0.95)}
    return {name: round(value, 3) for name, value in told.items()}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("server", metavar="URL#MODEL", help="for example http://127.0.0.1:8000/v1#planner")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="compare every N-th line only")
    parser.add_argument(
        "--deadline-s", type=float, default=600.0, help="of each request; the first one warms up"
    )
    parser.add_argument("--count", type=int, default=200, help="requests for each figure of speed")
    args = parser.parse_args()
    url, _, model = args.server.partition("#")
    local, served = LocalWriter(FOLDER), ServedWriter(url, model, deadline_s=args.deadline_s)
    asked = [m for m in sentences(EmbeddedPlanner(writer=local)) if local.fits(m)][:: args.every]
    different, most = compare(local, served, asked)
    told: dict[str, object] = {
        "model": local.name,
        "equal": str(wilson(len(asked) - len(different), len(asked))),
        "probabilities differ at most by": float(f"{most:.2g}"),
        "different": [f"{d.marked} => {d.here} / {d.there}" for d in different],
    }
    told |= {
        f"{n} in flight": speed(served, (asked * (args.count // len(asked) + 1))[: args.count], n)
        for n in IN_FLIGHT
    }
    sys.stdout.write(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
