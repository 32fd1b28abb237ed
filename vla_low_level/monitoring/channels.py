"""Scores in one currency: how much stranger than in good episodes, at this point of this skill."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from vla_low_level.monitoring.scores import Row

# A cell with fewer rows borrows from the whole skill, a skill with fewer from all.
LEAST_ROWS = 24
# A spread is at least this share of the channel's spread over all skills.
LEAST_SPREAD = 0.2
# This share of good episodes stays below 1 in each channel by itself.
UNIT_QUANTILE = 0.9
TWO_SIDED = frozenset(
    {"sharpness_table", "sharpness_wrist", "contrast_table", "contrast_wrist", "magnitude", "entropy_table",
     "entropy_wrist"}
)  # fmt: skip
SMOOTHED = frozenset({"mahalanobis", "neighbours", "disagreement", "spread", "flow_novelty"})
WINDOW = 2
"""Rows that these are averaged over; fixed beforehand, by what jumps from chunk to chunk in good episodes."""
THIRDS = 3
FINEST: Mapping[str, float] = {
    "time": 0.3,
    "still": 0.3,
    "tracking": 5e-4,
    "residual": 1e-3,
    "clamped": 0.05,
    "force": 2.0,
    "empty": 0.01,
    "slip": 0.01,
    "unmoved": 0.2,
    "aim_off": 2e-3,
    "aim_jump": 2e-3,
    "contrast_table": 0.02,
    "sharpness_table": 0.02,
    "view_shift": 0.5,
    "view_change": 0.01,
}
"""Spreads below which a difference means nothing, in the score's unit: good episodes may not vary at all."""


class Channel(BaseModel):
    """How one score is brought to the common currency.

    Attributes:
        cells: Mean and standard deviation by cell; `skill|closed|third`, `skill` or empty for all.
        unit: What the standardised score's maximum over an episode stays below in 9 of 10 good ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cells: dict[str, tuple[float, float]]
    unit: float = Field(gt=0)


@dataclass(frozen=True, slots=True)
class Good:
    """One good episode: its skill and rows."""

    skill: str
    rows: Sequence[Row]


def cell(skill: str, row: Row, lasts_s: float) -> tuple[str, str, str]:
    """The cells of a row, narrowest first. `lasts_s` is what the skill takes as a rule."""
    third = min(THIRDS - 1, int(THIRDS * row.time_s / max(lasts_s, 0.1)))
    return f"{skill}|{int(row.closed)}|{third}", skill, ""


class Channels(BaseModel):
    """All channels, and how long skills take.

    Attributes:
        channels: By score.
        lasts_s: Median duration of good episodes by skill, s; empty name for all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: dict[str, Channel]
    lasts_s: dict[str, float]

    def standard(self, skill: str, row: Row) -> dict[str, float]:
        """Scores of a row in standard deviations of their cell; those not known are left out."""
        cells = cell(skill, row, self.lasts_s.get(skill, self.lasts_s[""]))
        found = {}
        for name, value in row.raw.items():
            channel = self.channels.get(name)
            if channel is not None:
                mean, spread = next(channel.cells[c] for c in cells if c in channel.cells)
                z = (value - mean) / spread
                found[name] = abs(z) if name in TWO_SIDED else z
        return found


class Smoother:
    """Averages what jumps, in units. One for every attempt."""

    def __init__(self, channels: Channels, skill: str) -> None:
        self._channels, self._skill = channels, skill
        self._last: dict[str, list[float]] = {}

    def add(self, row: Row) -> dict[str, float]:
        """Scores by channel, 1 being as strange as the strangest moment of one good episode in ten."""
        found = {}
        for name, z in self._channels.standard(self._skill, row).items():
            window = self._last.setdefault(name, [])
            window.append(z)
            del window[: -(WINDOW if name in SMOOTHED else 1)]
            found[name] = sum(window) / len(window) / self._channels.channels[name].unit
        return found


def fit_channels(good: Sequence[Good], names: Iterable[str]) -> Channels:
    """Fit to good episodes. Raises ValueError without any."""
    if not good:
        raise ValueError("no good episode to fit to")
    ends: dict[str, list[float]] = {"": []}
    for episode in good:
        for key in (episode.skill, ""):
            ends.setdefault(key, []).append(max(row.time_s for row in episode.rows))
    lasts_s = {key: float(np.median(values)) for key, values in ends.items()}
    channels = {}
    for name in sorted(names):
        cells = _cells(good, name, lasts_s)
        if cells:
            channels[name] = Channel(cells=cells, unit=1.0)
    rough = Channels(channels=channels, lasts_s=lasts_s)
    units = {name: _unit(good, rough, name) for name in channels}
    return rough.model_copy(
        update={
            "channels": {n: c.model_copy(update={"unit": units[n]}) for n, c in channels.items()},
        }
    )


def _cells(good: Sequence[Good], name: str, lasts_s: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    values: dict[str, list[float]] = {}
    for episode in good:
        for row in episode.rows:
            if name in row.raw:
                for key in cell(episode.skill, row, lasts_s[episode.skill]):
                    values.setdefault(key, []).append(row.raw[name])
    if not values:
        return {}
    floor = max(LEAST_SPREAD * float(np.std(values[""])), FINEST.get(name, 1e-3))
    return {
        key: (float(np.mean(v)), max(float(np.std(v)), floor))
        for key, v in values.items()
        if len(v) >= LEAST_ROWS or key == ""
    }


def _unit(good: Sequence[Good], rough: Channels, name: str) -> float:
    tops = []
    for episode in good:
        smoother = Smoother(rough, episode.skill)
        found = [z[name] for z in map(smoother.add, episode.rows) if name in z]
        tops += [max(found)] if found else []
    return max(1.0, float(np.quantile(tops, UNIT_QUANTILE))) if tops else 1.0
