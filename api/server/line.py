"""Messages between the server and the mind's process, from the mind's side: threads, and nobody who waits."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

from vla_low_level.wire import Decoder, Message, WireError, encode

MOST_UNSENT = 10_000
READ_BYTES = 1 << 16
SEND_S = 10.0


class Line:
    """One connection. What cannot be sent is dropped: the robot never waits for whoever watches."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._unsent: queue.Queue[bytes | None] = queue.Queue(MOST_UNSENT)
        self._sender = threading.Thread(target=self._send_all, name="line", daemon=True)
        self._sender.start()

    def send(self, message: Message) -> None:
        """Say something, soon."""
        with suppress(queue.Full):
            self._unsent.put_nowait(encode(message))

    def receive(self) -> Iterator[Message]:
        """What the other side says, until it closes, dies or says what is no message."""
        decoder = Decoder()
        with suppress(OSError, WireError):
            while data := self._stream.recv(READ_BYTES):
                decoder.feed(data)
                while (message := decoder.next()) is not None:
                    yield message

    def hang_up(self) -> None:
        """Let `receive` end; what is still to be said is."""
        with suppress(OSError):
            self._stream.shutdown(socket.SHUT_RD)

    def close(self) -> None:
        """Send what is there, then close. Idempotent."""
        with suppress(queue.Full):
            self._unsent.put_nowait(None)
        self._sender.join(SEND_S)
        self._stream.close()

    def _send_all(self) -> None:
        with suppress(OSError):
            while (data := self._unsent.get()) is not None:
                self._stream.sendall(data)
