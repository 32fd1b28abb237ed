"""How good alarms are: rates with clustered intervals, delays, and controls against trivial explanations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Judged:
    """One attempt under one method.

    Attributes:
        seed: Of its scene; attempts of one scene are drawn together in the bootstrap.
        failed: The simulator says that it was not done.
        alarm_s: Time of the first alarm since the attempt began, s; NaN without one.
        lasted_s: How long the attempt was, s.
        onset_s: When the fault began, s; NaN without one.
    """

    seed: int
    failed: bool
    alarm_s: float
    lasted_s: float
    onset_s: float

    @property
    def alarmed(self) -> bool:
        """An alarm was raised."""
        return not np.isnan(self.alarm_s)

    @property
    def delay_s(self) -> float:
        """From onset to alarm, s; NaN where there was none, or none after the onset."""
        return self.alarm_s - self.onset_s if self.alarm_s >= self.onset_s else float("nan")

    @property
    def earliness(self) -> float:
        """1 for an alarm at once, 0 for one at the end or none."""
        return max(0.0, 1.0 - self.alarm_s / max(self.lasted_s, 1e-6)) if self.alarmed else 0.0


def balanced_accuracy(judged: Sequence[Judged]) -> float:
    """Mean of the share of failures that alarm and of successes that do not. NaN without one of the two."""
    alarms, quiet = _sides(judged)
    return float(np.mean([_mean(alarms), _mean(quiet)]))


def timely_accuracy(judged: Sequence[Judged]) -> float:
    """The same, where an alarm counts for the share of the attempt that it saves (FIPER's TWA)."""
    _, quiet = _sides(judged)
    early = [item.earliness for item in judged if item.failed]
    return float(np.mean([_mean(early), _mean(quiet)]))


def _sides(judged: Sequence[Judged]) -> tuple[list[float], list[float]]:
    alarms = [float(item.alarmed) for item in judged if item.failed]
    quiet = [float(not item.alarmed) for item in judged if not item.failed]
    return alarms, quiet


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def auroc(failed: Sequence[bool], scores: Sequence[float]) -> float:
    """Area under the ROC curve of scores that shall be larger for failures; ties count half."""
    bad = np.array([s for f, s in zip(failed, scores, strict=True) if f])
    good = np.array([s for f, s in zip(failed, scores, strict=True) if not f])
    if not len(bad) or not len(good):
        return float("nan")
    above = (bad[:, None] > good[None]).mean()
    return float(above + 0.5 * (bad[:, None] == good[None]).mean())


def clustered(
    judged: Sequence[Judged], figure: Callable[[Sequence[Judged]], float], draws: int = DRAWS
) -> tuple[float, float, float]:
    """A figure with its 95 % interval, scenes drawn with replacement (Field & Welsh 2007)."""
    by_seed: dict[int, list[Judged]] = {}
    for item in judged:
        by_seed.setdefault(item.seed, []).append(item)
    clusters, rng = list(by_seed.values()), np.random.default_rng([0, 0xB007])
    found = []
    for _ in range(draws if clusters else 0):
        drawn = [item for k in rng.integers(len(clusters), size=len(clusters)) for item in clusters[int(k)]]
        found.append(figure(drawn))
    return figure(judged), *_interval(found)


def paired(
    ours: Sequence[Judged],
    theirs: Sequence[Judged],
    figure: Callable[[Sequence[Judged]], float],
    draws: int = DRAWS,
) -> tuple[float, float, float]:
    """How much better ours is on the same attempts, with its 95 % interval, scenes drawn together."""
    seeds = sorted({item.seed for item in ours})
    rng = np.random.default_rng([1, 0xB007])
    at: Mapping[int, list[int]] = {s: [k for k, item in enumerate(ours) if item.seed == s] for s in seeds}
    found = []
    for _ in range(draws if seeds else 0):
        drawn = [k for s in rng.choice(seeds, len(seeds)) for k in at[int(s)]]
        found.append(figure([ours[k] for k in drawn]) - figure([theirs[k] for k in drawn]))
    return figure(ours) - figure(theirs), *_interval(found)


def _interval(found: Sequence[float]) -> tuple[float, float]:
    """The middle 95 % of what is a number; NaN twice where nothing is."""
    known = [value for value in found if not np.isnan(value)]
    if not known:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)
