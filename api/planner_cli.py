"""`tandem planner train | calibrate`: make the embedded planner's model anew; when a planner asks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.errors import told_errors

planner_app = typer.Typer(
    no_args_is_help=True, help="Planners: train the embedded one's model, calibrate asking."
)


@planner_app.command("train")
def planner_train(  # noqa: PLR0913 (options of a command)
    out: Annotated[Path, typer.Option(metavar="DIR", help="Checkpoint and result.")] = Path("build/planner"),
    steps: Annotated[
        int | None, typer.Option(min=1, max=10**7, help="Optimiser steps in all; 2500 if no minutes are set.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.05, help="Wall time in all; the learning rate falls over it.")
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option("--from", metavar="FOLDER", exists=True, file_okay=False, help="Begin with this model."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31, metavar="N", help="Same seed, same examples.")] = 0,
    device: Annotated[
        str, typer.Option(metavar="auto|cpu|cuda", help="auto takes a GPU where there is one.")
    ] = "auto",
    batch: Annotated[int, typer.Option(min=1, max=4096, help="Examples a step.")] = 48,
    size: Annotated[str, typer.Option(metavar="WIDTHxLAYERS", help="Of a new model.")] = "256x6",
    workers: Annotated[
        int, typer.Option(min=0, max=256, help="Processes that make examples; 0: this one does.")
    ] = 0,
    uses: Annotated[int, typer.Option(min=1, max=100, help="How often an example is seen, about.")] = 1,
) -> None:
    """Train on generated instructions; interrupted, the same command goes on.

    The result is `DIR/folder`, in the layout that the planner and any server load. Every 500 steps the model
    is validated on new combinations of known templates, on template families that are kept to choose by, and
    on families that are held out; what is best on those to choose by is written.
    With new templates, `--from` goes on from a trained folder, at half the rate and with its tokenizer.
    On a CPU the same seed gives the same weights; a GPU may round differently.

    \b
    Examples:
      tandem planner train --size 128x4
      tandem planner train --out build/longer --steps 10000 --seed 1
      tandem planner train --from agent/planner/weights --out build/on --steps 1500
      tandem planner train --device cuda --minutes 8 --batch 1024 --workers 14 --uses 3
    """  # noqa: D301 (the backspace keeps the lines apart)
    with told_errors():
        from agent.planner.train import Settings, size_of, train

        steps = 2500 if steps is None and minutes is None else steps
        width, layers = size_of(size)
        train(out, Settings(steps, minutes, seed, start, device, batch, width, layers, workers, uses))


@planner_app.command("calibrate")
def planner_calibrate(
    planner: Annotated[
        str, typer.Option(metavar="SPEC", help="embedded, served:URL#MODEL or openai:URL#MODEL.")
    ] = "embedded",
    miss: Annotated[
        float, typer.Option(min=0.001, max=0.5, help="How often the set may miss what was meant.")
    ] = 0.08,
    commands: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Labelled commands; without, those that are shipped.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Calibration file; without, the one that is shipped.")
    ] = None,
) -> None:
    """Calibrate when a planner asks: how unlikely it holds what was meant, on commands with labels.

    From then on it acts only on a plan that is alone in the prediction set. The file belongs to the model and
    the word lists that it was made with; after they change it is not used, and the planner asks more.
    For a planner other than the embedded one, name a file and set TANDEM_ASKING to it.

    \b
    Examples:
      tandem planner calibrate
      tandem planner calibrate --planner openai:http://HOST:8000/v1#MODEL --out asking.json
      TANDEM_ASKING=asking.json tandem run "clear the table" --planner openai:http://HOST:8000/v1#MODEL
    """  # noqa: D301 (the backspace keeps the lines apart)
    with told_errors():
        from api.calibrate import calibrate_asking

        calibrate_asking(planner, miss, commands, out)
