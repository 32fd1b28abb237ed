"""Events for whoever watches: each reader takes them from the store at its own pace."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from api.server.schema import Event, EventType
from api.server.store import Store

ALIVE_S = 10.0
_LAST = frozenset({EventType.OUTCOME})


class Feed:
    """Writes events down and wakes the readers. For one event loop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._news = asyncio.Event()
        self.closed = False

    def tell(self, kind: EventType, command: str | None, data: dict[str, Any]) -> None:
        """An event has happened."""
        self._store.append(kind, command, datetime.now(UTC), data)
        self._wake()

    def close(self) -> None:
        """Every reader has come to the end."""
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    @property
    def latest(self) -> int:
        """Number of the latest event."""
        return self._store.bounds()[1]

    async def read(self, after: int, command: str | None) -> AsyncIterator[bytes]:
        """Server-sent events after a number; those of a command end with its outcome."""
        if gap := self._gap(after, command):
            yield gap
        while not self.closed:
            news = self._news
            for event in self._store.events(after, command):
                after = event.seq
                yield encode(event)
                if command is not None and event.type in _LAST:
                    return
            if news is not self._news:
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), ALIVE_S)
                continue
            yield b": alive\n\n"

    def _gap(self, after: int, command: str | None) -> bytes:
        """What is no longer kept; empty when nothing is missing."""
        first = self._store.bounds()[0]
        if command is not None or after >= first - 1:
            return b""
        told = {"from": after + 1, "to": first - 1}
        return encode(Event(seq=first - 1, at=datetime.now(UTC), type=EventType.GAP, data=told))


def encode(event: Event) -> bytes:
    """An event as it goes over the line."""
    text = json.dumps(event.model_dump(mode="json"), ensure_ascii=True)
    return f"id: {event.seq}\nevent: {event.type.value}\ndata: {text}\n\n".encode()
