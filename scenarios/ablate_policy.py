"""What each part of the policy is worth: `python -m scenarios.ablate_policy data/demos --steps 2000`.

Small trainings of the same length, seed and data, each with one thing taken away, scored on validation seeds;
then one policy with chunks that are carried out for longer before it looks again. Interrupted, it goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from rich.console import Console
from rich.progress import track

from scenarios.statistics import wilson
from sim.demos.rollout import trials
from vla_low_level.dataset.read import read
from vla_low_level.vla.batches import Batches
from vla_low_level.vla.config import VLAConfig
from vla_low_level.vla.losses import WEIGHTS
from vla_low_level.vla.network import VLANetwork
from vla_low_level.vla.policy import REPLAN_ROWS, VLAPolicy
from vla_low_level.vla.pretrained import load_pretrained
from vla_low_level.vla.text import SentenceEncoder
from vla_low_level.vla.train import Recipe, Trainer, statistics, train

OUT = Path("build/ablation")
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


def trained(name: str, args: argparse.Namespace, encoder: SentenceEncoder, console: Console) -> VLANetwork:
    """One variant's averaged weights."""
    changes, weights = VARIANTS[name]
    shown = read(args.data)
    config = statistics(VLAConfig(**changes), shown.stats)
    recipe = Recipe(steps=args.steps, validate_every=args.steps, weights=WEIGHTS | weights)
    folder = OUT / name.replace(" ", "-")
    trainer = Trainer(folder, recipe, config)
    batches = Batches.of(shown, config.horizon, encoder)
    trainer.know_words(batches.text)
    trainer.resume()
    for step in train(trainer, [(batches, 1.0)], lambda _: 0.0, {"ablation": name}):
        if step.step % 500 == 0:
            console.print(f"{name}: step {step.step}/{step.of}, {step.left_s / 60:.0f} min left")
    return load_pretrained(folder)[0]


def score(network: VLANetwork, rows: int, scenes: int) -> dict[str, Any]:
    """Success on validation seeds, all skills and arms together."""
    make = partial(VLAPolicy, network, "ablation", replan_rows=rows)
    policies = {arm: make(arm) for arm in network.config.embodiments}
    seeds = track(range(VALIDATION, VALIDATION + scenes), "trying", console=Console(stderr=True))
    done = [trial.succeeded for seed in seeds for trial in trials(seed, policies.__getitem__)]
    return asdict(wilson(sum(done), len(done)))


def _results(args: argparse.Namespace, console: Console) -> Iterator[tuple[str, dict[str, Any]]]:
    encoder = SentenceEncoder()
    for name in VARIANTS:
        yield name, score(trained(name, args, encoder, console), REPLAN_ROWS, args.scenes)
    whole, _ = load_pretrained(args.weights) if args.weights else load_pretrained(OUT / "all-of-it")
    for rows in REPLANS:
        yield f"looks again after {rows} rows", score(whole, rows, args.scenes)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="a dataset of `tandem data record`")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--scenes", type=int, default=60, help="validation scenes, about four tasks each")
    parser.add_argument("--weights", type=Path, help="policy for the rows carried out; default `all of it`")
    args = parser.parse_args()
    torch.set_num_threads(1)
    OUT.mkdir(parents=True, exist_ok=True)
    figures = {}
    for name, rate in _results(args, Console(stderr=True)):
        figures[name] = rate
        sys.stdout.write(f"{name:>32}  {wilson(rate['successes'], rate['n'])}\n")
        (OUT / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
