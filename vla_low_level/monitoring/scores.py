"""Every score of every chunk of one attempt, in the units they are measured in."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vla_low_level.monitoring.looks import Looks
from vla_low_level.monitoring.motion import Motion
from vla_low_level.monitoring.novelty import Novelty
from vla_low_level.monitoring.sample import Felt, Seen


@dataclass(frozen=True, slots=True)
class Row:
    """The scores of one moment: before a chunk is sent, or when it is over.

    Attributes:
        time_s: Since the attempt began, s.
        closed: The fingers are told to hold; with the time, how far the attempt is.
        raw: Scores by name.
        broken: Name, value and bound of what can be no picture of the present; None where all may be.
    """

    time_s: float
    closed: bool
    raw: dict[str, float] = field(default_factory=dict)
    broken: tuple[str, float, float] | None = None


class Scorer:
    """Scores an attempt chunk by chunk. Make a new one for every attempt."""

    def __init__(self, skill: str, started_s: float, novelty: Novelty | None) -> None:
        self._skill, self._started_s, self._novelty = skill, started_s, novelty
        self._motion, self._looks = Motion(started_s), Looks()
        self._aim_m: NDArray[np.float32] | None = None
        self._closed = False

    def see(self, seen: Seen, off_m: float = float("nan")) -> Row:
        """Before a chunk is sent. `off_m`: how far outside of where the subgoal lies the policy aims, m."""
        self._closed = seen.closed
        raw = self._motion.see(seen) | self._looks.see(seen.frames) | self._said(seen)
        raw["aim_off"] = off_m
        broken = self._looks.broken(seen.frames, seen.hand_m)
        return Row(seen.time_s - self._started_s, seen.closed, _finite(raw), broken)

    def feel(self, felt: Felt) -> Row:
        """When it is over."""
        return Row(felt.time_s - self._started_s, self._closed, _finite(self._motion.feel(felt)))

    def _said(self, seen: Seen) -> dict[str, float]:
        """What the policy says of itself."""
        told = seen.features
        found: dict[str, float] = {}
        if (heat := told.get("heatmap_entropy")) is not None:
            found |= {"entropy_table": float(heat[0]), "entropy_wrist": float(heat[1])}
        if (spread := told.get("chunk_spread")) is not None:
            found["spread"] = float(spread[:3].mean())
        if (novelty := told.get("flow_novelty")) is not None:
            found["flow_novelty"] = float(np.log(novelty[0]))
        if (aim := told.get("target_m")) is not None:
            if self._aim_m is not None:
                found["aim_jump"] = float(np.linalg.norm(aim - self._aim_m))
            self._aim_m = aim
        if self._novelty is not None and (embedding := told.get("embedding")) is not None:
            found |= self._novelty.scores(embedding, self._skill)
        return found


def _finite(raw: dict[str, float]) -> dict[str, float]:
    """Scores that could be taken; a number that is none is taken as the strangest there is."""
    return {name: 1e9 if np.isinf(value) else value for name, value in raw.items() if not np.isnan(value)}
