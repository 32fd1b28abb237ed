"""Faults between a chunk and the controller that carries it out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sim.faults.effect import F32, Effect
from vla_low_level.guard import ChunkHeader
from vla_low_level.plant import CONTROL_HZ
from vla_low_level.rotations import rotation_matrix


class WrongRate(Effect):
    """A controller that counts time otherwise."""

    def chunk(self, rows: F32, header: ChunkHeader) -> tuple[F32, ChunkHeader]:
        """The same rows in another time, in whole control steps."""
        if not np.isfinite(header.rate_hz) or header.rate_hz <= 0:
            return rows, header
        steps = max(1, round(CONTROL_HZ / (header.rate_hz * self.size)))
        return rows, replace(header, rate_hz=CONTROL_HZ / steps)


class DroppedTail(Effect):
    """A controller that loses the end of every chunk."""

    def chunk(self, rows: F32, header: ChunkHeader) -> tuple[F32, ChunkHeader]:
        """One row at least is left."""
        return rows[: max(1, round(len(rows) * (1.0 - self.size)))], header


class StaleAnchor(Effect):
    """A controller that adds deltas to where the hand was a while ago."""

    _back: F32 | None = None

    def chunk(self, rows: F32, header: ChunkHeader) -> tuple[F32, ChunkHeader]:
        """The first row goes back over the end of the chunk before; turns are left alone."""
        if not np.isfinite(header.rate_hz) or header.rate_hz <= 0 or not len(rows):
            return rows, header
        back, last = self._back, max(1, round(self.size * header.rate_hz))
        self._back = rows[-last:, :3].sum(0)
        if back is None:
            return rows, header
        jumping = rows.copy()
        jumping[0, :3] -= back
        return jumping, header


class Gain(Effect):
    """A controller with the wrong gain."""

    def chunk(self, rows: F32, header: ChunkHeader) -> tuple[F32, ChunkHeader]:
        """Deltas times the gain; the fingers' column is absolute."""
        scaled = rows.copy()
        scaled[:, :6] *= np.float32(self.size)
        return scaled, header


class WrongUnits(Effect):
    """A controller that takes turns in another unit."""

    def chunk(self, rows: F32, header: ChunkHeader) -> tuple[F32, ChunkHeader]:
        """Only what turns."""
        scaled = rows.copy()
        scaled[:, 3:6] *= np.float32(self.size)
        return scaled, header


class WrongFrame(Effect):
    """A controller that takes deltas in another frame."""

    def chunk(self, rows: F32, header: ChunkHeader) -> tuple[F32, ChunkHeader]:
        """Moves and turns seen from a frame that is turned about the vertical."""
        turn = rotation_matrix(np.array([0.0, 0.0, self.size])).astype(np.float32)
        turned = rows.copy()
        turned[:, :3], turned[:, 3:6] = rows[:, :3] @ turn.T, rows[:, 3:6] @ turn.T
        return turned, header
