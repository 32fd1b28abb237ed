"""What each part of the policy is worth: `python -m scenarios.ablate_policy data/demos --steps 2000`.

Small trainings of the same length, seed and data, each with one thing taken away, scored on validation seeds;
then one policy with chunks that are carried out for longer before it looks again. Interrupted, it goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import asdict
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from rich.console import Console
from rich.progress import track

from scenarios.statistics import Rate, wilson
from sim.demos.rollout import trials
from vla_low_level.dataset.read import read
from vla_low_level.vla.batches import Batches
from vla_low_level.vla.config import VLAConfig
from vla_low_level.vla.losses import WEIGHTS
from vla_low_level.vla.policy import REPLAN_ROWS, VLAPolicy
from vla_low_level.vla.pretrained import load_pretrained
from vla_low_level.vla.text import SentenceEncoder
from vla_low_level.vla.train import Recipe, Trainer, statistics, train

VALIDATION = 1_100_000
REPLANS = (2, 4, 8, 16)
# Changes of the configuration, and of the losses' weights.
VARIANTS: Mapping[str, tuple[dict[str, Any], dict[str, float]]] = MappingProxyType(
    {
        "all of it": ({}, {}),
        "no heat-map loss": ({}, {"table": 0.0, "wrist": 0.0}),
        "sentence features not scaled": ({"scale_text": False}, {}),
        "regression instead of flow": ({"noise": 0.0, "euler_steps": 1}, {}),
        "chunks of 8 rows": ({"horizon": 8}, {}),
    }
)


def trained(name: str, args: argparse.Namespace, encoder: SentenceEncoder, console: Console) -> None:
    """Write one variant's averaged weights."""
    changes, weights = VARIANTS[name]
    shown = read(args.data)
    config = statistics(VLAConfig(**changes), shown.stats)
    recipe = Recipe(steps=args.steps, validate_every=args.steps, weights=WEIGHTS | weights)
    trainer = Trainer(folder_of(args.out, name), recipe, config)
    batches = Batches.of(shown, config.horizon, encoder)
    trainer.know_words(batches.text)
    trainer.resume()
    for step in train(trainer, [(batches, 1.0)], lambda _: 0.0, {"ablation": name}):
        if step.step % 500 == 0:
            console.print(f"{name}: step {step.step}/{step.of}, {step.left_s / 60:.0f} min left")


def score(folder: Path, rows: int, scenes: int, pool: Executor) -> Rate:
    """Success on validation seeds, all skills and arms together."""
    seeds = range(VALIDATION, VALIDATION + scenes)
    found = pool.map(partial(_tried, folder, rows), seeds)
    console = Console(stderr=True)
    done = [so for some in track(found, folder.name, total=scenes, console=console) for so in some]
    return wilson(sum(done), len(done))


def _tried(folder: Path, rows: int, seed: int) -> list[bool]:
    return [trial.succeeded for trial in trials(seed, partial(_policy, folder, rows))]


@cache
def _policy(folder: Path, rows: int, arm: str) -> VLAPolicy:
    torch.set_num_threads(1)
    return VLAPolicy(load_pretrained(folder)[0], "ablation", arm, replan_rows=rows)


def _results(args: argparse.Namespace, pool: Executor) -> Iterator[tuple[str, Rate]]:
    encoder, console = SentenceEncoder(), Console(stderr=True)
    for name in VARIANTS:
        if args.data is not None:
            trained(name, args, encoder, console)
        if folder_of(args.out, name).exists():
            yield name, score(folder_of(args.out, name), REPLAN_ROWS, args.scenes, pool)
    whole = args.weights or folder_of(args.out, "all of it")
    for rows in REPLANS:
        yield f"looks again after {rows} rows", score(whole, rows, args.scenes, pool)


def folder_of(out: Path, name: str) -> Path:
    """Where a variant's weights lie."""
    return out / name.replace(" ", "-")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "data",
        type=Path,
        nargs="?",
        help="a dataset of `tandem data record`; without, what has been trained before, if anything",
    )
    parser.add_argument("--out", type=Path, default=Path("build/ablation"))
    parser.add_argument("--workers", type=int, default=2, help="processes that try")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--scenes", type=int, default=60, help="validation scenes, about four tasks each")
    parser.add_argument("--weights", type=Path, help="policy for the rows carried out; default `all of it`")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    figures = {}
    with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
        for name, rate in _results(args, pool):
            figures[name] = asdict(rate)
            sys.stdout.write(f"{name:>32}  {rate}\n")
            sys.stdout.flush()
            (args.out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
