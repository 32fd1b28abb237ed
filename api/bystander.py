"""A person at the keyboard who may speak up while the robot works: `no, the blue one`, `stop`."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.text import Text

from api.asker import MAX_LINE_BYTES, POLL_S
from api.text import printable
from traces.errors import TandemError


class Bystander:
    """Reads lines in the background and hands each on; silent while somebody else reads the keyboard.

    An empty line says nothing. Words that cannot be used are answered with the reason, and change nothing.
    """

    def __init__(self, console: Console, keyboard: threading.Lock, tell: Callable[[str], None]) -> None:
        """`tell` gets each line, on the reading thread.

        `keyboard` is held by whoever reads a line: an answer to a question is never taken for a correction.
        """
        self._console = console
        self._keyboard = keyboard
        self._tell = tell
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, name="bystander", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(10 * POLL_S)

    def _read(self) -> None:
        while not self._over.is_set():
            with self._keyboard:
                line = self._line()
            if line == b"":
                return
            if line is None:
                # Lets a question have the keyboard, which a lock that is taken again at once would not.
                self._over.wait(POLL_S)
            elif said := line.decode(errors="replace").strip():
                self._pass_on(said)

    def _line(self) -> bytes | None:
        """What has been typed, None for nothing yet, empty at the end of input."""
        try:
            keyboard = sys.stdin.fileno()
            if _would_suspend(keyboard):
                return None
            return os.read(keyboard, MAX_LINE_BYTES) if select.select([keyboard], [], [], 0.0)[0] else None
        except (OSError, ValueError):
            return b""

    def _pass_on(self, said: str) -> None:
        try:
            self._tell(said)
        except TandemError as error:
            self._console.print(Text(f"  {printable(error.message)}: {printable(error.fix)}", style="yellow"))
            return
        self._console.print(Text(f'  heard "{printable(said)}"', style="dim"))


def _would_suspend(keyboard: int) -> bool:
    """Whether reading would suspend the whole run, as it does in the background of a shell."""
    try:
        return os.tcgetpgrp(keyboard) != os.getpgrp()
    except OSError:
        # No terminal, or not the one that controls us: nobody minds.
        return False
