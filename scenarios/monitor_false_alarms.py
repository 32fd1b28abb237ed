"""How often good attempts are stopped, for several sizes of calibration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scenarios.monitor_methods import ours
from scenarios.monitor_metrics import DRAWS
from vla_low_level.monitoring.conformal import marginal_rank, threshold
from vla_low_level.monitoring.keep import Kept
from vla_low_level.monitoring.trial import Trial

F64 = NDArray[np.float64]

ALPHA = 0.05
SIZES = (20, 60, 200)
SPLITS = 100


def false_alarms(rollouts: Sequence[Kept]) -> dict[str, object]:
    """Share of good attempts stopped, by exact rank and plain quantile, over random splits of their scenes.

    A third says what is normal; of the other scenes some calibrate and the rest are new. The interval is over
    scenes, of how often each attempt is stopped when it is new.
    """
    nominal = [r for r in rollouts if r.label.good]
    third = len(nominal) // 3
    found: dict[str, object] = {"good attempts": len(nominal)}
    if third < 5:
        return found
    fitted, rest = ours(Trial(nominal[:third], [], [])), nominal[third:]
    tops = np.array([fitted(r)[1].max() for r in rest])
    seeds = np.array([r.label.seed for r in rest])
    for n in (10, *SIZES):
        if n + 5 > len(tops):
            continue
        alpha = 0.1 if n == 10 else ALPHA
        exact, plain = _stopped(tops, seeds, n, alpha)
        found[f"n={n}, alpha={alpha}"] = {
            "new attempts": len(tops),
            "exact": _over_scenes(seeds, exact),
            "plain quantile": _over_scenes(seeds, plain),
        }
    return found


def _stopped(tops: F64, seeds: NDArray[np.int64], n: int, alpha: float) -> tuple[F64, F64]:
    """How often each attempt is stopped when it is new, by exact rank and by plain quantile."""
    rng, scenes = np.random.default_rng([6, 3, n]), np.unique(seeds)
    times, hits = np.zeros(len(tops)), np.zeros((2, len(tops)))
    for _ in range(SPLITS):
        order = {int(s): k for k, s in enumerate(rng.permutation(scenes))}
        ranked = np.argsort([order[int(s)] for s in seeds], kind="stable")
        calibration, last = tops[ranked[:n]], order[int(seeds[ranked[n - 1]])]
        new = np.array([order[int(s)] > last for s in seeds])
        times += new
        hits[0] += new & (tops > threshold(calibration.tolist(), marginal_rank(n, alpha)))
        hits[1] += new & (tops > np.quantile(calibration, 1 - alpha))
    exact, plain = hits / np.maximum(times, 1)
    return exact, plain


def _over_scenes(seeds: NDArray[np.int64], shares: F64) -> tuple[float, float, float]:
    """Mean over attempts with its 95 % interval, scenes drawn with replacement."""
    scenes, at = np.unique(seeds, return_inverse=True)
    sums, counts = np.bincount(at, shares), np.bincount(at)
    drawn = np.random.default_rng([0, 0xB007]).integers(len(scenes), size=(DRAWS, len(scenes)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(shares.mean()), float(low), float(high)
