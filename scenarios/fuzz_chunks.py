"""Chunks as a policy might send them when it is broken, hostile or merely bold."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from vla_low_level.guard import ChunkHeader
from vla_low_level.limits import PANDA

RATES_HZ = (20.0, 24.0, 30.0, 40.0, 60.0, 80.0, 120.0, 240.0)
MAX_ROWS = 4
ODD_RATES_HZ = (0.0, -20.0, 7.3, 1e9, float("nan"), float("inf"))


class Family(StrEnum):
    """Ways in which chunks are drawn."""

    STILL = "still"
    STEADY = "steady"
    RANDOM = "random"
    ALTERNATING = "alternating"
    BOLD = "bold"
    SPIN = "spin"
    HUGE = "huge"
    NOT_FINITE = "not_finite"
    SHAPE = "shape"
    DTYPE = "dtype"
    GRIPPER = "gripper"
    LATE = "late"
    STALE = "stale"
    RATE = "rate"


@dataclass(frozen=True, slots=True)
class FuzzedChunk:
    """What arrives at the body: rows that may be anything, and a header that may lie."""

    actions: object
    header: ChunkHeader


class Fuzzer:
    """Draws chunks in bursts: a direction that is kept long enough reaches the edge of the workspace."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._left = 0
        self._family = Family.STILL
        self._direction = np.zeros(6)

    def draw(self, chunk_id: int, now_s: float) -> FuzzedChunk:
        """The next chunk of the burst."""
        rng = self._rng
        if self._left == 0:
            self._left = int(rng.integers(1, 30))
            self._family = list(Family)[int(rng.integers(len(Family)))]
            self._direction = _unit(rng.normal(size=6))
        self._left -= 1
        rate_hz = RATES_HZ[int(rng.integers(len(RATES_HZ)))]
        rows = self._rows(rate_hz)
        header = ChunkHeader(rate_hz, now_s + 1.0, chunk_id)
        match self._family:
            case Family.LATE:
                header = ChunkHeader(rate_hz, now_s - float(rng.uniform(1e-3, 10)), chunk_id)
            case Family.STALE:
                header = ChunkHeader(rate_hz, now_s + 1.0, int(rng.integers(-5, max(1, chunk_id))))
            case Family.RATE:
                odd = ODD_RATES_HZ[int(rng.integers(len(ODD_RATES_HZ)))]
                header = ChunkHeader(odd, now_s + 1.0, chunk_id)
        return FuzzedChunk(self._spoil(rows), header)

    def _rows(self, rate_hz: float) -> NDArray[np.float32]:
        """Rows [1..4, 7] whose largest speeds suit the family."""
        rng, count = self._rng, int(self._rng.integers(1, MAX_ROWS + 1))
        full = np.repeat([PANDA.ee_speed_m_s, PANDA.ee_turn_rad_s], 3) / rate_hz
        match self._family:
            case Family.STILL:
                moves = np.zeros((count, 6))
            case Family.ALTERNATING:
                moves = np.outer((-1.0) ** np.arange(count), self._direction * full) * rng.uniform(0.5, 3)
            case Family.BOLD:
                moves = np.tile(self._direction * full * rng.uniform(1, 4), (count, 1))
            case Family.SPIN:
                moves = np.tile(_only_turn(self._direction) * full * rng.uniform(0.5, 3), (count, 1))
            case Family.RANDOM:
                moves = rng.normal(size=(count, 6)) * full
            case _:
                moves = np.tile(self._direction * full, (count, 1))
        return np.hstack([moves, rng.uniform(0, 1, (count, 1))]).astype(np.float32)

    def _spoil(self, rows: NDArray[np.float32]) -> object:
        """Break what the family breaks."""
        rng = self._rng
        row, column = int(rng.integers(len(rows))), int(rng.integers(7))
        match self._family:
            case Family.HUGE:
                rows[row, column] = float(rng.choice([1e30, -1e30, 1e3, -5.0, 3e38]))
            case Family.NOT_FINITE:
                rows[row, column] = float(rng.choice([np.nan, np.inf, -np.inf]))
            case Family.SHAPE:
                wrong: list[object] = [rows[:, :6], rows[:0], rows[0], np.zeros((500, 7), np.float32), None]
                return wrong[int(rng.integers(len(wrong)))]
            case Family.DTYPE:
                kinds: list[object] = [rows.astype(np.float64), rows.astype(object), rows.tolist(), "rows"]
                return kinds[int(rng.integers(len(kinds)))]
            case Family.GRIPPER:
                rows[row, 6] = float(rng.choice([-0.5, 1.5, -0.04, 1.04, 50.0]))
        return rows


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Both halves scaled to length 1."""
    halves = vector.reshape(2, 3)
    return np.asarray((halves / np.linalg.norm(halves, axis=1, keepdims=True)).reshape(6))


def _only_turn(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(direction * np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0]))
