"""Do the successful attempts of recorded runs still look like those of the calibration?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from traces import names
from traces.errors import TandemError
from traces.reader import read_run
from vla_low_level.monitoring.calibration import Calibration
from vla_low_level.monitoring.conformal import StaleWatch

LOG = "trace.wal"


@dataclass(frozen=True, slots=True)
class Told:
    """What the runs say of one calibration.

    Attributes:
        attempts: Successful ones that were counted.
        value: Of the martingale.
        stale: Whether it should be made anew.
    """

    attempts: int
    value: float
    stale: bool

    @property
    def words(self) -> str:
        """For a person."""
        if self.stale:
            said = "stale: make a new one with `tandem calibrate`"
        else:
            said = "no reason to doubt it" if self.attempts else "nothing to judge by"
        return f"{self.attempts} successful attempts, evidence {self.value:.3g} of 100: {said}"


def watch_runs(paths: Iterable[Path], calibrations: Path) -> Mapping[str, Told]:
    """Bet on every calibration in a folder, with the runs in the order in which they began.

    Raises:
        TandemError: `CALIBRATION_MISSING` when there is none, or what reading it or a run raises.
    """
    folders = sorted(path.parent for path in calibrations.glob("*/calibration.json"))
    if not folders:
        raise TandemError(
            "CALIBRATION_MISSING", f"no calibration in {calibrations}", fix="make one with `tandem calibrate`"
        )
    watches = {folder.name: StaleWatch(Calibration.load(folder).card.scores) for folder in folders}
    counted = dict.fromkeys(watches, 0)
    for kind, score in _scores(paths):
        if kind in watches:
            watches[kind].add(score)
            counted[kind] += 1
    return {kind: Told(counted[kind], watch.value, watch.stale()) for kind, watch in watches.items()}


def _scores(paths: Iterable[Path]) -> Iterator[tuple[str, float]]:
    """Kind of policy and score of every attempt that succeeded, in time."""
    found = []
    for path in paths:
        runs = [path] if (path / LOG).exists() else sorted(log.parent for log in path.glob(f"*/{LOG}"))
        for run in runs:
            for _, span in read_run(run).walk():
                told = span.attributes
                if told.get(names.SKILL_SUCCEEDED) is True and names.MONITOR_EPISODE in told:
                    score = float(str(told[names.MONITOR_EPISODE]))
                    found.append((span.start_ns, str(told[names.ROUTE]), score))
    return ((kind, score) for _, kind, score in sorted(found))
