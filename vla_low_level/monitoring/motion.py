"""What chunks and the arm's own senses tell without a look at any picture."""

from __future__ import annotations

import math

import numpy as np

from vla_low_level.monitoring.sample import F32, F64, Felt, Seen

# One unit of disagreement in each column of a chunk: m, rad, opening.
SCALES = np.array([0.01] * 3 + [0.05] * 3 + [0.5], np.float32)
LEAST_M = 5e-4
FORGET = 0.8
# Share of their opening by which fingers that stand still seem to move.
LEAST_TRAVEL = 0.01


def disagreement(before: F32, now: F32, rows: int) -> float:
    """Root mean square difference of two chunks [H, 7] where they overlap, in units of `SCALES`.

    Single-sample form of Agia et al. 2024 (STAC). `rows` of the earlier one were carried out. NaN where
    nothing overlaps.
    """
    overlap = min(len(before) - rows, len(now))
    if overlap <= 0:
        return float("nan")
    apart = (before[rows : rows + overlap] - now[:overlap]) / SCALES
    return float(np.sqrt((apart**2).mean()))


class Reversals:
    """How often the commanded motion turns back, as an average that forgets."""

    def __init__(self) -> None:
        self._last: F64 | None = None
        self._rate = 0.0

    def add(self, moved_m: F64) -> float:
        """Rate after a motion [3], m; pauses neither turn back nor go on."""
        if float(np.linalg.norm(moved_m)) > LEAST_M:
            if self._last is not None:
                back = 0.5 - 0.5 * float(moved_m @ self._last) / float(
                    np.linalg.norm(moved_m) * np.linalg.norm(self._last)
                )
                self._rate = FORGET * self._rate + (1.0 - FORGET) * back
            self._last = moved_m
        return self._rate


class Motion:
    """Scores of motion and grip, chunk by chunk."""

    def __init__(self, started_s: float) -> None:
        self._started_s = started_s
        self._before: Seen | None = None
        self._felt: Felt | None = None
        self._reversals = Reversals()
        self._still_s = 0.0
        self._gripped: float | None = None
        self._told_at: float | None = None
        self._told_chunks = 0
        self._closed_chunks = 0

    def see(self, seen: Seen) -> dict[str, float]:
        """Before a chunk is sent."""
        found = {
            "time": seen.time_s - self._started_s,
            "force": seen.force_n,
            "magnitude": float(np.linalg.norm(seen.plan[:, :3].sum(0))),
            **self._grip(seen),
            **self._fingers(seen),
        }
        if self._before is not None and self._felt is not None:
            found["residual"] = float(np.linalg.norm(seen.hand_m - self._before.hand_m - self._felt.moved_m))
            if seen.features:
                found["disagreement"] = disagreement(self._before.plan, seen.plan, self._felt.rows)
        self._before = seen
        return found

    def feel(self, felt: Felt) -> dict[str, float]:
        """After it."""
        before = self._before
        took_s = felt.time_s - before.time_s if before else 0.0
        self._still_s = self._still_s + took_s if felt.still else 0.0
        self._felt = felt
        return {
            "tracking": felt.tracking_m,
            "clamped": felt.clamped,
            "still": self._still_s,
            "reversals": self._reversals.add(felt.moved_m),
        }

    def _fingers(self, seen: Seen) -> dict[str, float]:
        """How little the fingers have moved since they were told to, on a logarithmic scale.

        Told between two observations, they may have begun just before the second; the third is looked at.
        """
        before = self._before
        if before is not None and seen.closed != before.closed:
            self._told_at, self._told_chunks = before.opening, 0
        elif self._told_at is not None:
            self._told_chunks += 1
        if self._told_at is None or self._told_chunks < 1:
            return {}
        return {"unmoved": -math.log(max(LEAST_TRAVEL, abs(seen.opening - self._told_at)))}

    def _grip(self, seen: Seen) -> dict[str, float]:
        """How little is between closed fingers, and how much they have closed since they gripped."""
        self._closed_chunks = self._closed_chunks + 1 if seen.closed else 0
        if self._closed_chunks < 2:
            self._gripped = None
            return {}
        self._gripped = seen.opening if self._gripped is None else self._gripped
        return {"empty": -seen.opening, "slip": abs(self._gripped - seen.opening)}
