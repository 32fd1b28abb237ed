"""Bit-exactness: `python -m scenarios.eval_replay runs/eval --count 50`.

Re-simulates recorded runs, each in a fresh process, and compares the hash of the whole physical state after
every chunk.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import track

from replay.physics import replay_physics
from traces.index import list_runs


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the runs lie, each in a folder")
    parser.add_argument("--count", type=int, default=50)
    args = parser.parse_args()
    runs = sorted(run.folder for run in list_runs(args.folder))[: args.count]
    reports = {
        run.name: replay_physics(run) for run in track(runs, "re-simulating", console=Console(stderr=True))
    }
    figures = {
        "runs": len(reports),
        "equal": sum(report.equal for report in reports.values()),
        "chunks": sum(report.chunks for report in reports.values()),
        "sim_s": sum(report.sim_s for report in reports.values()),
        "different": {name: str(r.difference) for name, r in reports.items() if not r.equal},
    }
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
