"""What recording costs a whole run: `python -m scenarios.trace_share --count 10`.

The same seeds with a recorder and with one that does nothing, models loaded; wall time and the mind's own
CPU time, paired by seed. Both runs of a pair carry out the same chunks.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from agent.executive import Executive
from agent.modules import Modules
from api.assemble import load_modules
from api.options import RunOptions
from sim.layout import resolve
from sim.robot import SimRobot
from sim.scene import SceneSpec
from traces.recorder import Recorder
from traces.span import SpanRef
from vla_low_level.recorded_robot import RecordedRobot

FIRST_SEED = 7_500_000
_NOWHERE = "0" * 64


class _Silent:
    """A recorder, its spans and their context, all of which write nothing."""

    ref = SpanRef("0" * 32, "0" * 16)

    def span(self, *_: object) -> Self:
        return self

    def image(self, *_: object) -> str:
        return _NOWHERE

    json = text = image

    def arrays(self, **_: object) -> str:
        return _NOWHERE

    packed = arrays

    def nothing(self, *_: object) -> None:
        return None

    set = update = log = link = fail = sync = result = finish = past = nothing

    def __enter__(self) -> Self:
        return self

    begin = __enter__

    def __exit__(self, *_: object) -> None:
        return None


def run_once(modules: Modules, options: RunOptions, recorder: Recorder) -> tuple[float, float, int]:
    """One command; wall seconds, CPU seconds of the mind, and chunks."""
    placed = resolve(SceneSpec.load(options.scene), options.seed)
    with SimRobot.start(placed) as body:
        body.observe()
        executive = Executive(RecordedRobot(body, recorder), modules.mind(), recorder)
        wall, cpu = time.perf_counter(), time.process_time()
        result = executive.run(options.instruction)
        return time.perf_counter() - wall, time.process_time() - cpu, result.chunks


def share(count: int, instruction: str, scene: str) -> dict[str, Any]:
    """Paired runs."""
    pairs = []
    silent = cast(Recorder, _Silent())
    for number in track(range(count), "recording, and not", console=Console(stderr=True)):
        options = RunOptions(instruction, scene, FIRST_SEED + number, policy="specialist")
        modules = load_modules(options)
        with tempfile.TemporaryDirectory() as folder, Recorder.open(Path(folder) / "run", {}) as recorder:
            order = [(recorder, 0), (silent, 1)][:: 1 if number % 2 else -1]
            took = {which: run_once(modules, options, who) for who, which in order}
        if took[0][2] != took[1][2]:
            raise SystemExit(f"seed {options.seed}: the two runs are not the same")
        pairs.append((took[0], took[1]))
    walls = np.array([[on[0], off[0]] for on, off in pairs])
    cpus = np.array([[on[1], off[1]] for on, off in pairs])
    return {
        "pairs": count,
        "chunks": sum(on[2] for on, _ in pairs),
        "wall_share_median": round(float(np.median(1 - walls[:, 1] / walls[:, 0])), 4),
        "wall_s_on_off": walls.sum(0).round(2).tolist(),
        "mind_cpu_share_median": round(float(np.median(1 - cpus[:, 1] / cpus[:, 0])), 4),
        "mind_cpu_s_on_off": cpus.sum(0).round(2).tolist(),
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--instruction", default="clear the table")
    parser.add_argument("--scene", default="cubes")
    args = parser.parse_args()
    torch.set_num_threads(1)
    sys.stdout.write(json.dumps(share(args.count, args.instruction, args.scene), indent=1) + "\n")


if __name__ == "__main__":
    main()
