"""What Ctrl-C means while a command runs."""

from __future__ import annotations

import contextlib
import signal
from abc import ABC, abstractmethod
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Self

from traces.errors import TandemError

if TYPE_CHECKING:
    from api.client import Client
    from api.session import Session

IMPATIENT = 3


class _CtrlC(ABC):
    """Counts the presses of Ctrl-C while it is entered.

    Attributes:
        pressed: Whether Ctrl-C has been pressed.
    """

    def __init__(self) -> None:
        self.pressed = False
        self._presses = 0

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
        self._act(self._presses)

    @abstractmethod
    def _act(self, presses: int) -> None:
        """What this press, the so-manieth, means. May raise KeyboardInterrupt."""


class Interrupt(_CtrlC):
    """Ctrl-C by phase: while things are put together it ends that; then it cancels; then it stops the arm.

    Once the arm is stopped, a third press does not wait any longer for whatever the mind is busy with.

    Whoever waits for a person looks at `pressed` and gives up.
    """

    def __init__(self) -> None:
        super().__init__()
        self._session: Session | None = None

    def hand_over(self, session: Session) -> None:
        """From now on there is something to cancel."""
        self._session = session

    def _act(self, presses: int) -> None:
        if self._session is None:
            if presses == 1:  # A second press must not break into the tidying up.
                raise KeyboardInterrupt
            return
        if presses > 1:
            self._session.robot.stop("Ctrl-C twice")
        self._session.executive.cancel()
        if presses == IMPATIENT:
            raise KeyboardInterrupt


class ServerInterrupt(_CtrlC):
    """Ctrl-C while a command on a server is watched: it cancels; again, it stops; a third time leaves."""

    def __init__(self, client: Client, command_id: str) -> None:
        super().__init__()
        self._client = client
        self._command_id = command_id

    def _act(self, presses: int) -> None:
        if presses == IMPATIENT:
            raise KeyboardInterrupt
        with contextlib.suppress(TandemError):
            # Over a connection of its own: the one that is being read belongs to the reader.
            if presses > 1:
                self._client.stop("Ctrl-C twice")
            else:
                self._client.cancel(self._command_id)
