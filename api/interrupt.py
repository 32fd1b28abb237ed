"""What Ctrl-C means while a command runs."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from api.assemble import Session


class Interrupt:
    """Ctrl-C by phase: while things are put together it ends that; then it cancels; then it stops the arm.

    Whoever waits for a person looks at `pressed` and gives up.

    Attributes:
        pressed: Whether Ctrl-C has been pressed.
    """

    def __init__(self) -> None:
        self.pressed = False
        self._session: Session | None = None

    def hand_over(self, session: Session) -> None:
        """From now on there is something to cancel."""
        self._session = session

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _press(self, _number: int, _frame: FrameType | None) -> None:
        again, self.pressed = self.pressed, True
        if self._session is None:
            if not again:  # A second press must not break into the tidying up.
                raise KeyboardInterrupt
            return
        if again:
            self._session.robot.stop("Ctrl-C twice")
        self._session.executive.cancel()
