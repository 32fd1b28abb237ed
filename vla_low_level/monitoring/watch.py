"""One decision from many scores: the strangest channel at the strangest moment, against one threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vla_low_level.monitor import Finding, Level
from vla_low_level.monitoring.calibration import NEVER, Calibration
from vla_low_level.monitoring.channels import Channels, Smoother
from vla_low_level.monitoring.novelty import Novelty
from vla_low_level.monitoring.sample import Felt, Seen
from vla_low_level.monitoring.scores import Row, Scorer


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

    def see(self, seen: Seen, off_m: float = float("nan")) -> Moment:
        """Before a chunk is sent; arguments as in `Scorer.see`."""
        return self.add(self._scorer.see(seen, off_m))

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

    def interlock(self) -> None:
        """A rule outside of the scores has alarmed: nothing is stranger."""
        self.top = NEVER


def finding(moment: Moment, calibration: Calibration) -> Finding:
    """A moment against the calibrated thresholds, named after the channel that is strangest."""
    name = f"monitor_{moment.channel}" if moment.channel else "monitor"
    if moment.score > calibration.act:
        return Finding(name, Level.ALARM, moment.score, calibration.act)
    if moment.score > calibration.warn:
        return Finding(name, Level.WARN, moment.score, calibration.warn)
    return Finding(name, Level.OK, moment.score, calibration.act)
