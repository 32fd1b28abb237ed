"""Streamed chunks in the body: which one runs, which one waits for its seam, and how each came to its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vla_low_level.execution import Run
from vla_low_level.plant import CONTROL_HZ
from vla_low_level.robot import Decision, Ended, ExecutionReport, Seam, Verdict


@dataclass(frozen=True, slots=True)
class Waiting:
    """A chunk that has been accepted and waits for its seam; without one, for the next end of a row."""

    run: Run
    chunk_id: int
    expires_s: float
    seam: Seam | None


class Stream:
    """Book-keeping only: judges nothing and moves nothing.

    Attributes:
        chunk_id: The chunk that runs, or ran last; -1 before the first.
        skipped: Rows of it that were left out.
    """

    def __init__(self, report: Callable[[Run], ExecutionReport]) -> None:
        """`report` says what has become of a run."""
        self._report = report
        self._open = False
        self._began_s = float("nan")
        self._travelled_steps = 0
        self._waiting: Waiting | None = None
        self._ended: list[Ended] = []
        self.chunk_id = -1
        self.skipped = 0

    @property
    def travelled_s(self) -> float:
        """How long rows have been followed, s."""
        return self._travelled_steps / CONTROL_HZ

    def travel(self) -> None:
        """A control step along a row has passed."""
        self._travelled_steps += 1

    def collect(self) -> tuple[Ended, ...]:
        """Ends that nobody has been told of, oldest first."""
        ended, self._ended = tuple(self._ended), []
        return ended

    def wait(self, waiting: Waiting) -> None:
        """This chunk comes next, instead of any other that waits."""
        self.drop("superseded")
        self._waiting = waiting

    def take_over(self, run: Run, now_s: float) -> Run | None:
        """The chunk that waits, when it replaces what is left of `run` before the next step.

        None when there is none, it is not its turn, or its time is over. After its seam it leaves out as many
        rows as the other has carried out since.
        """
        waiting = self._waiting
        if waiting is None or run.relaxing or run.within_row:
            return None
        late = self._rows_since(waiting.seam, run)
        if late < 0 and not run.ended:
            return None
        late = max(0, late)
        if now_s > waiting.expires_s:
            self.drop("expired", now_s, waiting.expires_s)
            return None
        if late >= len(waiting.run.rows):
            self.drop("late", late, len(waiting.run.rows))
            return None
        run.abandon()
        self.close(run)
        waiting.run.skip(late)
        self._waiting, self._open = None, True
        self.chunk_id, self._began_s, self.skipped = waiting.chunk_id, now_s, late
        return waiting.run

    def drop(self, limit: str, value: float = 0.0, bound: float = 0.0) -> None:
        """The chunk that waits, if there is one, will not be carried out."""
        if (waiting := self._waiting) is not None:
            self._waiting = None
            self.refuse(waiting.chunk_id, Verdict(Decision.HOLD, limit, value, bound))

    def refuse(self, chunk_id: int, verdict: Verdict) -> None:
        """A chunk is over that never began."""
        self._ended.append(Ended(chunk_id, float("nan"), 0, self._report(Run.refused(verdict))))

    def close(self, run: Run) -> None:
        """Put the chunk that runs among those that are over, once it is."""
        if self._open and run.ended:
            self._open = False
            self._ended.append(Ended(self.chunk_id, self._began_s, self.skipped, self._report(run)))

    def _rows_since(self, seam: Seam | None, run: Run) -> int:
        """Rows carried out since a seam; negative before it."""
        if seam is None or seam.chunk_id != self.chunk_id:
            return 0
        return run.rows_done + self.skipped - seam.rows
