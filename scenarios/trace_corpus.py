"""Runs of every fate to measure traces on: `python -m scenarios.trace_corpus runs/corpus --count 500`.

Commands, scenes and arms in turn, each seed with a fate of its own: left alone, stopped by hand,
cancelled, or killed with `kill -9`, soon after a random chunk. Every run is a process of its own. Ctrl-C
ends it after the run under way; the next start goes on from there.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import torch

from agent.executive import Company
from api.assemble import open_session
from api.interrupt import Interrupt
from api.options import RunOptions
from scenarios.progress import until_interrupted
from traces.index import list_runs
from traces.storage import TRACE_FILE

FIRST_SEED = 7_000_000
START_S = 180.0
_LIBRARIES = ("agent.perception.perceive", "agent.planner.embedded", "vla_low_level.vla.policy", "sim.robot")
RUN_S = 600.0

# Short ones, so that there can be many.
_COMMANDS: tuple[dict[str, str], ...] = (
    {"instruction": "open the drawer", "scene": "kitchen", "planner": "subgoal"},
    {"instruction": "pick up the yellow cube", "scene": "one_of_each", "planner": "subgoal"},
    {"instruction": "turn the lamp on", "scene": "kitchen", "planner": "subgoal", "arm": "xarm6"},
    {"instruction": "put the red cup in the sink", "scene": "one_of_each"},
    {
        "instruction": "pick up the red cup",
        "scene": "one_of_each",
        "planner": "subgoal",
        "policy": "generalist",
    },
    {
        "instruction": "pick up the blue spoon",
        "scene": "one_of_each",
        "planner": "subgoal",
        "arm": "kuka_iiwa",
    },
    {"instruction": "turn the lamp on", "scene": "kitchen", "planner": "subgoal"},
    {"instruction": "put the green bottle in the sink", "scene": "one_of_each", "planner": "subgoal"},
    {"instruction": "open the drawer", "scene": "kitchen", "planner": "subgoal", "arm": "kuka_iiwa"},
    {"instruction": "put a cube in the tray", "scene": "one_of_each", "policy": "generalist"},
    {"instruction": "pick up the green bottle", "scene": "one_of_each", "planner": "subgoal", "arm": "xarm6"},
    {"instruction": "put the blue spoon in the sink", "scene": "one_of_each"},
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
        options: What `tandem run` would be told.
        fate: One of `_FATES`.
        chunks: The fate strikes once so many chunks have begun,
        after_s: and so much later, s.
    """

    options: RunOptions
    fate: str
    chunks: int
    after_s: float


def orders(folder: Path, numbers: range) -> list[Order]:
    """The runs of a corpus; the same number is always the same run, so that a larger corpus continues."""
    made = []
    for number in numbers:
        rng = np.random.default_rng([FIRST_SEED, number])
        told = _COMMANDS[number % len(_COMMANDS)]
        seed, record = FIRST_SEED + number, folder / f"run-{number:05d}"
        options = RunOptions(**told, seed=seed, record=record, film=False)  # type: ignore[arg-type]
        fate = str(rng.choice(list(_FATES), p=list(_FATES.values())))
        made.append(Order(options, fate, int(rng.integers(12)), float(rng.uniform(0.0, 0.5))))
    return made


def make(order: Order) -> None:
    """Run it, unless it is there already, and let its fate strike."""
    if order.options.folder.exists():
        return
    # Forked, so that the libraries are loaded once; body and record are its own.
    process = get_context("fork").Process(target=_run, args=(order.options,))
    process.start()
    _await_chunk(order, process)
    for again, number in enumerate(_SIGNALS[order.fate]):
        time.sleep(0.3 if again else order.after_s)
        if process.pid is not None and process.is_alive():
            os.kill(process.pid, number)
    process.join(RUN_S)
    if process.is_alive():
        process.kill()
        process.join()


def _await_chunk(order: Order, process: BaseProcess) -> None:
    log = order.options.folder / TRACE_FILE
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.is_alive():
        if log.exists() and log.read_bytes().count(b'"name":"chunk ') >= order.chunks:
            return
        time.sleep(0.05)


def _run(options: RunOptions) -> None:
    # Out of reach of the terminal's Ctrl-C, which is for the corpus: a run meets its own fate only.
    os.setsid()
    # Pressed twice before anything moves, it is broken off; that is on record already.
    with suppress(KeyboardInterrupt), Interrupt() as interrupt, open_session(options, Company()) as session:
        interrupt.hand_over(session)
        session.executive.run(options.instruction)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the runs go; those that are there are kept")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--first", type=int, default=0, help="number of the first run: halves side by side")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    # Libraries take longer to load than a short command runs. Not models: torch at work survives no fork.
    for library in _LIBRARIES:
        import_module(library)
    todo = orders(args.folder, range(args.first, args.first + args.count))
    for order in until_interrupted(todo, "recording"):
        make(order)
    outcomes = Counter(run.outcome for run in list_runs(args.folder))
    figures = {"runs": sum(outcomes.values()), "outcomes": outcomes, "fates": Counter(o.fate for o in todo)}
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
