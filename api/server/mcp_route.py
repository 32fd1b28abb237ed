"""MCP over streamable HTTP at `/mcp`, behind the same gate as everything else; absent without the extra.

Its libraries take as long to load as all the rest of the server, and a robot that comes back cannot wait for
them: they are loaded when somebody first asks.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.routing import Route

from api.server.settings import Settings
from traces.errors import TandemError

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer
    from starlette.applications import Starlette
    from starlette.types import Receive, Scope, Send

PATH = "/mcp"
MAX_SESSIONS = 32


class LateMCP:
    """An ASGI application that is there from its first request on, for as long as `run` runs."""

    def __init__(self, settings: Settings, token: str) -> None:
        self._settings = settings
        self._token = token
        self._asked = asyncio.Event()
        self._tried = asyncio.Event()
        self._app: Starlette | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, once it is loaded. Raises `TandemError` (`MCP_MISSING`) when it cannot be."""
        self._asked.set()
        await self._tried.wait()
        if self._app is None:
            raise TandemError("MCP_MISSING", "it cannot be loaded", fix="pip install 'tandem-robot[mcp]'")
        await self._app(scope, receive, send)

    async def run(self) -> None:
        """Load it when it is asked for; its sessions live until this is cancelled."""
        await self._asked.wait()
        try:
            server, app = await asyncio.to_thread(self._load)
            async with server.session_manager.run():
                self._app = app
                self._tried.set()
                await asyncio.Event().wait()
        finally:
            self._app = None
            self._tried.set()

    def _load(self) -> tuple[MCPServer[None], Starlette]:
        from mcp.server.transport_security import TransportSecuritySettings

        from api.client import Client
        from api.mcp_server import make_server

        told = self._settings
        server = make_server(lambda: Client(f"http://{told.dial}:{told.port}", self._token))
        security = TransportSecuritySettings(
            allowed_hosts=sorted(told.allowed_hosts(told.port)), allowed_origins=sorted(told.origins)
        )
        app = server.streamable_http_app(
            streamable_http_path=PATH, transport_security=security, max_sessions=MAX_SESSIONS
        )
        return server, app


def add_mcp(app: FastAPI, settings: Settings, token: str) -> LateMCP | None:
    """Add the route; None when `tandem-robot[mcp]` is not installed."""
    if find_spec("mcp") is None:
        return None
    late = LateMCP(settings, token)
    app.router.routes.append(Route(PATH, endpoint=late))
    return late


@contextlib.asynccontextmanager
async def running(late: LateMCP | None) -> AsyncIterator[None]:
    """Its sessions live as long as this."""
    if late is None:
        yield
        return
    task = asyncio.create_task(late.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
