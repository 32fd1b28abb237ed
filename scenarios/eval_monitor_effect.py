"""What the monitor is good for: `python -m scenarios.eval_monitor_effect --fault object_moved@4s --count 20`.

The same command, scene and fault twice, with the monitor acting and with it off, and the simulator asked what
came of it: objects that fell over or off the table, hard contacts, and whether the command was done.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from api.assemble import RunOptions, run_scored
from scenarios.evaluate import cleared
from scenarios.statistics import wilson
from traces import names
from traces.reader import read_run

FIRST = 8_400_000
MODES = ("act", "off")


@dataclass(frozen=True, slots=True)
class Effect:
    """One command.

    Attributes:
        seed: Of scene and fault.
        monitor: `act` or `off`.
        done: The simulator agrees that it was done.
        outcome: What the agent says.
        spoilt: Objects that lie on their side or on the floor.
        knocks: Times that the guard held the arm because of a contact.
        responses: What alarms led to.
    """

    seed: int
    monitor: str
    done: bool
    outcome: str
    spoilt: int
    knocks: int
    responses: tuple[str, ...]


def try_once(options: RunOptions) -> Effect:
    """Run a command and count."""
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "run"
        result, truth = run_scored(replace(options, record=folder))
        logs = [log for _, span in read_run(folder).walk() for log in span.logs]
    held = [log for log in logs if log.name == names.GUARD_EVENT]
    return Effect(
        seed=options.seed,
        monitor=options.monitor,
        done=not cleared(truth),
        outcome=result.outcome.value,
        spoilt=sum(item.fallen or item.on_floor for item in truth.objects),
        knocks=sum(log.attributes.get(names.GUARD_LIMIT) == "contact_force" for log in held),
        responses=tuple(
            str(log.attributes[names.MONITOR_RESPONSE]) for log in logs if log.name == names.RESPONSE
        ),
    )


def summarise(effects: Sequence[Effect]) -> dict[str, object]:
    """Both modes side by side."""
    figures: dict[str, object] = {}
    for mode in MODES:
        mine = [effect for effect in effects if effect.monitor == mode]
        figures[mode] = {
            "done": str(wilson(sum(e.done for e in mine), len(mine))),
            "damage events": sum(e.spoilt + e.knocks for e in mine),
            "objects spoilt": sum(e.spoilt for e in mine),
            "hard contacts": sum(e.knocks for e in mine),
            "alarms": sum(len(e.responses) for e in mine),
        }
    return {**figures, "runs": [asdict(effect) for effect in effects]}


def main() -> None:
    """Command line."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("instruction", nargs="?", default="clear the table")
    parser.add_argument("--scene", default="table")
    parser.add_argument("--fault", action="append", default=[], help="as in `tandem run`; repeatable")
    parser.add_argument("--policy", choices=("auto", "specialist", "generalist"), default="auto")
    parser.add_argument("--first", type=int, default=FIRST)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--out", type=Path, help="also write every run to this JSON file")
    args = parser.parse_args()
    setting = RunOptions(
        args.instruction, scene=args.scene, policy=args.policy, film=False, faults=tuple(args.fault)
    )
    effects: list[Effect] = []
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task(args.instruction, total=args.count * len(MODES))
        for seed in range(args.first, args.first + args.count):
            for mode in MODES:
                effects.append(try_once(replace(setting, seed=seed, monitor=mode)))
                bar.advance(task)
    figures = summarise(effects)
    if args.out:
        args.out.write_text(json.dumps(figures, indent=1) + "\n")
    told = {name: value for name, value in figures.items() if name != "runs"}
    sys.stdout.write(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
