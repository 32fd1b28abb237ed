"""`tandem planner train`: make the embedded planner's language model anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.errors import told_errors

planner_app = typer.Typer(no_args_is_help=True, help="The embedded planner's language model: train.")


@planner_app.callback()
def _planner() -> None:
    """Keeps `train` a command of its own."""


@planner_app.command("train")
def planner_train(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Checkpoint and result.")] = Path("build/planner"),
    steps: Annotated[int, typer.Option(min=1, max=10**6, help="Optimiser steps in all.")] = 2500,
    start: Annotated[
        Path | None,
        typer.Option("--from", metavar="FOLDER", exists=True, file_okay=False, help="Begin with this model."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31, metavar="N", help="Same seed, same weights.")] = 0,
) -> None:
    """Train on generated instructions, on one thread; interrupted, the same command goes on.

    The result is `DIR/folder`, in the layout that the planner and any server load. Every 250 steps it is
    written and validated on new combinations of known templates and on template families that are held out.
    With new templates, `--from` goes on from a trained folder, at half the rate and with its tokenizer.

    \b
    Examples:
      tandem planner train
      tandem planner train --out build/longer --steps 10000 --seed 1
      tandem planner train --from agent/planner/weights --out build/on --steps 1500
    """  # noqa: D301 (the backspace keeps the lines apart)
    with told_errors():
        from agent.planner.train import train

        train(out, steps, seed, start)
