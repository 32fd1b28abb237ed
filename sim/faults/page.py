"""The reference page of faults: `python -m sim.faults.page > docs/faults.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from sim.faults.catalogue import CATALOGUE
from sim.faults.kinds import FailureClass, Kind, Size
from sim.faults.spec import GRAMMAR, MAX_FAULTS

_HEAD = f"""# Faults

Made from `sim/faults/catalogue/` by `python -m sim.faults.page > docs/faults.md`; a test compares the two.

What can go wrong can be made to go wrong, to see whether Tandem notices, and whether the blame falls on the
right part:

```bash
tandem run "clear the table" --fault camera_shift:0.05@3s
tandem run "clear the table" --fault frame_freeze/wrist@4s+2s --fault slip
tandem faults                                            # this list, in the terminal
```

A fault is written `{GRAMMAR}`. The onset counts from the first look of the command, in the body's time;
without one it is 0. Without a duration the fault stays to the end, or as long as its kind lasts by itself.
What needs a circumstance, such as a hand that comes near or something held, waits for it from the onset on.
A camera (`overhead`, which is `table` as well, or `wrist`) or an object's id can follow the slash. At most
{MAX_FAULTS} at once.

## What is promised

- **Where it belongs.** Cameras, motors, things and chunks on their way to the controller go wrong in the
  body's process, before the guard; scenes, plans, routes and chunks go wrong in wrappers around perceiver,
  planner, router and policy. The agent's own code has no word for faults.
- **Same seed, same fault, same bytes.** Each fault draws from a stream of its own, keyed by the run's seed
  and its name, aim and onset: neither its magnitude and duration nor other faults change what it draws.
  Without faults, and before the first onset, a run is the one that it would have been.
- **Replay.** The faults are part of the run's configuration. `tandem replay RUN --level physics |
  decisions` and `--from CHUNK` inject them again. A policy or planner that is replaced with `--policy`,
  `--planner` or `--set` comes without its faults: that is what replacing it asks.
- **Ground truth.** The record holds what was asked for (`tandem.faults`), and when each fault first had an
  effect and was over (`tandem.fault`); `sim.faults.record.fault_times(run)` reads it. A fault that never
  had an effect has no beginning. Nothing of it is given to the agent or its monitor.
- **Reverting.** `Injection.without(k)` is the same run with one fault repaired from the start,
  `Fault.until(t)` repairs it at an instant.

```python
from api.assemble import run_scored
from api.options import RunOptions
from sim.faults.record import fault_times
from traces.reader import read_run

result, truth = run_scored(RunOptions("clear the table", record=folder, faults=("camera_shift:0.05@3s",)))
for happened in fault_times(read_run(folder)):
    print(happened.fault, happened.fault.failure, happened.began_s, happened.ended_s)
```
"""
_ROW = "fault | F | class | default | range | what it does | reverted"


def render() -> str:
    """The page as Markdown."""
    harmful = [kind for kind in CATALOGUE.values() if kind.failure is not FailureClass.BENIGN]
    benign = [kind for kind in CATALOGUE.values() if kind.failure is FailureClass.BENIGN]
    return "\n".join(
        [
            _HEAD,
            "## Faults\n",
            "The class says which part is to blame.\n",
            *_table(harmful),
            "\n## Shifts that are no faults\n",
            "A robot should cope with these and not alarm much.\n",
            *_table(benign),
            "",
        ]
    )


def _table(kinds: Iterable[Kind]) -> list[str]:
    return [f"| {_ROW} |", "|" + " --- |" * (_ROW.count("|") + 1), *(_row(kind) for kind in kinds)]


def _row(kind: Kind) -> str:
    cells = (
        *(f"`{kind.name}`", str(kind.number), kind.failure.value.replace("_", " ")),
        *(kind.size.text, _range(kind.size), kind.meaning + _lasts(kind), kind.revert),
    )
    return f"| {' | '.join(cells)} |"


def _range(size: Size) -> str:
    return f"{size.low:.3g} to {size.high:.3g}" if size.unit else ""


def _lasts(kind: Kind) -> str:
    if kind.lasts_s is None:
        return ""
    return f" By itself {kind.lasts_s:.3g} s." if kind.lasts_s else " At once."


if __name__ == "__main__":
    sys.stdout.write(render())
