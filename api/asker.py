"""A person at the keyboard who can be asked."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.text import Text

from api.text import printable

# How long Ctrl-C can go unnoticed at a question, s.
POLL_S = 0.1
MAX_LINE_BYTES = 4096


class TerminalAsker:
    """Asks the person at the keyboard: a number, an option or free text; an empty line is no answer."""

    def __init__(
        self, console: Console, gone: Callable[[], bool], keyboard: threading.Lock | None = None
    ) -> None:
        """`gone` says that nobody will answer any more; it is looked at again and again while waiting.

        Nothing is raised into the wait: a signal just before a blocking read is noticed only after it.
        `keyboard` is held while a line is read, where others read lines too.
        """
        self._console = console
        self._gone = gone
        self._keyboard = keyboard or threading.Lock()

    def __call__(self, _question: str, options: Sequence[str]) -> str | None:
        """Wait for a line. None at the end of input or when nobody is there. The question stands already."""
        for number, option in enumerate(options, start=1):
            self._console.print(Text(f"  {number}  {printable(option)}"))
        self._console.print(Text("  answer: "), end="")
        with self._keyboard:
            answer = self._line()
        if answer is not None and answer.isdecimal() and 1 <= int(answer) <= len(options):
            return options[int(answer) - 1]
        return answer or None

    def _line(self) -> str | None:
        while not self._gone():
            if select.select([sys.stdin], [], [], POLL_S)[0]:
                # Past Python's own buffer, which `select` cannot see; a terminal gives one line at a time.
                line = os.read(sys.stdin.fileno(), MAX_LINE_BYTES)
                return line.decode(errors="replace").strip() if line else None
        return None
