"""Thresholds with a finite-sample guarantee on false alarms, and a watch over whether it still holds.

The threshold is an order statistic of scores of good episodes (Vovk et al. 2005; Lei et al. 2018), never
an interpolated quantile: `numpy.quantile(scores, 0.9)` of 10 scores is passed by 17 % of new ones. What is
promised is the false alarms of episodes exchangeable with the calibration's. Nothing is promised about
failures that are noticed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from traces.errors import TandemError

# Bets of the mixture martingale: powers of the p-value.
BETS = np.linspace(0.05, 0.95, 19)


def least_episodes(alpha: float) -> int:
    """How many scores a threshold at `alpha` needs. Raises ValueError unless 0 < alpha < 1."""
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha is {alpha}, it must lie between 0 and 1")
    return math.ceil(round(1.0 / alpha, 9)) - 1


def exact_rank(n: int, alpha: float) -> int | None:
    """Rank k of n ascending scores that a new exchangeable one exceeds with probability alpha at most.

    None when n scores have no such rank. Raises ValueError as `least_episodes` does.
    """
    k = math.ceil(round((n + 1) * (1.0 - alpha), 9))
    return None if n < least_episodes(alpha) or k > n else k


def marginal_rank(n: int, alpha: float) -> int:
    """The same where there must be one.

    Raises:
        TandemError: `CALIBRATION_SMALL` when there is no such rank.
    """
    k = exact_rank(n, alpha)
    if k is None:
        raise _too_small(n, alpha, least_episodes(alpha))
    return k


def pac_rank(n: int, alpha: float, delta: float = 0.05) -> int:
    """Rank whose false-alarm rate is alpha at most for all but a share `delta` of calibration sets.

    The coverage of the k-th of n continuous scores is Beta(k, n + 1 - k) (Vovk 2012): the smallest k with
    P(Binomial(n, 1 - alpha) >= k) <= delta.

    Raises:
        TandemError: `CALIBRATION_SMALL` when there is no such rank.
    """
    tail = 0.0
    best = n + 1
    for k in range(n, 0, -1):
        tail += math.comb(n, k) * (1.0 - alpha) ** k * alpha ** (n - k)
        if tail > delta:
            break
        best = k
    if best > n:
        raise _too_small(n, alpha, math.ceil(math.log(delta) / math.log(1.0 - alpha)))
    return best


def threshold(scores: Sequence[float], rank: int) -> float:
    """The score of that rank, 1 being the smallest; an alarm is a score above it."""
    return float(sorted(scores)[rank - 1])


def _too_small(n: int, alpha: float, need: int) -> TandemError:
    return TandemError(
        "CALIBRATION_SMALL",
        f"{n} good episodes cannot bound false alarms at {100 * alpha:g} %, it takes {need}",
        fix=f"record {max(1, need - n)} more, or allow more false alarms with --alpha",
    )


class StaleWatch:
    """A conformal test martingale: large when episodes are no longer like the calibration's.

    Every new score is ranked among all before it, ties at random, which makes p-values independent and
    uniform under exchangeability (Vovk et al. 2003); the mixture of power bets then exceeds 1 / delta ever
    with probability delta at most (Ville's inequality).

    Attributes:
        value: Of the martingale; 1 at the beginning.
    """

    def __init__(self, calibration: Sequence[float], seed: int = 0) -> None:
        """Begin with the calibration's scores as what is known."""
        self._known = sorted(calibration)
        self._rng = np.random.default_rng([seed, 0x57A1E])
        self._log = np.zeros_like(BETS)
        self.value = 1.0

    def add(self, score: float) -> float:
        """Take note of a good episode's score; returns the martingale's value."""
        left, right = (int(np.searchsorted(self._known, score, side)) for side in ("left", "right"))
        above, equal = len(self._known) - right, right - left + 1
        p = (above + float(self._rng.uniform()) * equal) / (len(self._known) + 1)
        self._known.insert(left, score)
        self._log += np.log(BETS) + (BETS - 1.0) * math.log(max(p, 1e-12))
        self.value = float(np.exp(np.minimum(self._log, 600.0)).mean())
        return self.value

    def stale(self, delta: float = 0.01) -> bool:
        """Whether the calibration should be made anew; wrong once in 1 / delta watches at most."""
        return self.value >= 1.0 / delta
