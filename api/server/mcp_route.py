"""MCP over streamable HTTP at `/mcp`, behind the same gate as everything else; absent without the extra."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from fastapi import FastAPI

from api.server.settings import Settings

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

PATH = "/mcp"
MAX_SESSIONS = 32


def add_mcp(app: FastAPI, settings: Settings, token: str) -> MCPServer[None] | None:
    """Add the route; None when `tandem-robot[mcp]` is not installed."""
    try:
        from mcp.server.transport_security import TransportSecuritySettings

        from api.mcp_server import make_server
    except ModuleNotFoundError:
        return None
    from api.client import Client

    server = make_server(lambda: Client(f"http://{settings.dial}:{settings.port}", token))
    security = TransportSecuritySettings(
        allowed_hosts=sorted(settings.allowed_hosts(settings.port)), allowed_origins=sorted(settings.origins)
    )
    inner = server.streamable_http_app(
        streamable_http_path=PATH, transport_security=security, max_sessions=MAX_SESSIONS
    )
    app.router.routes.extend(inner.routes)
    return server


@contextlib.asynccontextmanager
async def running(server: MCPServer[None] | None) -> AsyncIterator[None]:
    """Its sessions live as long as this."""
    if server is None:
        yield
        return
    async with server.session_manager.run():
        yield
