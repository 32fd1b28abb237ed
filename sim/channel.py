"""Messages over a local stream socket, never blocking: the control loop must not wait for its reader."""

from __future__ import annotations

import select
import socket
import time

from vla_low_level.wire import Decoder, Message, encode

CHUNK_BYTES = 1 << 20
BUFFER_BYTES = 4 << 20


class Channel:
    """One end of a socket pair."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._stream.settimeout(0)
        self._stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        self._decoder = Decoder()
        self._outbox = bytearray()

    def fileno(self) -> int:
        """For `select`."""
        return self._stream.fileno()

    @property
    def unsent(self) -> bool:
        """Bytes are waiting for the reader."""
        return bool(self._outbox)

    def send(self, message: Message) -> None:
        """Queue a message and write what the socket takes. Raises `ConnectionError`, `WireError`."""
        self._outbox += encode(message)
        self.flush()

    def flush(self) -> None:
        """Write what the socket takes. Raises `ConnectionError` when nobody can read it any more."""
        while self._outbox:
            try:
                sent = self._stream.send(self._outbox)
            except BlockingIOError:
                return
            del self._outbox[:sent]

    def receive(self) -> Message | None:
        """The next whole message, if it is here. Raises `ConnectionError` at the end, or `WireError`."""
        while (message := self._decoder.next()) is None:
            try:
                data = self._stream.recv(CHUNK_BYTES)
            except BlockingIOError:
                return None
            if not data:
                raise ConnectionResetError("the other side has closed")
            self._decoder.feed(data)
        return message

    def wait(self, until_s: float) -> Message | None:
        """The next message, or None when `time.monotonic()` passes `until_s`. Errors as in `receive`."""
        while (message := self.receive()) is None:
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                return None
            self.flush()
            select.select([self._stream], [self._stream] if self._outbox else [], [], left_s)
        return message

    def close(self) -> None:
        """Close the socket. Idempotent."""
        self._stream.close()
