"""The official SDK's client against our tools: over stdio and streamable HTTP, to a server on a real port."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from api.server.app import create_app
from api.server.desk import Desk
from api.server.protocol import LimitedProtocol
from api.server.settings import Settings
from api.server.store import Store
from vla_low_level.wire import Message

TOKEN = "the-token-of-the-tests"
TOOLS = {"command", "status", "answer", "cancel", "stop", "scene", "runs"}


class Live:
    """A server on a port of its own; the mind is played by the test."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.settings = Settings(port=port, stop_port=port + 1, state=folder, runs=folder)
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.server: uvicorn.Server | None = None
        self._began = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._began.wait(60)

    async def _serve(self) -> None:
        store = Store(self.settings.state / "server.sqlite")
        desk = Desk(self.settings, store)

        def send(kind: str, **fields: Any) -> bool:
            self.sent.append((kind, fields))
            if kind == "start":
                told = {"command": fields["command"], "result": {"outcome": "succeeded", "message": "done"}}
                asyncio.get_running_loop().call_soon(desk._heard, Message("finished", told))
            return True

        async def no_mind() -> None:
            desk._heard(Message("hello", {"busy": None, "pid": 1, "scene": None}))

        desk.link.send, desk.link.run = send, no_mind  # type: ignore[method-assign]
        desk.link.stop = lambda reason: send("STOP", reason=reason)  # type: ignore[method-assign]
        app = create_app(self.settings, desk, TOKEN)
        config = uvicorn.Config(app, port=self.settings.port, http=LimitedProtocol, log_level="warning")
        self.server = uvicorn.Server(config)
        task = asyncio.create_task(self.server.serve())
        while not self.server.started:
            await asyncio.sleep(0.02)
        self._began.set()
        await task
        store.close()

    def close(self) -> None:
        assert self.server is not None
        self.server.should_exit = True
        self._thread.join(30)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    made = Live(tmp_path_factory.mktemp("live"))
    yield made
    made.close()


async def by_stdio(live: Live, work: Callable[[Client], Any]) -> Any:
    environment = {**os.environ, "TANDEM_TOKEN": TOKEN}
    words = ["-m", "api.cli", "mcp", "--url", live.settings.url]
    parameters = StdioServerParameters(command=sys.executable, args=words, env=environment)
    async with Client(stdio_client(parameters)) as client:
        return await work(client)


async def by_http(live: Live, work: Callable[[Client], Any]) -> Any:
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with httpx2.AsyncClient(headers=headers) as http:
        transport = streamable_http_client(f"{live.settings.url}/mcp", http_client=http)
        async with Client(transport) as client:
            return await work(client)


@pytest.mark.parametrize("way", [by_stdio, by_http])
def test_every_tool_works(live: Live, way: Callable[..., Any]) -> None:
    async def work(client: Client) -> None:
        assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS
        done = await client.call_tool("command", {"instruction": "put the red cup in the sink"})
        assert done.structured_content["state"] == "succeeded"
        told = await client.call_tool("status", {"command_id": done.structured_content["id"]})
        assert told.structured_content["commands"][0]["instruction"] == "put the red cup in the sink"
        again = await client.call_tool("cancel", {"command_id": done.structured_content["id"]})
        assert again.is_error
        assert "ALREADY_ENDED" in again.content[0].text
        unasked = {"command_id": done.structured_content["id"], "question": 1, "answer": "x"}
        assert (await client.call_tool("answer", unasked)).is_error
        assert (await client.call_tool("scene", {})).structured_content["objects"] == []
        assert (await client.call_tool("runs", {})).structured_content["runs"] == []
        live.sent.clear()
        assert (await client.call_tool("stop", {})).structured_content == {"stopped": True}
        assert live.sent[0][0] == "STOP"
        refused = await client.call_tool("command", {"instruction": "tidy up"})
        assert "ROBOT_STOPPED" in refused.content[0].text

    asyncio.run(way(live, work))
    headers = {"authorization": f"Bearer {TOKEN}"}
    body = {"reason": "test"}
    assert httpx2.post(f"{live.settings.url}/v1/robot/reset", json=body, headers=headers).status_code == 200


def test_without_the_token_there_are_no_tools(live: Live) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    assert httpx2.post(f"{live.settings.url}/mcp", json=body).status_code == 401
