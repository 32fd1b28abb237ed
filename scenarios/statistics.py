"""The statistics that every published number carries."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Rate:
    """A proportion with its 95 % Wilson score interval.

    Attributes:
        successes: How often it happened.
        n: Out of how many.
        low: Lower end of the interval, 0..1.
        high: Upper end.
    """

    successes: int
    n: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The proportion itself."""
        return self.successes / self.n

    def __str__(self) -> str:
        interval = f"{100 * self.low:.1f} to {100 * self.high:.1f} %"
        return f"{100 * self.value:.1f} % ({self.successes}/{self.n}, 95 % interval {interval})"


def wilson(successes: int, n: int) -> Rate:
    """Wilson score interval (Wilson 1927, JASA 22:209), 95 %.

    Raises:
        ValueError: When `n` is not positive or `successes` is outside 0..n.
    """
    if n <= 0 or not 0 <= successes <= n:
        raise ValueError(f"want 0 <= successes <= n and n > 0, got {successes} of {n}")
    p, z2 = successes / n, Z95 * Z95
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return Rate(successes, n, max(0.0, centre - half), min(1.0, centre + half))


def quantile(values: Sequence[float], q: float) -> float:
    """The q-quantile by linear interpolation between order statistics.

    Raises:
        ValueError: When there are no values or `q` is outside 0..1.
    """
    if not values or not 0 <= q <= 1:
        raise ValueError("want at least one value and 0 <= q <= 1")
    ordered = sorted(values)
    at = q * (len(ordered) - 1)
    low, high = math.floor(at), math.ceil(at)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)
