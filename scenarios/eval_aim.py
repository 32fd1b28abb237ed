"""Does the policy mean what was said? `python -m scenarios.eval_aim --first 1121000 --scenes 50`.

Glances at scenes that were never trained on: for each, whether the place that it chooses in the table camera
is the right one, and how far its target is from the teacher's where it is. It costs seconds where trials cost
minutes, and says what more data is worth.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from scenarios.statistics import wilson
from scenarios.taught import Taught, read_part
from sim.demos.glance import draw_glances
from sim.demos.record import Order, record_shown
from sim.demos.tasks import Kind
from vla_low_level.dataset.assemble import part_path
from vla_low_level.vla.network import VLANetwork
from vla_low_level.vla.pretrained import SHIPPED, load_pretrained
from vla_low_level.vla.text import SentenceEncoder

# A place further from the target than this is another one, px.
OTHER_PX = 12.0
FRAMES_A_PASS = 64


def looked(
    network: VLANetwork, seed: int, folder: Path, encoder: SentenceEncoder
) -> list[tuple[Kind, float, float]]:
    """Every glance at a scene: the skill, how far off the chosen place is, px, and the target, m."""
    glances = list(draw_glances(seed))
    if not glances:
        return []
    record_shown(Order(folder, seed), glances)
    taught = Taught(network.config.horizon, "cpu", encoder)
    taught.add(read_part("glances", part_path(folder, seed)))
    taught.take()
    batches, kinds = taught.batches, [shown.task.kind for shown in glances]
    assert batches is not None
    found: list[tuple[Kind, float, float]] = []
    for first in range(0, len(kinds), FRAMES_A_PASS):
        indices = np.arange(first, min(first + FRAMES_A_PASS, len(kinds)))
        batch = batches.at(indices, None)
        seen = network.understand(batch.inputs)
        places = seen.chosen.places_px[torch.arange(len(indices)), seen.chosen.scores.argmax(1)]
        off_px = (places - batch.table_uv).norm(dim=1).tolist()
        off_m = (seen.target_m - batch.target_m).norm(dim=1).tolist()
        found += zip(kinds[first : first + FRAMES_A_PASS], off_px, off_m, strict=True)
    return found


def main() -> None:
    """Command line."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--first", type=int, default=1_121_000, help="first seed; validation's by default")
    parser.add_argument("--scenes", type=int, default=50)
    parser.add_argument("--weights", type=Path, default=SHIPPED, help="a policy's folder")
    args = parser.parse_args()
    torch.set_num_threads(1)
    network, encoder, by_kind = load_pretrained(args.weights)[0], SentenceEncoder(), defaultdict(list)
    seeds = range(args.first, args.first + args.scenes)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        for seed in track(seeds, "scenes", console=Console(stderr=True)):
            for kind, off_px, off_m in looked(network, seed, Path(folder), encoder):
                by_kind[kind].append((off_px, off_m))
    figures = {}
    for kind, offs in sorted(by_kind.items()):
        px, m = np.array(offs).T
        wrong, right_m = px > OTHER_PX, m[px <= OTHER_PX]
        rate = wilson(int(wrong.sum()), len(wrong))
        mm = [round(1000 * float(np.quantile(right_m, q)), 1) for q in (0.5, 0.9)] if len(right_m) else []
        figures[kind.value] = {"wrong place": asdict(rate), "target off, mm, median and 90 %": mm}
        sys.stderr.write(f"{kind.value:>12}  wrong place {rate}; else off by {mm} mm\n")
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
