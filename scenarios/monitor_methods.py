"""What is compared: the joint score, and published monitors, each fitted to the same attempts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from scenarios.monitor_baselines import Scores, baselines
from vla_low_level.monitoring.keep import Kept
from vla_low_level.monitoring.make import fit, moments
from vla_low_level.monitoring.trial import Series, Trial, bound_of

Method = Callable[[Kept], Series]
"""Times [T], s since an attempt began, and scores [T]."""


def ours(trial: Trial) -> Method:
    """The joint score."""
    channels, novelty = fit([r.episode for r in trial.fitting])

    def series(saved: Kept) -> Series:
        found = moments(saved.episode, channels, novelty)
        return np.array([t for t, _ in found]), np.array([moment.score for _, moment in found])

    return series


def published(trial: Trial) -> dict[str, Method]:
    """Baselines, each with its bound or bounds from the calibration."""
    found: dict[str, Method] = {}
    for name, parts in baselines([r.episode for r in trial.fitting]).items():
        bounds = [bound_of([float(part(r.episode).max()) for r in trial.calibration]) for part in parts]

        def series(saved: Kept, parts: Sequence[Scores] = parts, bounds: Sequence[float] = bounds) -> Series:
            told = [part(saved.episode) for part in parts]
            if len(told) > 1:
                # Both above their own bound: the smaller of the two excesses.
                told = [np.min([t / abs(b) - np.sign(b) for t, b in zip(told, bounds, strict=True)], axis=0)]
            times = np.array([s.time_s for s in saved.episode.seen]) - saved.label.started_s
            return times, told[0]

        found[name] = series
    return found
