"""What Ctrl-C means while a command runs."""

from __future__ import annotations

import contextlib
import signal
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Self

from traces.errors import TandemError

if TYPE_CHECKING:
    from api.client import Client
    from api.session import Session

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


class ServerInterrupt:
    """Ctrl-C while a command on a server is watched: it cancels; again, it stops; a third time leaves.

    Attributes:
        pressed: Whether Ctrl-C has been pressed.
    """

    def __init__(self, client: Client, command_id: str) -> None:
        self._client = client
        self._command_id = command_id
        self._presses = 0
        self.pressed = False

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
        if self._presses == IMPATIENT:
            raise KeyboardInterrupt
        with contextlib.suppress(TandemError):
            # Over a connection of its own: the one that is being read belongs to the reader.
            if self._presses > 1:
                self._client.stop("Ctrl-C twice")
            else:
                self._client.cancel(self._command_id)
