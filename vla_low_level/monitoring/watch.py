"""One decision from many scores: the strangest channel at the strangest moment, against one threshold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

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
        score: Of this moment: the largest of its channels.
        channel: Which one that was; empty when nothing could be scored.
        top: The largest score of the attempt so far; the episode's score in the end.
        parts: Every channel.
    """

    score: float
    channel: str
    top: float
    parts: Mapping[str, float] = field(default_factory=dict)


class Watch:
    """Scores one attempt online. Make a new one for every attempt.

    Attributes:
        top: The largest score so far.
    """

    def __init__(self, channels: Channels, novelty: Novelty | None, skill: str, started_s: float) -> None:
        self._scorer = Scorer(skill, started_s, novelty)
        self._smoother = Smoother(channels, skill)
        self.top = 0.0

    def see(self, seen: Seen, off_m: float = float("nan"), draw: Draw | None = None) -> Moment:
        """Before a chunk is sent; as `Scorer.see`, and how to look closer where it is strange."""
        return self.arm(self._scorer.see(seen, off_m), draw)

    def arm(self, row: Row, draw: Draw | None) -> Moment:
        """A row from before a chunk was sent, and the second stage where the first one finds it strange."""
        first = self.add(row)
        if draw is None or not ARM < first.score < NEVER:
            return first
        second = self.add(Row(row.time_s, row.closed, {"draws": draw()}))
        parts = {**first.parts, **second.parts}
        return replace(max(first, second, key=lambda moment: moment.score), parts=parts, top=second.top)

    def feel(self, felt: Felt) -> Moment:
        """When it is over."""
        return self.add(self._scorer.feel(felt))

    def add(self, row: Row) -> Moment:
        """A row that has been scored already."""
        parts = self._smoother.add(row)
        channel = max(parts, key=lambda name: parts[name], default="")
        score = parts.get(channel, 0.0)
        if row.broken is not None:
            channel, score = row.broken[0], NEVER
        self.top = max(self.top, score)
        return Moment(score, channel, self.top, parts)


def finding(moment: Moment, calibration: Calibration) -> Finding:
    """A moment against the calibrated thresholds, named after the channel that is strangest."""
    name = f"monitor_{moment.channel}" if moment.channel else "monitor"
    if moment.score > calibration.act:
        return Finding(name, Level.ALARM, moment.score, calibration.act)
    if moment.score > calibration.warn:
        return Finding(name, Level.WARN, moment.score, calibration.warn)
    return Finding(name, Level.OK, moment.score, calibration.act)
