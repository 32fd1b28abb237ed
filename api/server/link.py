"""The server's end of the line to the mind's process: starts it, finds it again, restarts it."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from api.server.settings import Settings
from vla_low_level.wire import Decoder, Message, WireError, encode

READ_BYTES = 1 << 18
SOCKET_FILE = "mind.sock"
LOG_FILE = "mind.log"
START_S = 300.0
POLL_S = 0.1
AGAIN_S = (1.0, 2.0, 5.0, 10.0, 30.0)
QUIT_S = 40.0

Heard = Callable[[Message], None]


class MindLine(Protocol):
    """A line to a mind: what the desk needs of it."""

    async def run(self) -> None:
        """Until cancelled or closed."""
        ...

    def send(self, kind: str, **fields: Any) -> bool:
        """Say something; False when nobody is there."""
        ...

    def stop(self, reason: str) -> bool:
        """Put a stop on the body's own line; False when there is no body."""
        ...

    async def close(self) -> None:
        """End the mind."""
        ...


class Link:
    """Keeps a mind alive and talks with it. For one event loop."""

    def __init__(self, settings: Settings, heard: Heard, gone: Callable[[str], None]) -> None:
        """`heard` is told every message, `gone` the last words of a mind that has died."""
        self._settings = settings
        self._heard = heard
        self._gone = gone
        self._path = settings.state / SOCKET_FILE
        self._writer: asyncio.StreamWriter | None = None
        self._stop_fd: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._pid: int | None = None
        self._over = False

    async def run(self) -> None:
        """Until cancelled or closed: connect, listen, and begin again when the mind has died."""
        failures = 0
        while not self._over:
            reader = await self._connect()
            if reader is not None:
                failures = 0
                await self._listen(reader)
            self._drop()
            if not self._over:
                self._gone(self._last_words())
                await asyncio.sleep(AGAIN_S[min(failures, len(AGAIN_S) - 1)])
                failures += 1

    def send(self, kind: str, **fields: Any) -> bool:
        """Say something to the mind; False when there is none."""
        if self._writer is None:
            return False
        self._writer.write(encode(Message(kind, fields)))
        return True

    def stop(self, reason: str) -> bool:
        """Put a stop on the body's own line; False when there is no body."""
        if self._stop_fd is None:
            return False
        try:
            os.write(self._stop_fd, (reason or "stop").encode(errors="replace")[:200])
        except BlockingIOError:
            return True  # It is full of stops already.
        except OSError:
            return False
        return True

    async def close(self) -> None:
        """End the mind: what runs is interrupted, the arm holds."""
        self._over = True
        if self.send("quit") and self._writer is not None:
            with suppress(ConnectionError):
                await self._writer.drain()
        if self._pid is not None:
            await asyncio.to_thread(_end, self._pid)
        if self._process is not None:
            self._process.poll()
        self._drop()

    async def _connect(self) -> asyncio.StreamReader | None:
        """A line to a mind that lives, or to a new one."""
        if (reader := await self._attach()) is not None:
            return reader
        self._process = await asyncio.to_thread(self._spawn)
        self._pid = self._process.pid
        until_s = asyncio.get_running_loop().time() + START_S
        while not self._over and self._process.poll() is None and asyncio.get_running_loop().time() < until_s:
            if (reader := await self._attach()) is not None:
                return reader
            await asyncio.sleep(POLL_S)
        if self._process.poll() is None:
            self._process.kill()
        return None

    async def _attach(self) -> asyncio.StreamReader | None:
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            stream.settimeout(1.0)
            stream.connect(str(self._path))
            # The hello follows the stop line's descriptor.
            _, descriptors, _, _ = await asyncio.to_thread(socket.recv_fds, stream, 1, 1)
        except OSError:
            stream.close()
            return None
        if not descriptors:
            stream.close()
            return None
        self._stop_fd = descriptors[0]
        reader, self._writer = await asyncio.open_unix_connection(sock=stream)
        return reader

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        decoder = Decoder()
        with suppress(ConnectionError, WireError):
            while data := await reader.read(READ_BYTES):
                decoder.feed(data)
                while (message := decoder.next()) is not None:
                    if message.kind == "hello":
                        self._pid = message.fields["pid"]
                    self._heard(message)

    def _drop(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if self._stop_fd is not None:
            os.close(self._stop_fd)
            self._stop_fd = None

    def _spawn(self) -> subprocess.Popen[bytes]:
        settings = self._settings
        stop = {
            "host": settings.host,
            "port": settings.stop_port,
            "hosts": sorted(settings.allowed_hosts(settings.stop_port)),
            "origins": sorted(settings.origins),
        }
        words = [
            *(
                f"--socket={self._path}",
                f"--robot={json.dumps(settings.robot)}",
                f"--stop={json.dumps(stop)}",
            ),
        ]
        with (settings.state / LOG_FILE).open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "api.server.mind", *words],
                env={**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                process_group=0,
            )

    def _last_words(self) -> str:
        """What the mind said in the end, for a person."""
        with suppress(OSError, ValueError, IndexError):
            lines = (self._settings.state / LOG_FILE).read_text(errors="replace").strip().splitlines()
            told = json.loads(lines[-1])
            return f"{told['code']}: {told['message']}"
        return "the mind's process has died"


def _end(pid: int) -> None:
    """Wait for a process that was told to end, ours or not; end it if it does not."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        for number, patience_s in ((0, QUIT_S), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            if number:
                signal.pidfd_send_signal(fd, number)
            if select.select([fd], [], [], patience_s)[0]:
                return
    finally:
        os.close(fd)


def take_lock(folder: Path) -> int:
    """A descriptor that holds the folder for this server alone; released with the process.

    Raises:
        TandemError: `STORE_LOCKED` when another server has it.
    """
    import fcntl

    from traces.errors import TandemError

    fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as cause:
        os.close(fd)
        raise TandemError(
            "STORE_LOCKED",
            f"another server uses {folder}",
            fix="end it, or give this one a folder of its own: TANDEM_STATE=DIR",
        ) from cause
    return fd
