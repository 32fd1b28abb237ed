"""The command line of System 1: `tandem data record | show`, `tandem train`, `tandem train-choice`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api.errors import told_errors

data_app = typer.Typer(no_args_is_help=True, help="Demonstrations: record, show.")

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The dataset's folder.")]
Workers = Annotated[
    int, typer.Option(min=0, max=256, metavar="N", help="Processes; 0: one for every processor.")
]


@data_app.command("record")
def record(  # noqa: PLR0913 (a command line)
    folder: Folder,
    scenes: Annotated[int, typer.Option(min=1, max=500_000, help="About five episodes each.")] = 1000,
    first: Annotated[
        int,
        typer.Option(
            min=0, max=2**62, metavar="SEED", help="Of the first scene; 1000000 and up are for tests."
        ),
    ] = 0,
    arm: Annotated[
        str | None, typer.Option(metavar="panda|kuka_iiwa|xarm6", help="Only this arm; default all three.")
    ] = None,
    skill: Annotated[
        str | None,
        typer.Option(metavar="SKILL", help="Only this skill, e.g. push or place_on; default all seven."),
    ] = None,
    glances: Annotated[
        bool,
        typer.Option("--glances", help="One frame for all that could be asked of a scene, not episodes."),
    ] = False,
    pilot: Annotated[
        Path | None,
        typer.Option(metavar="WEIGHTS", help="A policy that drives first and is corrected, a DAgger round."),
    ] = None,
    workers: Workers = 0,
) -> None:
    """Record the scripted teacher as a LeRobotDataset v3.0: seven skills, three arms, many ways to say them.

    Interrupted, the same command goes on where it was.

    \b
    Examples:
      tandem data record data/demos --scenes 1000
      tandem data record data/more --first 1000 --scenes 200 --arm xarm6
      tandem data record data/glances --first 700000 --scenes 3000 --glances
      tandem data record data/corrections --first 560000 --scenes 300 --pilot build/vla
    """  # noqa: D301 (the backspace keeps the lines apart)
    with told_errors():
        from api.demos import corrected, default_workers, record_demos
        from sim.arms import ARMS
        from sim.demos.record import orders_for, record_glances, record_scene
        from sim.demos.tasks import Kind

        if arm is not None and arm not in ARMS:
            raise typer.BadParameter(f"{arm!r} is not one of {', '.join(ARMS)}", param_hint="--arm")
        if skill is not None and skill not in set(Kind):
            raise typer.BadParameter(f"{skill!r} is not one of {', '.join(Kind)}", param_hint="--skill")
        if glances and pilot is not None:
            raise typer.BadParameter("nobody drives in a glance", param_hint="--pilot")
        recorder = record_glances if glances else partial(corrected, pilot) if pilot else record_scene
        about = {
            "teacher": "sim.demos.teacher",
            "first_seed": first,
            "scenes": scenes,
            "arm": arm,
            "skill": skill,
            "glances": glances,
            "pilot": str(pilot) if pilot else None,
        }
        orders = orders_for(folder, first, scenes, arm, Kind(skill) if skill else None)
        info = record_demos(orders, workers or default_workers(), Console(), about=about, recorder=recorder)
        Console().print(f"{info['total_episodes']} episodes, {info['total_frames']} frames in {folder}")


@data_app.command("show")
def show(
    folder: Folder,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the contact sheet goes.")] = Path(
        "contact_sheet.png"
    ),
) -> None:
    """Statistics of a dataset, and frames of it as one picture."""
    with told_errors():
        from api.demos import show_dataset

        show_dataset(folder, out, Console())


def train(  # noqa: PLR0913
    data: Annotated[
        list[str],
        typer.Argument(metavar="DIR[=WEIGHT]...", help="Datasets; a weight says how often each is drawn."),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Weights, checkpoints and logs.")] = Path(
        "build/vla"
    ),
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps.")] = 20_000,
    batch: Annotated[int, typer.Option(min=1, max=4096, help="Frames a step.")] = 64,
    rate: Annotated[float, typer.Option(min=1e-7, max=1.0, help="Highest learning rate.")] = 1e-3,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Same seed and data, same weights.")] = 0,
    start: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Begin with these weights instead of new ones.")
    ] = None,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where.")] = "auto",
    dagger: Annotated[
        int,
        typer.Option(
            min=0, max=20, metavar="ROUNDS", help="Rounds with the policy's own mistakes corrected."
        ),
    ] = 0,
    dagger_scenes: Annotated[int, typer.Option(min=1, max=20_000, help="Scenes recorded in each.")] = 300,
    dagger_steps: Annotated[int, typer.Option(min=1, help="Steps trained in each.")] = 4000,
    validate_every: Annotated[int, typer.Option(min=1, help="Steps between validations.")] = 2000,
    validation_scenes: Annotated[
        int, typer.Option(min=1, max=10_000, help="Unseen scenes that the best weights are chosen by.")
    ] = 30,
    workers: Workers = 0,
) -> None:
    """Train a policy on LeRobotDataset v3.0 folders. Interrupted, the same command goes on where it was.

    \b
    Examples:
      tandem train data/demos
      tandem train data/demos --dagger 2 --out build/mine
      tandem train data/kitchen data/demos=0.2 --start build/mine --steps 2000 --rate 3e-4
    """  # noqa: D301 (as above)
    if device not in ("auto", "cpu", "cuda"):
        raise typer.BadParameter(f"{device!r} is not auto, cpu or cuda", param_hint="--device")
    with told_errors():
        from api.demos import default_workers
        from api.train import TrainOptions, parse_data, train_command
        from vla_low_level.vla.train import Recipe, choose_device

        try:
            folders = tuple(parse_data(data))
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="DIR[=WEIGHT]") from error
        recipe = Recipe(steps=steps, batch=batch, rate=rate, seed=seed, validate_every=validate_every)
        options = TrainOptions(
            data=folders,
            out=out,
            recipe=recipe,
            start=start,
            device=choose_device(device),
            rounds=dagger,
            round_scenes=dagger_scenes,
            round_steps=dagger_steps,
            validation_scenes=validation_scenes,
            workers=workers or default_workers(),
        )
        best = train_command(options, Console())
        Console().print(f"the best weights are in {best}")


def train_choice(
    data: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Datasets, glances above all.")],
    start: Annotated[Path, typer.Option(metavar="DIR", help="The policy whose choice is trained.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the policy with it goes.")] = Path(
        "build/choice"
    ),
    check: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A dataset that it is scored on at the end.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps.")] = 6000,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Same seed and data, same weights.")] = 0,
) -> None:
    """Train a policy on to tell apart the places its heat-map proposes; everything else of it stays.

    \b
    Example:
      tandem train-choice data/glances --start build/vla --check data/unseen
    """  # noqa: D301 (as above)
    with told_errors():
        from api.train_choice import train_choice_command
        from vla_low_level.vla.train_choice import ChoiceRecipe

        recipe = ChoiceRecipe(steps=steps, seed=seed)
        train_choice_command(data, check, start, out, recipe, Console())
        Console().print(f"the policy is in {out}")
