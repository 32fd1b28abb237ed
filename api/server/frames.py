"""The latest picture of each camera, and who waits for the next one."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress


class Frames:
    """JPEGs by camera. For one event loop."""

    def __init__(self) -> None:
        self._latest: dict[str, tuple[int, bytes, float]] = {}
        self._news = asyncio.Event()
        self._number = 0

    def put(self, camera: str, jpeg: bytes) -> None:
        """A new picture has come."""
        self._number += 1
        self._latest[camera] = (self._number, jpeg, time.monotonic())
        self._news.set()
        self._news = asyncio.Event()

    async def after(self, camera: str, number: int, wait_s: float) -> tuple[int, bytes] | None:
        """The latest picture with a higher number than this; None when none comes in time."""
        until_s = time.monotonic() + wait_s
        while True:
            news, found = self._news, self._latest.get(camera)
            if found is not None and found[0] > number:
                return found[0], found[1]
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                return None
            with suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), left_s)
