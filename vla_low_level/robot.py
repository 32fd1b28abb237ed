"""The one narrow door between mind and body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol, runtime_checkable

from traces.errors import TandemError
from vla_low_level.action import ActionChunk
from vla_low_level.observation import F64, Observation

Clock = Literal["lockstep", "realtime"]
"""Whether the body waits for the mind, or keeps its own time."""


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
        marks: In lockstep the plant's `marks` after every step, base64: where a replay parts from the record.
    """

    verdict: Verdict
    clamps: int
    rows_executed: int
    steps_executed: int
    time_s: float
    state_hash: str
    latched: bool
    tracking_error_m: float
    marks: str = ""


@dataclass(frozen=True, slots=True)
class Seam:
    """Where a streamed chunk takes over: after so many rows of the chunk that runs."""

    chunk_id: int
    rows: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A streamed chunk that is over: carried out, replaced, refused or stopped.

    Attributes:
        chunk_id: Which.
        began_s: The body's clock at its first step; NaN when it never began.
        rows_skipped: Rows at its beginning that were left out, because it came after its seam.
        report: What became of it.
    """

    chunk_id: int
    began_s: float
    rows_skipped: int
    report: ExecutionReport


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a body is with what was streamed to it.

    Attributes:
        time_s: The body's clock.
        chunk_id: The chunk that runs, or ran last; -1 before the first.
        moving: It still runs, and has rows left or under way.
        rows_begun: Rows of it that have begun. The next seam is after them.
        row_left_s: Until that seam, s.
        travelled_s: How long rows have been followed since the body began; stands still while the arm rests.
        goal_m: float64 [3], where the rows that have begun add up to, world.
        goal_rotation: float64 [3, 3], the same for the tool-to-world rotation.
        ended: Chunks that are over and have not been told of yet, oldest first.
    """

    time_s: float
    chunk_id: int
    moving: bool
    rows_begun: int
    row_left_s: float
    travelled_s: float
    goal_m: F64
    goal_rotation: F64
    ended: tuple[Ended, ...]


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


@runtime_checkable
class StreamingRobot(Robot, Protocol):
    """A body with a clock of its own, which takes the next chunk while one runs."""

    def stream(self, chunk: ActionChunk, seam: Seam | None = None) -> Progress:
        """Hand over a chunk and return at once.

        It replaces what is left of the running chunk at `seam`, or at the next end of a row; never within
        one. After its seam it begins later by whole rows, of which its own first ones are left out, so that
        both stay in time. A chunk that is refused, or has expired when its turn comes, leaves the running
        one alone. Without a chunk the arm comes to rest where its rows end, and holds.
        """
        ...

    def progress(self) -> Progress:
        """How far it is, and which chunks are over."""
        ...


def streaming(robot: Robot) -> StreamingRobot:
    """The robot as one that can be streamed to. Raises `TandemError` (`NO_STREAM`)."""
    if not isinstance(robot, StreamingRobot):
        raise TandemError("NO_STREAM", "this robot takes one chunk at a time", fix="run it in lockstep")
    return robot
