"""Success over many seeds: `python -m scenarios.evaluate "clear the table" --first 3000000 --count 100`.

Each seed is a fresh world, a fresh body process and the agent exactly as `tandem run` assembles it. The
simulator's truth is asked once, after the command has ended, to score it; the agent never sees it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from api.assemble import run_scored
from api.options import RunOptions
from scenarios.statistics import quantile, wilson
from sim.truth import SceneTruth
from vla_low_level.nouns import Category, Place

DEFAULT_PLACE = {
    Category.PLATE: Place.DISH_RACK,
    Category.CUP: Place.SINK,
    Category.SPOON: Place.UTENSIL_HOLDER,
    Category.BOTTLE: Place.BIN,
    Category.CUBE: Place.TRAY,
}


@dataclass(frozen=True, slots=True)
class Episode:
    """One seed, scored.

    Attributes:
        seed: Of the scene.
        claimed: The agent's outcome.
        code: The agent's reason.
        true_success: What the simulator says of the goal.
        reason: Why it failed, in a few words; empty on success.
        objects: How many were on the table.
        steps: Skill nodes done. retries, replans, chunks: as in `CommandResult`.
        sim_s: Simulated seconds.
        wall_s: Seconds of the command itself, models loaded.
    """

    seed: int
    claimed: str
    code: str
    true_success: bool
    reason: str
    objects: int
    steps: int
    retries: int
    replans: int
    chunks: int
    sim_s: float
    wall_s: float

    @property
    def succeeded(self) -> bool:
        """True only when the agent says so and the world agrees."""
        return self.true_success and self.claimed == "succeeded"


def cleared(truth: SceneTruth) -> str:
    """Empty when every object lies in the place of its kind, else what is wrong."""
    wrong = [
        f"{o.id} is {'in the ' + o.place.phrase if o.place else 'on the table or the floor'}"
        for o in truth.objects
        if o.place is not DEFAULT_PLACE[o.category]
    ]
    return "; ".join(wrong)


def run_episode(setting: RunOptions, seed: int, keep: Path | None) -> Episode:
    """Run one seed in this process and score it."""
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (keep or Path(temporary)) / f"seed-{seed}"
        result, truth = run_scored(replace(setting, seed=seed, record=folder))
    wrong = cleared(truth)
    reason = wrong if result.outcome == "succeeded" else f"{result.code}: {result.message}; {wrong}"
    return Episode(
        seed=seed,
        claimed=result.outcome.value,
        code=result.code,
        true_success=not wrong,
        reason="" if not wrong and result.outcome == "succeeded" else reason,
        objects=len(truth.objects),
        steps=result.steps_done,
        retries=result.retries,
        replans=result.replans,
        chunks=result.chunks,
        sim_s=result.sim_s,
        wall_s=result.wall_s,
    )


def summarise(episodes: Iterable[Episode]) -> dict[str, object]:
    """The figures that are published."""
    done = sorted(episodes, key=lambda e: e.seed)
    rate = wilson(sum(e.succeeded for e in done), len(done))
    false_claims = sum(e.claimed == "succeeded" and not e.true_success for e in done)
    ratio = sum(e.sim_s for e in done) / max(1e-9, sum(e.wall_s for e in done))
    return {
        "success": asdict(rate),
        "success_text": str(rate),
        "false_claims": false_claims,
        "failed": [
            {"seed": e.seed, "claimed": e.claimed, "reason": e.reason} for e in done if not e.succeeded
        ],
        "sim_s_median": quantile([e.sim_s for e in done], 0.5),
        "wall_s_median": quantile([e.wall_s for e in done], 0.5),
        "sim_to_wall": ratio,
        "retries": sum(e.retries for e in done),
        "replans": sum(e.replans for e in done),
        "objects": sum(e.objects for e in done),
        "episodes": [asdict(e) for e in done],
    }


def evaluate(
    setting: RunOptions, seeds: range, workers: int, keep: Path | None, console: Console
) -> dict[str, object]:
    """Run all seeds, `workers` at a time, with a progress bar; runs are recorded under `keep`, if given."""
    episodes: list[Episode] = []
    began = time.monotonic()
    with (
        ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool,
        Progress(console=console) as progress,
    ):
        task = progress.add_task(setting.instruction, total=len(seeds))
        for future in as_completed([pool.submit(run_episode, setting, s, keep) for s in seeds]):
            episode = future.result()
            episodes.append(episode)
            progress.advance(task)
            if not episode.succeeded:
                progress.console.print(f"seed {episode.seed}: {episode.claimed}: {episode.reason}")
    return {**summarise(episodes), "wall_total_s": time.monotonic() - began, "workers": workers}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("instruction", nargs="?", default="clear the table")
    parser.add_argument("--scene", default="table")
    parser.add_argument(
        "--first", type=int, default=1_500_000, help="first seed; published figures use 3000000"
    )
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--policy", choices=("auto", "specialist", "generalist"), default="auto")
    parser.add_argument("--arm", default="panda")
    parser.add_argument("--weights", type=Path, help="the generalist's folder; default the shipped one")
    parser.add_argument("--fault", action="append", default=[], help="as in `tandem run`; repeatable")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="keep the recorded runs in this folder")
    parser.add_argument("--out", type=Path, help="also write the figures and every episode to this JSON file")
    args = parser.parse_args()
    console = Console(stderr=True)
    setting = RunOptions(
        instruction=args.instruction,
        scene=args.scene,
        policy=args.policy,
        weights=args.weights,
        arm=args.arm,
        film=False,
        faults=tuple(args.fault),
    )
    figures = evaluate(
        setting,
        range(args.first, args.first + args.count),
        args.workers,
        args.keep,
        console,
    )
    text = json.dumps(figures, indent=1)
    if args.out:
        args.out.write_text(text + "\n")
    sys.stdout.write(json.dumps({k: v for k, v in figures.items() if k != "episodes"}, indent=1) + "\n")


if __name__ == "__main__":
    main()
