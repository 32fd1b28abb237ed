"""`tandem train`: learn from demonstrations, then from corrections of the policy's own mistakes."""

from __future__ import annotations

import copy
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from api.demos import corrected, record_demos

if TYPE_CHECKING:
    from vla_low_level.dataset.read import Demonstrations
    from vla_low_level.vla.batches import Batches
    from vla_low_level.vla.network import VLANetwork
    from vla_low_level.vla.train import Recipe

# Seeds: training below a million, validation from there, tests from two millions.
VALIDATION = 1_000_000
CORRECTIONS = 500_000
SEEDS_A_ROUND = 20_000


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """What a person chose on the command line.

    Attributes:
        data: LeRobotDataset v3.0 folders, and how often a frame of each is drawn relative to the others'.
        out: Where weights, checkpoints and logs go.
        recipe: How to train in the first round.
        start: A policy to begin with, or None for a new one.
        device: `cpu` or `cuda`.
        rounds: DAgger rounds after the first.
        round_scenes: Scenes recorded in each.
        round_steps: Steps of training in each.
        validation_scenes: Scenes that weights are chosen by.
        workers: Processes that record.
    """

    data: tuple[tuple[Path, float], ...]
    out: Path
    recipe: Recipe
    start: Path | None
    device: str
    rounds: int
    round_scenes: int
    round_steps: int
    validation_scenes: int
    workers: int


def train_command(options: TrainOptions, console: Console) -> Path:
    """Train; interrupted, the same options go on. Returns the folder of the best weights.

    Raises:
        TandemError: What is wrong with data, weights or options.
    """
    data, start = list(options.data), options.start
    folder = options.out / "round-0"
    _round(options, data, start, options.recipe, folder, console)
    for k in range(1, options.rounds + 1):
        corrections = options.out / f"corrections-{k}"
        _correct(options, folder, corrections, k, console)
        data.append((corrections, 1.0))
        start, folder = folder, options.out / f"round-{k}"
        # Later rounds refine: shorter, and at half the rate.
        recipe = options.recipe.model_copy(
            update={
                "steps": options.round_steps,
                "rate": options.recipe.rate / 2,
                "seed": options.recipe.seed + k,
            }
        )
        _round(options, data, start, recipe, folder, console)
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(folder / name, options.out / name)
    return options.out


def _round(
    options: TrainOptions,
    data: list[tuple[Path, float]],
    start: Path | None,
    recipe: Recipe,
    folder: Path,
    console: Console,
) -> None:
    from vla_low_level.dataset.read import read
    from vla_low_level.vla.config import VLAConfig
    from vla_low_level.vla.pretrained import load_pretrained
    from vla_low_level.vla.train import Trainer, statistics, train

    with console.status("reading demonstrations"):
        shown = [(read(path), weight) for path, weight in data]
        begun = load_pretrained(start)[0] if start is not None else None
        config = begun.config if begun is not None else statistics(VLAConfig(), shown[0][0].stats)
        trainer = Trainer(folder, recipe, config, options.device)
        mixture = _mixture(shown, config.horizon, options.device)
        if begun is not None:
            trainer.start_from(begun)
        else:
            trainer.know_words(mixture[0][0].text)
        resumed = trainer.resume()
    if resumed:
        console.print(f"going on from step {trainer.step} of {recipe.steps} in {folder}")
    facts = _facts(data, shown, start, recipe)
    with _progress(console) as progress:
        bar = progress.add_task(str(folder), total=recipe.steps, completed=trainer.step, left="", loss="")
        for step in train(trainer, mixture, _validator(options.validation_scenes), facts):
            left = f"{step.left_s / 60:.0f} min left"
            progress.update(bar, completed=step.step, left=left, loss=f"loss {step.losses['total']:.3f}")
            if step.score is not None:
                best = ", the best so far" if step.best else ""
                console.print(f"step {step.step}: validation {100 * step.score:.1f} %{best}")


def _mixture(
    shown: list[tuple[Demonstrations, float]], horizon: int, device: str
) -> list[tuple[Batches, float]]:
    from vla_low_level.vla.batches import Batches
    from vla_low_level.vla.text import SentenceEncoder

    encoder = SentenceEncoder()
    return [
        (Batches.of(demonstrations, horizon, encoder, device), weight) for demonstrations, weight in shown
    ]


def _progress(console: Console) -> Progress:
    columns = (
        TextColumn("training {task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} {task.fields[loss]} {task.fields[left]}"),
    )
    return Progress(*columns, console=console)


def _facts(
    data: list[tuple[Path, float]],
    shown: list[tuple[Demonstrations, float]],
    start: Path | None,
    recipe: Recipe,
) -> dict[str, Any]:
    """Where weights come from, for their `config.json`."""
    return {
        "data": [
            {"folder": str(path), "frames": len(frames), "weight": weight}
            for (path, weight), (frames, _) in zip(data, shown, strict=True)
        ],
        "start": str(start) if start else None,
        "recipe": recipe.model_dump(mode="json"),
    }


def _correct(options: TrainOptions, weights: Path, folder: Path, number: int, console: Console) -> None:
    from sim.demos.record import orders_for

    first = CORRECTIONS + number * SEEDS_A_ROUND
    about = {"teacher": "sim.demos.teacher", "pilot": str(weights), "first_seed": first}
    orders = orders_for(folder, first, options.round_scenes)
    record_demos(orders, options.workers, console, about=about, recorder=partial(corrected, weights))


def _validator(scenes: int) -> Callable[[VLANetwork], float]:
    """Success on validation seeds, every skill counting the same."""

    def rollouts(network: VLANetwork) -> float:
        return balanced_success(network, range(VALIDATION, VALIDATION + scenes))

    return rollouts


def balanced_success(network: VLANetwork, seeds: range) -> float:
    """Mean over skills of the share of tasks done."""
    from sim.demos.rollout import trials
    from vla_low_level.vla.policy import VLAPolicy

    ready = copy.deepcopy(network).cpu().eval()
    policies = {arm: VLAPolicy(ready, "training", arm) for arm in ready.config.embodiments}
    done: dict[str, list[bool]] = defaultdict(list)
    for seed in seeds:
        for trial in trials(seed, policies.__getitem__):
            done[trial.task.kind].append(trial.succeeded)
    rates = [sum(tries) / len(tries) for tries in done.values()]
    return sum(rates) / max(1, len(rates))


def parse_data(values: list[str]) -> Iterator[tuple[Path, float]]:
    """`FOLDER` or `FOLDER=WEIGHT`. Raises ValueError."""
    for value in values:
        path, _, weight = value.partition("=")
        number = float(weight) if weight else 1.0
        if not 0 < number < float("inf"):
            raise ValueError(f"the weight in {value!r} is not a positive number")
        yield Path(path), number
