"""What Ctrl-C means while a command runs."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from api.assemble import Session

IMPATIENT = 3


class Interrupt:
    """Ctrl-C by phase: while things are put together it ends that; then it cancels; then it stops the arm.

    Once the arm is stopped, a third press does not wait any longer for whatever the mind is busy with.

    Whoever waits for a person looks at `pressed` and gives up.

    Attributes:
        pressed: Whether Ctrl-C has been pressed.
    """

    def __init__(self) -> None:
        self.pressed = False
        self._presses = 0
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
        self.pressed = True
        self._presses += 1
        if self._session is None:
            if self._presses == 1:  # A second press must not break into the tidying up.
                raise KeyboardInterrupt
            return
        if self._presses > 1:
            self._session.robot.stop("Ctrl-C twice")
        self._session.executive.cancel()
        if self._presses == IMPATIENT:
            raise KeyboardInterrupt
