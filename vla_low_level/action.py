"""What a policy asks of the arm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ACTION_DIM = 7
MAX_HORIZON = 64
SHOWN_ROWS = 16
"""Rows of the chunk that a demonstration shows at every frame."""


@dataclass(frozen=True, slots=True)
class ActionChunk:
    """A short open-loop piece of motion, the same for every embodiment.

    Shape and type are checked here; finite numbers and limits are the guard's business, in the
    body's process, because it must not rely on what this process has checked.

    Attributes:
        actions: float32 [horizon, 7]; rows of [dx, dy, dz (m), drx, dry, drz (rad, rotation vector),
            gripper 0 closed .. 1 open]. Deltas are world-frame and accumulate on the commanded pose.
        rate_hz: Control rate at which rows are consumed.
        expires_s: The body's clock after which the chunk must not start, s.
        chunk_id: Counts chunks of one command from 0.
        policy_id: Who made it.
        observation_sequence: The observation it was computed from.
    """

    actions: NDArray[np.float32]
    rate_hz: float
    expires_s: float
    chunk_id: int
    policy_id: str
    observation_sequence: int

    def __post_init__(self) -> None:
        shape = self.actions.shape
        if len(shape) != 2 or shape[1] != ACTION_DIM or not 1 <= shape[0] <= MAX_HORIZON:
            raise ValueError(f"actions: want [1..{MAX_HORIZON}, {ACTION_DIM}], got {list(shape)}")
        if self.actions.dtype != np.float32:
            raise ValueError(f"actions: want float32, got {self.actions.dtype}")
        self.actions.setflags(write=False)

    @property
    def duration_s(self) -> float:
        """How long the whole chunk takes, s."""
        return len(self.actions) / self.rate_hz
