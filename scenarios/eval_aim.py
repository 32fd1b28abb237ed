"""Does the policy mean what was said? `python -m scenarios.eval_aim --first 1121000 --scenes 50`.

Glances at scenes that were never trained on: for each, whether the place that it chooses in the table camera
is the right one, how far its target is from the teacher's where it is, and how far off the hand would be when
it looks again. It costs seconds where trials cost minutes, and says what more data is worth.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from torch import Tensor

from scenarios.statistics import wilson
from scenarios.taught import Taught, read_part
from sim.demos.glance import draw_glances
from sim.demos.record import Order, record_shown
from vla_low_level.dataset.assemble import part_path
from vla_low_level.vla.network import Understanding, VLANetwork
from vla_low_level.vla.policy import REPLAN_ROWS
from vla_low_level.vla.pretrained import SHIPPED, load_pretrained
from vla_low_level.vla.text import SentenceEncoder

# A place further from the target than this is another one, px.
OTHER_PX = 12.0
FRAMES_A_PASS = 64


class Look(NamedTuple):
    """What the policy made of a glance.

    Attributes:
        kind: What was asked for.
        place_px: How far the place that it chose in the table camera is from the right one.
        target_m: How far its target is from the teacher's.
        motion_m: How far the hand would be from where the teacher's rows lead, when it looks again.
    """

    kind: str
    place_px: float
    target_m: float
    motion_m: float


def looked(network: VLANetwork, seed: int, folder: Path, encoder: SentenceEncoder) -> list[Look]:
    """Every glance at a scene."""
    glances = list(draw_glances(seed))
    if not glances:
        return []
    record_shown(Order(folder, seed), glances)
    taught = Taught(network.config.horizon, "cpu", encoder)
    taught.add(read_part("glances", part_path(folder, seed)))
    taught.take()
    batches, kinds = taught.batches, [shown.task.kind.value for shown in glances]
    assert batches is not None
    found: list[Look] = []
    for first in range(0, len(kinds), FRAMES_A_PASS):
        indices = np.arange(first, min(first + FRAMES_A_PASS, len(kinds)))
        batch = batches.at(indices, None)
        seen = network.understand(batch.inputs)
        places = seen.chosen.places_px[torch.arange(len(indices)), seen.chosen.scores.argmax(1)]
        off_px = (places - batch.table_uv).norm(dim=1).tolist()
        off_m = (seen.target_m - batch.target_m).norm(dim=1).tolist()
        moved = _drawn(network, seen, [seed, first])[:, :REPLAN_ROWS, :3] - batch.chunk[:, :REPLAN_ROWS, :3]
        off_then_m = moved.sum(1).norm(dim=1).tolist()
        found += map(Look, kinds[first : first + FRAMES_A_PASS], off_px, off_m, off_then_m)
    return found


def _drawn(network: VLANetwork, seen: Understanding, stream: list[int]) -> Tensor:
    """A chunk [B, H, 7] of each."""
    noise = np.random.default_rng(stream).standard_normal((len(seen.done), 1, *network.flow.shape))
    return network.draw(seen.condition, torch.from_numpy(noise.astype(np.float32)))[:, 0]


def figures_of(looks: Sequence[Look]) -> dict[str, object]:
    """How often it means another place, how far off its target is where it does not, and its motion."""
    wrong = np.array([look.place_px > OTHER_PX for look in looks])
    target = np.array([look.target_m for look in looks])[~wrong]
    motion = np.array([look.motion_m for look in looks])
    return {
        "wrong place": asdict(wilson(int(wrong.sum()), len(wrong))),
        "target off, mm, median and 90 %": _spread_mm(target),
        "hand off after a look, mm, median and 90 %": _spread_mm(motion),
    }


def _spread_mm(off_m: NDArray[np.float64]) -> list[float]:
    return [round(1000 * float(np.quantile(off_m, q)), 1) for q in (0.5, 0.9)] if len(off_m) else []


def main() -> None:
    """Command line."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--first", type=int, default=1_121_000, help="first seed; validation's by default")
    parser.add_argument("--scenes", type=int, default=50)
    parser.add_argument("--weights", type=Path, default=SHIPPED, help="a policy's folder")
    args = parser.parse_args()
    torch.set_num_threads(1)
    network, encoder, looks = load_pretrained(args.weights)[0], SentenceEncoder(), list[Look]()
    seeds = range(args.first, args.first + args.scenes)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        for seed in track(seeds, "scenes", console=Console(stderr=True)):
            looks += looked(network, seed, Path(folder), encoder)
    kinds = sorted({look.kind for look in looks})
    figures = {kind: figures_of([look for look in looks if look.kind == kind]) for kind in kinds}
    figures["all of them"] = figures_of(looks)
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
