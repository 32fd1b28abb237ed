"""`tandem data`: record demonstrations, and look at a dataset."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from traces.errors import TandemError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.demos.episode import Driver
    from sim.demos.record import Order, Recorded
    from vla_low_level.dataset.read import Demonstrations
    from vla_low_level.observation import Observation
    from vla_low_level.vla.policy import VLAPolicy

# Rows that a learning policy drives before the teacher takes over.
LEAST_DRIVEN, MOST_DRIVEN = 4, 100
SHEET_COLUMNS, SHEET_ROWS = 8, 6


def default_workers() -> int:
    """One for every processor."""
    return os.cpu_count() or 1


def record_demos(
    orders: list[Order],
    workers: int,
    console: Console,
    *,
    about: dict[str, Any],
    recorder: Callable[[Order], Recorded] | None = None,
) -> dict[str, Any]:
    """Record what is missing, with a progress bar, and assemble the dataset; returns its `meta/info.json`.

    Args:
        orders: Scenes, all of one folder.
        workers: Processes.
        console: For the bar.
        about: How it came about, for the dataset's metadata.
        recorder: Records one scene; by default the teacher alone, episode after episode.
    """
    from sim.demos.record import record, record_scene
    from vla_low_level.dataset.assemble import assemble, part_path

    folder = orders[0].folder
    there = sum(part_path(folder, order.seed).exists() for order in orders)
    with _progress(console) as progress:
        bar = progress.add_task(f"recording {folder}", total=len(orders), completed=there, frames="")
        frames = 0
        for done in record(orders, workers, recorder or record_scene):
            frames += done.frames
            progress.update(bar, advance=1, frames=f"{frames} frames")
    with console.status("assembling"):
        return assemble(folder, "panda, kuka_iiwa, xarm6 with the Panda hand", about)


def _progress(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("scenes {task.fields[frames]}"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console)


def corrected(weights: Path, order: Order) -> Recorded:
    """Record a scene in which a policy drives first in every episode (DAgger, Ross et al. 2011)."""
    from sim.demos.record import record_scene

    def pilot(arm: str, text: str, rng: np.random.Generator) -> Driver:
        return _driver(_policy(weights, arm), text, int(rng.integers(LEAST_DRIVEN, MOST_DRIVEN)))

    return record_scene(order, pilot)


def _driver(policy: VLAPolicy, text: str, until: int) -> Driver:
    from sim.demos.rollout import answer
    from vla_low_level.policy import Instruction

    policy.reset()
    rows: list[NDArray[np.float32]] = []

    def drive(observation: Observation, k: int) -> NDArray[np.float32] | None:
        if k >= until:
            return None
        if not rows:
            output = answer(policy, observation, Instruction(text))
            rows.extend(output.chunk.actions[: policy.replan_rows] if output else ())
        return rows.pop(0) if rows else None

    return drive


@cache
def _policy(weights: Path, arm: str) -> VLAPolicy:
    import torch

    from vla_low_level.vla.policy import VLAPolicy

    torch.set_num_threads(1)
    return VLAPolicy.from_pretrained(weights, embodiment=arm)


def show_dataset(folder: Path, sheet: Path, console: Console) -> None:
    """Print what a dataset holds and draw frames of it.

    Raises:
        TandemError: `DATASET_MISSING` or `DATASET_MISMATCH`.
    """
    from vla_low_level.dataset.read import read

    shown = read(folder)
    console.print(_facts(shown))
    console.print(_spread(shown))
    try:
        contact_sheet(shown).save(sheet)
    except OSError as error:
        raise TandemError("STORAGE", f"cannot write {sheet}: {error}", fix="choose another --out") from error
    console.print(f"contact sheet: {sheet}")


def _facts(shown: Demonstrations) -> Table:
    from vla_low_level.dataset.schema import DONE, EMBODIMENT, EMBODIMENTS, FOLLOWED, FPS

    numbers = shown.numbers
    episodes = numbers["episode_index"]
    lengths = np.bincount(episodes)
    arms = np.bincount(numbers[EMBODIMENT][numbers["frame_index"] == 0], minlength=len(EMBODIMENTS))
    table = Table(show_header=False)
    for name, value in (
        ("episodes", f"{len(lengths)}"),
        ("frames", f"{len(shown)}, {len(shown) / FPS / 60:.0f} min at {FPS} Hz"),
        ("rows an episode", f"{lengths.min()} to {lengths.max()}, median {np.median(lengths):.0f}"),
        ("sentences", f"{len(shown.texts)}"),
        ("episodes by arm", ", ".join(f"{a} {n}" for a, n in zip(EMBODIMENTS, arms, strict=True))),
        ("off the teacher's path", f"{100 * (1 - numbers[FOLLOWED].mean()):.1f} % of frames"),
        ("done", f"{100 * numbers[DONE].mean():.1f} % of frames"),
    ):
        table.add_row(name, value)
    return table


def _spread(shown: Demonstrations) -> Table:
    from vla_low_level.dataset.schema import ACTION, STATE, VECTORS

    table = Table("number", "mean", "std", "1 %", "99 %")
    for name in (STATE, ACTION):
        told = shown.stats[name]
        for k, axis in enumerate(VECTORS[name]):
            values = (told[key][k] for key in ("mean", "std", "q01", "q99"))
            table.add_row(f"{name} {axis}", *(f"{value:.4f}" for value in values))
    return table


def contact_sheet(shown: Demonstrations) -> Image.Image:
    """Frames spread evenly over the dataset: the table camera, with the wrist's in its corner."""
    tiles = list(_tiles(shown, SHEET_COLUMNS * SHEET_ROWS))
    height, width, _ = tiles[0].shape
    sheet = Image.new("RGB", (SHEET_COLUMNS * width, -(-len(tiles) // SHEET_COLUMNS) * height))
    for k, tile in enumerate(tiles):
        sheet.paste(Image.fromarray(tile), (k % SHEET_COLUMNS * width, k // SHEET_COLUMNS * height))
    return sheet


def _tiles(shown: Demonstrations, most: int) -> Iterator[NDArray[np.uint8]]:
    from vla_low_level.dataset.schema import TABLE, WRIST
    from vla_low_level.dataset.statistics import decode

    for index in np.unique(np.linspace(0, len(shown) - 1, most).astype(int)):
        table = decode(shown.pictures[TABLE][int(index)].as_py()).copy()
        wrist = decode(shown.pictures[WRIST][int(index)].as_py())[::2, ::2]
        table[: wrist.shape[0], : wrist.shape[1]] = wrist
        yield table
