"""Runs of every fate to measure traces on: `python -m scenarios.trace_corpus runs/corpus --count 500`.

Commands, scenes and arms in turn, each seed with a fate of its own: left alone, stopped by hand,
cancelled, or killed with `kill -9` at a random moment. Every run is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from traces.index import list_runs
from traces.storage import TRACE_FILE

FIRST_SEED = 7_000_000
START_S = 90.0
RUN_S = 300.0

_COMMANDS = (
    ("clear the table", "cubes", ()),
    ("sort the cubes by colour", "cubes", ()),
    ("put all cups in the sink", "table", ()),
    ("open the drawer", "kitchen", ("--planner", "subgoal")),
    ("turn the lamp on", "kitchen", ("--planner", "subgoal", "--arm", "xarm6")),
    ("put the red cup in the sink", "two_red_cups", ()),
    ("put a cube in the tray", "one_of_each", ("--policy", "generalist")),
    ("clear the table", "one_of_each", ("--arm", "kuka_iiwa")),
)
# What becomes of it, and how often.
_FATES = {"left": 0.55, "stopped": 0.15, "cancelled": 0.1, "killed": 0.2}
_SIGNALS = {
    "stopped": (signal.SIGINT, signal.SIGINT),
    "cancelled": (signal.SIGINT,),
    "killed": (signal.SIGKILL,),
    "left": (),
}


@dataclass(frozen=True, slots=True)
class Order:
    """One run to make.

    Attributes:
        folder: Where it goes.
        words: The command line.
        fate: One of `_FATES`.
        after_s: When the fate strikes, counted from the first record.
    """

    folder: Path
    words: tuple[str, ...]
    fate: str
    after_s: float


def orders(folder: Path, count: int) -> list[Order]:
    """The runs of a corpus; the same count is always the same corpus, and a larger one continues it."""
    made = []
    for number in range(count):
        rng = np.random.default_rng([FIRST_SEED, number])
        text, scene, more = _COMMANDS[number % len(_COMMANDS)]
        fate = str(rng.choice(list(_FATES), p=list(_FATES.values())))
        seed = str(FIRST_SEED + number)
        words = (text, "--scene", scene, "--seed", seed, "--no-ask", *more)
        made.append(Order(folder / f"run-{number:05d}", words, fate, float(rng.uniform(1.0, 16.0))))
    return made


def make(order: Order) -> None:
    """Run it, unless it is there already."""
    if order.folder.exists():
        return
    command = [sys.executable, "-m", "api.cli", "run", *order.words, "--record", str(order.folder)]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet) as process:
        began = time.monotonic()
        while not (order.folder / TRACE_FILE).exists() and time.monotonic() - began < START_S:
            time.sleep(0.02)
        for again, number in enumerate(_SIGNALS[order.fate]):
            time.sleep(0.3 if again else order.after_s)
            process.send_signal(number)
        try:
            process.wait(RUN_S)
        except subprocess.TimeoutExpired:
            process.kill()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the runs go; those that are there are kept")
    parser.add_argument("--count", type=int, default=500)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    todo = orders(args.folder, args.count)
    for order in track(todo, "recording", console=Console(stderr=True)):
        make(order)
    outcomes = Counter(run.outcome for run in list_runs(args.folder))
    figures = {"runs": sum(outcomes.values()), "outcomes": outcomes, "fates": Counter(o.fate for o in todo)}
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
