"""Long measurements: one thing after the other, with progress, until Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")


def until_interrupted(things: Iterable[T], words: str) -> Iterator[T]:
    """Each thing, with progress; the first Ctrl-C lets what is under way end, and nothing more begin."""
    asked = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: asked.set())
    try:
        for thing in track(list(things), words, console=Console(stderr=True)):
            if asked.is_set():
                return
            yield thing
    finally:
        signal.signal(signal.SIGINT, before)
