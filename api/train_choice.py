"""`tandem train-choice`: a trained policy learns to choose among the places that its heat-map proposes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

if TYPE_CHECKING:
    from vla_low_level.vla.network import VLANetwork
    from vla_low_level.vla.train_choice import ChoiceRecipe, Seen

# Frames of an episode that are next to each other are alike.
EVERY = 8


def train_choice_command(
    data: list[Path],
    check: Path | None,
    start: Path,
    out: Path,
    recipe: ChoiceRecipe,
    console: Console,
) -> None:
    """Train and write the whole policy to `out`.

    Raises:
        TandemError: What is wrong with data or weights.
    """
    import torch

    from vla_low_level.vla.pretrained import load_pretrained, save_pretrained
    from vla_low_level.vla.train_choice import accuracy, together, train_choice

    torch.set_num_threads(1)
    network, digest = load_pretrained(start)
    with Progress(console=console) as progress:
        seen = together([_look(network, folder, progress) for folder in data])
        unseen = _look(network, check, progress) if check else None
        bar = progress.add_task("training the choice", total=recipe.steps)
        for step, loss in train_choice(network.choice, seen, recipe):
            progress.update(bar, completed=step, description=f"training the choice, loss {loss:.3f}")
    if unseen is not None:
        right, hottest, n = accuracy(network.choice, unseen)
        console.print(f"{check}: right {right} of {n}; the hottest place alone: {hottest}")
    facts = {"start": digest, "choice": recipe.model_dump(), "data": [str(folder) for folder in data]}
    save_pretrained(out, network, facts | {"frames": len(seen.said)})


def _look(network: VLANetwork, folder: Path, progress: Progress) -> Seen:
    from vla_low_level.dataset.read import read
    from vla_low_level.vla.batches import Batches
    from vla_low_level.vla.text import SentenceEncoder
    from vla_low_level.vla.train_choice import look_once, worth_looking_at

    bar = progress.add_task(f"encoding what {folder} says", total=None)
    batches = Batches.of(read(folder), network.config.horizon, SentenceEncoder())
    frames = worth_looking_at(batches, EVERY)
    progress.update(bar, total=len(frames), description=f"looking at {folder}")
    return look_once(network, batches, frames, lambda many: progress.advance(bar, many))
