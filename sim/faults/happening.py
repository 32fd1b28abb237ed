"""Ground truth: when an injected fault really began, and when it ended."""

from __future__ import annotations

from dataclasses import dataclass

BEGIN, END = "begin", "end"


@dataclass(frozen=True, slots=True)
class Happening:
    """A fault has begun or ended: the ground truth of a run.

    Attributes:
        fault: Its place in the injection.
        phase: `begin` or `end`.
        time_s: The body's clock.
    """

    fault: int
    phase: str
    time_s: float
