"""Pictures that do not hold up the control loop: each is taken of a copy of the world, by another process.

Rendering takes tens of milliseconds, and neither a control step nor a stop can wait for that. A fork copies
the world in a few; the copy takes the picture and ends.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from vla_low_level.wire import Decoder, Message, encode

READ_BYTES = 1 << 20
# The control loop goes first where there are too few cores for both.
BEHIND = 5


@dataclass
class _Print:
    """A picture that is being made."""

    request: int
    process: int
    decoder: Decoder = field(default_factory=Decoder)


class Darkroom:
    """Pictures under way, by the descriptor that they come over."""

    def __init__(self) -> None:
        self._prints: dict[int, _Print] = {}

    @property
    def filenos(self) -> list[int]:
        """For `select`."""
        return list(self._prints)

    def take(self, request: int, shoot: Callable[[], Message]) -> None:
        """Let a copy of this process answer a request; whatever `shoot` does to the world is undone."""
        ours, theirs = os.pipe()
        process = os.fork()
        if process == 0:
            _answer(theirs, shoot)
        os.close(theirs)
        os.set_blocking(ours, False)
        self._prints[ours] = _Print(request, process)

    def finished(self) -> list[tuple[int, Message | None]]:
        """Requests whose answers are here; None for one whose process has died."""
        done = []
        for fd, made in list(self._prints.items()):
            try:
                while data := os.read(fd, READ_BYTES):
                    made.decoder.feed(data)
            except BlockingIOError:
                continue
            os.close(fd)
            os.waitpid(made.process, 0)
            del self._prints[fd]
            done.append((made.request, made.decoder.next()))
        return done


def _answer(fd: int, shoot: Callable[[], Message]) -> None:
    """In the copy: write the answer and end, without any of the clearing up that is the original's."""
    try:
        os.nice(BEHIND)
        left = memoryview(encode(shoot()))
        while left:
            left = left[os.write(fd, left) :]
    finally:
        os._exit(0)
