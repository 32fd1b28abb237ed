"""Train the policy while it is being shown how: `python -m scenarios.train_policy --minutes 7`.

Every processor records demonstrations, glances and corrections of the policy's latest weights, while a GPU
learns from all that has been recorded so far. That is what `tandem data record` and `tandem train --dagger`
do in turns, for one who has processors, a GPU and little time. What is learned depends on how fast the
machine is; the last weights are kept.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from api.demos import corrected
from scenarios.ablate_policy import VARIANTS, folder_of
from scenarios.taught import Part, Taught, read_part
from sim.demos.chain import focus
from sim.demos.phrases import some_sentences
from sim.demos.record import Order, record_glances, record_scene
from vla_low_level.action import ACTION_DIM
from vla_low_level.dataset.assemble import part_path
from vla_low_level.dataset.schema import ACTION, AHEAD, STATE
from vla_low_level.vla.batches import Batch, draw
from vla_low_level.vla.config import VLAConfig
from vla_low_level.vla.losses import WEIGHTS
from vla_low_level.vla.pretrained import load_pretrained, save_pretrained
from vla_low_level.vla.text import SentenceEncoder
from vla_low_level.vla.train import Recipe, Trainer, choose_device, statistics

FIRST_SEED = 31_000_000
SEEDS = {"demos": 0, "glances": 1_000_000, "corrections": 2_000_000}
# Of the scenes that are recorded, and of the frames in a batch: an episode takes as long as forty glances.
SCENES = {"demos": 0.02, "glances": 0.93, "corrections": 0.05}
DRAWN = {"demos": 0.15, "glances": 0.55, "corrections": 0.30}
WORDS = 6000
TAKE_EVERY_S, EXPORT_EVERY_S = 5.0, 45.0
# Scenes ordered for each worker: a glance takes half a second, and nobody asks before the next `take`.
QUEUE = 14
FIRST_EXPORT_S = 70.0
# Recording ends so long before training does: what comes later is hardly learned from.
RECORD_UNTIL = 0.92
# Parts of the network that an ablation leaves small, so that five of them fit into a minute or two.
SMALL: dict[str, Any] = {"condition": 192}


def recorded(kind: str, order: Order, pilot: Path | None) -> Part | None:
    """Record a scene and read it back; None when it gave no demonstration."""
    if kind == "corrections" and pilot is not None:
        done = corrected(pilot, order)
    else:
        done = (record_glances if kind == "glances" else record_scene)(order)
    path = part_path(order.folder, order.seed)
    return read_part(kind, path) if done.frames else None


class School:
    """Records in the background, kind by kind in turns."""

    def __init__(self, folder: Path, workers: int, seed: int) -> None:
        self.pilot: Path | None = None
        self._folder, self._workers = folder, workers
        self._pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
        self._running: set[Future[Part | None]] = set()
        self._asked = Counter[str]()
        self._rng = np.random.default_rng([seed, 0x5C7])

    def begin(self) -> None:
        """Start recording."""
        while len(self._running) < QUEUE * self._workers:
            self._running.add(self._ask())

    def parts(self, *, more: bool) -> Iterator[Part]:
        """What has been recorded since; orders more when `more`."""
        done, self._running = wait(self._running, timeout=0, return_when=FIRST_COMPLETED)
        for future in done:
            if future.exception() is not None:
                sys.stderr.write(f"a scene failed: {future.exception()!r}\n")
                continue
            part = future.result()
            if part is not None:
                yield part
        if more:
            self.begin()

    def _ask(self) -> Future[Part | None]:
        kind = str(self._rng.choice(list(SCENES), p=list(SCENES.values())))
        if kind == "corrections" and self.pilot is None:
            kind = "demos"
        seed = FIRST_SEED + SEEDS[kind] + self._asked[kind]
        self._asked[kind] += 1
        return self._pool.submit(
            recorded, kind, Order(self._folder / kind, seed, only=focus(seed)), self.pilot
        )

    def close(self) -> dict[str, int]:
        """Stop; how many scenes of each kind were begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        return dict(self._asked)


def some_words(encoder: SentenceEncoder) -> Tensor:
    """Features [n, 384] of sentences that can be said."""
    return encoder.encode(some_sentences(WORDS, np.random.default_rng([0x30D])))


def learn(
    args: argparse.Namespace, school: School, encoder: SentenceEncoder, words: Tensor, device: str
) -> tuple[dict[str, Taught], float]:
    """Train for the time there is. Returns what was learned from, and steps a second."""
    recipe = Recipe(
        steps=1_000_000, batch=args.batch, rate=args.rate, decay=args.decay, validate_every=1_000_000
    )
    taught = {kind: Taught(VLAConfig().horizon, device, encoder) for kind in SEEDS}
    _gather(school, taught, args.least)
    begun = load_pretrained(args.start)[0] if args.start else None
    config = begun.config if begun else statistics(VLAConfig(), _spread(taught))
    trainer = Trainer(args.out, recipe, config, device)
    if begun:
        trainer.start_from(begun)
        school.pilot = args.start
    trainer.know_words(words)
    began = taken = exported = logged = time.monotonic()
    seconds, exports = 60.0 * args.minutes, 0
    while (progress := (time.monotonic() - began) / seconds) < 1.0:
        lost = trainer.learn(drawn(taught, args.batch, trainer.step), progress)
        now = time.monotonic()
        if now - taken > TAKE_EVERY_S:
            _take(school, taught, more=progress < RECORD_UNTIL)
            taken = time.monotonic()
        if now - exported > EXPORT_EVERY_S and now - began > FIRST_EXPORT_S and progress < RECORD_UNTIL:
            exports, exported = exports + 1, now
            school.pilot = args.out / f"pilot-{exports}"
            save_pretrained(school.pilot, trainer.average, {"step": trainer.step})
        if now - logged > TAKE_EVERY_S:
            logged = now
            _log(args.out, trainer.step, now - began, taught, {k: float(v) for k, v in lost.items()})
    rate = trainer.step / seconds
    facts = {
        "command": " ".join(sys.argv),
        "start": load_pretrained(args.start)[1] if args.start else None,
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "steps": trainer.step,
        "minutes": args.minutes,
        "frames": {kind: len(frames) for kind, frames in taught.items()},
        "scenes": school.close(),
        "first seeds": {kind: FIRST_SEED + first for kind, first in SEEDS.items()},
        "recipe": recipe.model_dump(mode="json", exclude={"steps", "validate_every"}),
    }
    save_pretrained(args.out, trainer.average, facts)
    sys.stdout.write(json.dumps(facts) + "\n")
    return taught, rate


def _gather(school: School, taught: dict[str, Taught], frames: int) -> None:
    """Wait until there is something to begin with."""
    while sum(map(len, taught.values())) < frames:
        _take(school, taught, more=True)
        time.sleep(0.2)


def _take(school: School, taught: dict[str, Taught], *, more: bool) -> None:
    for part in school.parts(more=more):
        taught[part.kind].add(part)
    for kind in taught.values():
        kind.take()


def _spread(taught: dict[str, Taught]) -> dict[str, Any]:
    """Mean and spread of what has been seen so far, as `meta/stats.json` has them."""
    there = [some.batches.numbers for some in taught.values() if some.batches is not None]
    told, seen = {}, {STATE: torch.cat([numbers[STATE] for numbers in there])}
    seen[ACTION] = torch.cat([numbers[AHEAD].view(-1, ACTION_DIM) for numbers in there])
    for name, values in seen.items():
        told[name] = {"mean": values.double().mean(0).tolist(), "std": values.double().std(0).tolist()}
    return told


def drawn(taught: dict[str, Taught], size: int, step: int, horizon: int | None = None) -> Batch:
    """The batch of a step, of every kind that there is; chunks of `horizon` rows."""
    rng = np.random.default_rng([0x71B, step])
    there = {k: t.batches for k, t in taught.items() if t.batches is not None}
    share = np.array([DRAWN[kind] for kind in there])
    batches = [b if horizon is None else replace(b, horizon=horizon) for b in there.values()]
    return draw(batches, share / share.sum(), size, rng)


def _log(out: Path, step: int, seconds: float, taught: dict[str, Taught], lost: dict[str, float]) -> None:
    frames = {kind: len(some) for kind, some in taught.items()}
    line = json.dumps(
        {"step": step, "s": round(seconds), "frames": frames} | {k: round(v, 4) for k, v in lost.items()}
    )
    with (out / "log.jsonl").open("a") as log:
        log.write(line + "\n")
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def ablate(
    args: argparse.Namespace, taught: dict[str, Taught], words: Tensor, steps: int, device: str
) -> None:
    """Small trainings on the same frames, each with one thing taken away."""
    for name, (changes, weights) in VARIANTS.items():
        config = statistics(VLAConfig(**SMALL, **changes), _spread(taught))
        recipe = Recipe(steps=steps, batch=args.batch, rate=args.rate, weights=WEIGHTS | weights)
        folder = folder_of(args.out / "ablation", name)
        trainer = Trainer(folder, recipe, config, device)
        trainer.know_words(words)
        for step in range(steps):
            trainer.learn(drawn(taught, args.batch, step, config.horizon), (step + 1) / steps)
        save_pretrained(folder, trainer.average, {"ablation": name, "steps": steps, "batch": args.batch})
        sys.stdout.write(f"ablation: {name}, {steps} steps\n")
        sys.stdout.flush()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("build/vla"))
    parser.add_argument("--start", type=Path, help="a policy's folder to go on from")
    parser.add_argument("--minutes", type=float, default=7.0, help="of learning; recording begins before")
    parser.add_argument("--workers", type=int, default=15, help="processes that record")
    parser.add_argument("--least", type=int, default=1500, help="frames to begin with")
    parser.add_argument("--batch", type=int, default=512, help="frames in a step")
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--decay", type=float, default=0.02)
    parser.add_argument("--ablate-s", type=float, default=0.0, help="seconds for each ablation, afterwards")
    args = parser.parse_args()
    device = choose_device("auto")
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    args.out.mkdir(parents=True, exist_ok=True)
    school = School(args.out / "recorded", args.workers, seed=0)
    try:
        school.begin()
        encoder = SentenceEncoder(device)
        words = some_words(encoder)
        taught, rate = learn(args, school, encoder, words, device)
        if args.ablate_s:
            ablate(args, taught, words, max(1, int(rate * args.ablate_s)), device)
    finally:
        school.close()


if __name__ == "__main__":
    main()
