"""One decision from many scores: what is strange adds up over channels and time, against one threshold.

The largest of many channels is ruled by whichever has the heaviest tail, and one good attempt in which a
single channel jumps would raise the threshold for all. Each channel's logarithm beyond its unit is summed
instead, as in Page's cumulative sum (1954): a real failure is strange in several ways, and stays strange.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from vla_low_level.monitor import Finding, Level
from vla_low_level.monitoring.calibration import NEVER, Calibration
from vla_low_level.monitoring.channels import Channels, Smoother
from vla_low_level.monitoring.novelty import Novelty
from vla_low_level.monitoring.sample import Felt, Seen
from vla_low_level.monitoring.scores import Row, Scorer

ARM = 1.0
"""Score from which the policy is asked for more chunks; in each channel one good attempt in ten has it."""
DRAWS = 16
Draw = Callable[[], float]
"""Spread of so many chunks drawn from the present observation, m."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Where an attempt stands.

    Attributes:
        score: The evidence so far; the episode's score in the end. It never falls.
        channel: The strangest at this moment; empty when nothing could be scored.
        parts: Every channel at this moment.
    """

    score: float
    channel: str
    parts: Mapping[str, float] = field(default_factory=dict)


class Watch:
    """Scores one attempt online. Make a new one for every attempt.

    Attributes:
        score: The evidence so far.
    """

    def __init__(self, channels: Channels, novelty: Novelty | None, skill: str, started_s: float) -> None:
        self._scorer = Scorer(skill, started_s, novelty)
        self._smoother = Smoother(channels, skill)
        self.score = 0.0

    def see(self, seen: Seen, off_m: float = float("nan"), draw: Draw | None = None) -> Moment:
        """Before a chunk is sent; as `Scorer.see`, and how to look closer where it is strange."""
        return self.arm(self._scorer.see(seen, off_m), draw)

    def arm(self, row: Row, draw: Draw | None) -> Moment:
        """A row from before a chunk was sent, and the second stage where the first one finds it strange."""
        first = self.add(row)
        if draw is None or first.score >= NEVER or max(first.parts.values(), default=0.0) <= ARM:
            return first
        second = self.add(Row(row.time_s, row.closed, {"draws": draw()}))
        parts = {**first.parts, **second.parts}
        return Moment(second.score, _strangest(parts), parts)

    def feel(self, felt: Felt) -> Moment:
        """When it is over."""
        return self.add(self._scorer.feel(felt))

    def add(self, row: Row) -> Moment:
        """A row that has been scored already."""
        parts = self._smoother.add(row)
        if row.broken is not None:
            self.score = NEVER
            return Moment(NEVER, row.broken[0], parts)
        self.score = min(NEVER, self.score + sum(math.log(max(1.0, part)) for part in parts.values()))
        return Moment(self.score, _strangest(parts), parts)


def _strangest(parts: Mapping[str, float]) -> str:
    return max(parts, key=lambda name: parts[name], default="")


def finding(moment: Moment, calibration: Calibration) -> Finding:
    """A moment against the calibrated thresholds, named after the channel that is strangest."""
    name = f"monitor_{moment.channel}" if moment.channel else "monitor"
    if moment.score > calibration.act:
        return Finding(name, Level.ALARM, moment.score, calibration.act)
    if moment.score > calibration.warn:
        return Finding(name, Level.WARN, moment.score, calibration.warn)
    return Finding(name, Level.OK, moment.score, calibration.act)
