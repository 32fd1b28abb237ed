"""A chunk while it runs: which row, which step, and what has been judged so far."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vla_low_level.guard import PASSED, more_severe
from vla_low_level.plant import CONTROL_HZ
from vla_low_level.robot import Verdict
from vla_low_level.rotations import rotation_matrix

F64 = NDArray[np.float64]


@dataclass
class Run:
    """Progress through the rows of one chunk.

    Attributes:
        rows: float64 [horizon, 7]; empty when the chunk was refused.
        per_row: Control steps that a row lasts.
        verdict: The most severe judgement so far.
        steps: Control steps done.
        rows_done: Rows carried out in full.
        clamps: Steps that were clamped.
        tracking_m: Largest tracking error so far.
        relax_left: Control steps left of staying still after a hold.
    """

    rows: F64
    per_row: int
    verdict: Verdict
    steps: int = 0
    rows_done: int = 0
    clamps: int = 0
    tracking_m: float = 0.0
    relax_left: int = 0
    _start_m: F64 = field(default_factory=lambda: np.zeros(3))
    _start_rotation: F64 = field(default_factory=lambda: np.eye(3))

    @classmethod
    def of(cls, rows: F64, per_row: int, verdict: Verdict) -> Run:
        """A chunk that begins."""
        return cls(rows, per_row, verdict)

    @classmethod
    def refused(cls, verdict: Verdict) -> Run:
        """A chunk that never began."""
        return cls(np.empty((0, 7)), 1, verdict)

    @classmethod
    def none(cls) -> Run:
        """Before the first chunk."""
        return cls.refused(PASSED)

    @property
    def ended(self) -> bool:
        """No step is left."""
        return self.rows_done >= len(self.rows) and not self.relax_left

    @property
    def relaxing(self) -> bool:
        """A hold fell; the arm stays still until its forces have fallen."""
        return self.relax_left > 0

    @property
    def completed(self) -> bool:
        """The last step was the last of the last row."""
        return self.ended and self.steps == len(self.rows) * self.per_row

    @property
    def row(self) -> F64:
        """The present row [7]."""
        return np.asarray(self.rows[self.rows_done])

    @property
    def within_row(self) -> bool:
        """The present row has begun and has steps left."""
        return not self.ended and not self.relaxing and not self.at_row_start

    @property
    def share_done(self) -> float:
        """Share of the present row that is done, [0, 1)."""
        return (self.steps % self.per_row) / self.per_row

    @property
    def row_left_s(self) -> float:
        """Until the end of the row that has begun, s."""
        return -self.steps % self.per_row / CONTROL_HZ if self.within_row else 0.0

    @property
    def at_row_start(self) -> bool:
        """The next step is the first of its row."""
        return self.steps % self.per_row == 0

    @property
    def row_share(self) -> float:
        """Share of the row that will be done after the next step, (0, 1]."""
        return (self.steps % self.per_row + 1) / self.per_row

    @property
    def feed(self) -> F64:
        """The row's velocity [6], m/s then rad/s."""
        return np.asarray(self.row[:6] * (CONTROL_HZ / self.per_row))

    def enter_row(self, start_m: F64, start_rotation: F64) -> None:
        """The present row's deltas count from this pose."""
        self._start_m, self._start_rotation = start_m, start_rotation

    def reference(self, share: float) -> tuple[F64, F64]:
        """Where the reference is after a share of the present row: position [3] m, rotation [3, 3]."""
        row = self.row
        return self._start_m + row[:3] * share, rotation_matrix(row[3:6] * share) @ self._start_rotation

    def note(self, verdict: Verdict) -> None:
        """One control step has passed, and was judged so."""
        self.verdict = more_severe(self.verdict, verdict)
        if self.ended:
            return
        self.steps += 1
        if self.relax_left:
            self.relax_left -= 1
        elif self.steps % self.per_row == 0:
            self.rows_done += 1

    def relax(self, steps: int) -> None:
        """Drop what is left of the rows and stay still for so many steps."""
        if not self.ended:
            self.abandon()
            self.relax_left = steps

    def abandon(self) -> None:
        """Drop what is left."""
        self.rows, self.relax_left = self.rows[: self.rows_done], 0

    def skip(self, rows: int) -> None:
        """Leave out the first rows. Only before the first step."""
        self.rows = self.rows[rows:]
