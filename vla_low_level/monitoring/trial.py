"""Kept attempts put to the test: some say what is normal, some where to stop, the others are judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_low_level.monitoring.conformal import least_episodes, marginal_rank, threshold
from vla_low_level.monitoring.keep import Kept
from vla_low_level.monitoring.make import ALPHA_ACT, fit, moments

F64 = NDArray[np.float64]
Series = tuple[F64, F64]
"""Times [T], s since the attempt began, and scores [T]."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Attempts of one policy.

    Attributes:
        fitting: Good ones that say what is normal.
        calibration: Good ones that say where to stop.
        test: All of other scenes: good, bad, with faults and without.
    """

    fitting: list[Kept]
    calibration: list[Kept]
    test: list[Kept]


@dataclass(frozen=True, slots=True)
class Scored:
    """Every attempt of a test with its scores.

    Attributes:
        bound: Of the calibration, at `ALPHA_ACT`.
        series: Scores over time, in the order of the test.
    """

    bound: float
    series: list[Series]

    @property
    def tops(self) -> list[float]:
        """The score of each attempt."""
        return [float(scores.max(initial=0.0)) for _, scores in self.series]


def split(kept: Sequence[Kept], fitting: int, calibration: int) -> Trial:
    """The first scenes' good attempts are fitted to, the next ones' calibrated with; others are the test."""
    good = [item for item in kept if item.label.good]
    first, then = good[:fitting], good[fitting : fitting + calibration]
    seeds = {item.label.seed for item in (*first, *then)}
    return Trial(first, then, [item for item in kept if item.label.seed not in seeds])


def halves(kept: Sequence[Kept], alpha: float) -> tuple[list[Kept], list[Kept]]:
    """Good attempts that say what is normal, and at least so many others as a bound at `alpha` takes.

    Attempts of one scene stay on one side, so that the sides know nothing of each other.
    """
    good = [item for item in kept if item.label.good]
    half = min(len(good) // 2, max(0, len(good) - least_episodes(alpha)))
    while 0 < half < len(good) and good[half].label.seed == good[half - 1].label.seed:
        half -= 1
    return good[:half], good[half:]


def score(trial: Trial) -> Scored:
    """Score a test with the joint score.

    Raises:
        TandemError: `CALIBRATION_SMALL` when the trial has too few attempts for the bound.
    """
    marginal_rank(len(trial.calibration), ALPHA_ACT)
    channels, novelty = fit([item.episode for item in trial.fitting])

    def series(item: Kept) -> Series:
        found = moments(item.episode, channels, novelty)
        return np.array([t for t, _ in found]), np.array([moment.score for _, moment in found])

    tops = [float(series(item)[1].max(initial=0.0)) for item in trial.calibration]
    return Scored(bound_of(tops), [series(item) for item in trial.test])


def bound_of(tops: Sequence[float], alpha: float = ALPHA_ACT) -> float:
    """The exact bound of episodes' scores. Raises `TandemError` (`CALIBRATION_SMALL`)."""
    return threshold(tops, marginal_rank(len(tops), alpha))


def first_above(series: Series, bound: float) -> float:
    """Time of the first score above a bound; NaN when none is."""
    times, scores = series
    above = np.flatnonzero(scores > bound)
    return float(times[above[0]]) if len(above) else float("nan")
