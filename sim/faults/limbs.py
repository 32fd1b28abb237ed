"""Faults of motors, sensors and of chunks on their way to the controller."""

from __future__ import annotations

from sim.faults.effect import F32, Effect
from vla_low_level.guard import ChunkHeader


class WeakGrip(Effect):
    """Fingers without force."""

    def begin(self) -> None:
        """Take it away."""
        self.world.grip_share = self.size

    def end(self) -> None:
        """Give it back."""
        self.world.grip_share = 1.0


class Gain(Effect):
    """A controller with the wrong gain."""

    def chunk(self, rows: F32, header: ChunkHeader) -> tuple[F32, ChunkHeader]:
        """Deltas times the gain; the fingers' column is absolute."""
        scaled = rows.copy()
        scaled[:, :6] *= self.size
        return scaled, header
