"""Runs the server until it is told to end."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

import uvicorn

from api.server.app import create_app
from api.server.desk import Desk
from api.server.link import take_lock
from api.server.protocol import LimitedProtocol
from api.server.settings import Settings, load_token
from api.server.store import Store
from traces.errors import TandemError

STORE_FILE = "server.sqlite"
BACKLOG = 512
HEAD_BYTES = 16 * 1024


def serve(settings: Settings, ready: Callable[[str], None]) -> None:
    """Serve. `ready` is told the page's address, token included, once requests are answered.

    Raises:
        TandemError: `STORE_LOCKED`, `TOKEN_EXPOSED`, `STORE_IO`, `PORT_TAKEN`.
    """
    token = load_token(settings.state)
    lock = take_lock(settings.state)
    try:
        line = listen(settings.host, settings.port)
        settings.runs.mkdir(parents=True, exist_ok=True)
        store = Store(settings.state / STORE_FILE)
        try:
            desk = Desk(settings, store)
            server = _Server(_config(settings, desk, token), lambda: ready(f"{settings.url}/#token={token}"))
            server.run([line])
        finally:
            store.close()
    finally:
        os.close(lock)


def listen(host: str, port: int) -> socket.socket:
    """A socket at this address. Raises `TandemError` (`PORT_TAKEN`)."""
    # asyncio answers without delay (TCP_NODELAY) only on sockets that say that they are TCP; otherwise the
    # body of each answer waits 40 ms for the acknowledgement of its head.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    line = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        line.bind((host, port))
    except OSError as cause:
        line.close()
        raise TandemError(
            "PORT_TAKEN", f"cannot listen at {host}:{port}: {cause.strerror}", fix="choose another --port"
        ) from cause
    return line


def _config(settings: Settings, desk: Desk, token: str) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(settings, desk, token),
        http=LimitedProtocol,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=3,
        h11_max_incomplete_event_size=HEAD_BYTES,
    )


class _Server(uvicorn.Server):
    """Says when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()
