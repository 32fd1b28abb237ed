"""The one narrow door between mind and body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from vla_low_level.action import ActionChunk
from vla_low_level.observation import Observation


class Decision(StrEnum):
    """What the guard does with a motion, mildest first."""

    PASS = "pass"
    CLAMP = "clamp"
    HOLD = "hold"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judgement of the guard.

    Attributes:
        decision: What was done.
        limit: Which limit decided, e.g. `ee_speed`, `joint_position`, `finite`; empty on pass.
        value: The offending value, in the limit's unit (NaN when it was not a number).
        bound: The limit itself.
        step: The 240 Hz step within the chunk; -1 for a judgement of the whole chunk.
    """

    decision: Decision
    limit: str = ""
    value: float = 0.0
    bound: float = 0.0
    step: int = -1


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """What became of a chunk.

    Attributes:
        verdict: The most severe judgement that fell.
        clamps: How many 240 Hz steps were clamped.
        rows_executed: Rows of the chunk that were carried out in full.
        steps_executed: 240 Hz steps that passed; with it a replay stops where this execution stopped.
        time_s: The body's clock when it ended, s.
        state_hash: sha256 (hex) of the physical state after the last step; empty where there is none.
        latched: True when a stop is latched: nothing moves until `reset`.
        tracking_error_m: Largest distance between commanded and measured tool centre point, m.
    """

    verdict: Verdict
    clamps: int
    rows_executed: int
    steps_executed: int
    time_s: float
    state_hash: str
    latched: bool
    tracking_error_m: float


class Robot(Protocol):
    """A body that can be seen, moved, held and stopped.

    Implementations never raise for a bad chunk: the verdict says what was wrong. They raise
    `TandemError` (code `BODY_LOST`) when the body does not answer.
    """

    def observe(self, cameras: Sequence[str] = ()) -> Observation:
        """Sense now. `cameras` names the images to take; none by default, they are the slow part."""
        ...

    def execute(self, chunk: ActionChunk) -> ExecutionReport:
        """Carry out a chunk and return when it has ended, been refused or been stopped."""
        ...

    def hold(self) -> None:
        """Stay where the arm is now."""
        ...

    def stop(self, reason: str) -> None:
        """Stop at once, from any thread, and latch. Does not wait for the body's turn."""
        ...

    def reset(self, reason: str) -> None:
        """Clear the latch. The arm stays where it is."""
        ...

    def close(self) -> None:
        """Hold, then release the body. Idempotent."""
        ...
