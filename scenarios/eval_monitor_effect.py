"""What the monitor is good for: `python -m scenarios.eval_monitor_effect --count 20`.

The same command, scene and fault twice, with the monitor acting and with it off, and the simulator asked what
came of it: objects that fell over or off the table, hard contacts, and whether the command was done.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from api.assemble import run_scored
from api.options import RunOptions
from scenarios.evaluate import cleared
from scenarios.monitor_metrics import DRAWS
from scenarios.statistics import wilson
from traces import names
from traces.reader import read_run

FIRST = 8_400_000
MODES = ("act", "off")
FEW = Path(__file__).with_name("few_things.yaml")
FAULTS = (
    *("gain:1.7@2s", "wrong_frame@2s", "weak_motors:0.02@2s", "obstacle@1s", "push@3s"),
    *("object_moved:0.08@1s", "pose_bias:0.04", "encoder_bias:0.04", "slip@3s", "gripper_weak@2s"),
    *("grip_delay@2s", "stuck_fingers@2s"),
)
"""Those that make a hand hit, drop or topple something, each from early in the command on."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One command.

    Attributes:
        seed: Of scene and fault.
        monitor: `act` or `off`.
        done: The simulator agrees that it was done.
        outcome: What the agent says.
        fault: What went wrong.
        spoilt: Objects that lie on their side or on the floor.
        knocks: Times that the guard held the arm because of a contact.
        responses: What alarms led to.
    """

    seed: int
    monitor: str
    done: bool
    outcome: str
    fault: str
    spoilt: int
    knocks: int
    responses: tuple[str, ...]

    @property
    def damage(self) -> int:
        """Events that no one wants."""
        return self.spoilt + self.knocks


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
        fault=options.faults[0],
        spoilt=sum(item.fallen or item.on_floor for item in truth.objects),
        knocks=sum(log.attributes.get(names.GUARD_LIMIT) == "contact_force" for log in held),
        responses=tuple(
            str(log.attributes[names.MONITOR_RESPONSE]) for log in logs if log.name == names.RESPONSE
        ),
    )


def summarise(effects: Sequence[Effect]) -> dict[str, object]:
    """Both modes side by side, and what the monitor saved and cost, seeds drawn with replacement."""
    figures: dict[str, object] = {}
    for mode in MODES:
        mine = [effect for effect in effects if effect.monitor == mode]
        figures[mode] = {
            "done": str(wilson(sum(e.done for e in mine), len(mine))),
            "damage events": sum(e.damage for e in mine),
            "objects spoilt": sum(e.spoilt for e in mine),
            "hard contacts": sum(e.knocks for e in mine),
            "alarms": sum(len(e.responses) for e in mine),
        }
    seeds = sorted({e.seed for e in effects})
    at = {mode: {e.seed: e for e in effects if e.monitor == mode} for mode in MODES}
    damage = {mode: np.array([at[mode][s].damage for s in seeds], float) for mode in MODES}
    done = {mode: np.array([at[mode][s].done for s in seeds], float) for mode in MODES}
    drawn = np.random.default_rng([0, 0xB007]).integers(len(seeds), size=(DRAWS, len(seeds)))
    with np.errstate(invalid="ignore", divide="ignore"):
        fewer = 1.0 - damage["act"][drawn].sum(1) / damage["off"][drawn].sum(1)
        figures["damage events fewer by"] = _told(1.0 - damage["act"].sum() / damage["off"].sum(), fewer)
    lost = done["off"] - done["act"]
    figures["success lost"] = _told(lost.mean(), lost[drawn].mean(1))
    return {**figures, "runs": [asdict(effect) for effect in effects]}


def _told(value: float, drawn: NDArray[np.float64]) -> str:
    """A share with its 95 % interval, in words; draws without any damage say nothing."""
    known = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or not len(known):
        return "no damage without the monitor"
    low, high = np.quantile(known, [0.025, 0.975])
    return f"{100 * value:.1f} % (95 % interval {100 * low:.1f} to {100 * high:.1f} %)"


def main() -> None:
    """Command line."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("instruction", nargs="?", default="clear the table")
    parser.add_argument("--scene", default=str(FEW), help="a scene's name or file; default one or two things")
    parser.add_argument(
        "--fault", nargs="+", default=list(FAULTS), help="as in `tandem run`; one for each seed, in turn"
    )
    parser.add_argument("--policy", choices=("auto", "specialist", "generalist"), default="auto")
    parser.add_argument("--first", type=int, default=FIRST)
    parser.add_argument("--count", type=int, default=20, help="pairs of runs")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="runs at once")
    parser.add_argument("--out", type=Path, help="also write every run to this JSON file")
    args = parser.parse_args()
    setting = RunOptions(args.instruction, scene=args.scene, policy=args.policy, film=False)
    runs = [
        replace(setting, seed=args.first + k, monitor=mode, faults=(args.fault[k % len(args.fault)],))
        for k in range(args.count)
        for mode in MODES
    ]
    effects: list[Effect] = []
    with (
        ProcessPoolExecutor(args.workers, get_context("spawn")) as pool,
        Progress(console=Console(stderr=True)) as bar,
    ):
        task = bar.add_task(args.instruction, total=len(runs))
        for effect in pool.map(try_once, runs):
            effects.append(effect)
            bar.advance(task)
    figures = summarise(effects)
    if args.out:
        args.out.write_text(json.dumps(figures, indent=1) + "\n")
    told = {name: value for name, value in figures.items() if name != "runs"}
    sys.stdout.write(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
