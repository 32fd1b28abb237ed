"""Connections that say nothing, say it too slowly, or do not listen; over real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvicorn

from api.server import protocol
from api.server.protocol import LimitedProtocol
from scenarios.played import TOKEN, played_app

HEAD = (
    b"GET /v1/robot HTTP/1.1\r\nHost: 127.0.0.1:8420\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n\r\n"
)


def on_a_server(folder: Path, work: Callable[[int], Awaitable[None]]) -> None:
    async def go() -> None:
        config = uvicorn.Config(played_app(folder)[0], port=0, http=LimitedProtocol, log_level="critical")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            await work(server.servers[0].sockets[0].getsockname()[1])
        finally:
            server.should_exit = True
            await serving

    asyncio.run(go())


@pytest.mark.parametrize("said", [b"", b"GET", HEAD[:-2], b"\r\n"])
def test_half_a_request_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.3)

    async def work(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        assert await asyncio.wait_for(_rest(reader), 20) == b""
        writer.close()

    on_a_server(tmp_path, work)


def test_a_connection_is_kept_for_the_next_request_and_then_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 1.0)

    async def work(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(HEAD)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            assert b"ready" in await reader.readuntil(b"}")
        assert await asyncio.wait_for(_rest(reader), 20) == b""
        writer.close()

    on_a_server(tmp_path, work)


def test_there_are_only_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "CONNECTIONS", 8)

    async def work(port: int) -> None:
        lines = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        await asyncio.sleep(0.2)
        answered = 0
        for reader, writer in lines:
            try:
                writer.write(HEAD)
                answered += (await asyncio.wait_for(reader.read(12), 20)).startswith(b"HTTP/1.1 200")
            except ConnectionError:
                pass
            finally:
                writer.close()
        assert 1 <= answered <= 8

    on_a_server(tmp_path, work)


def test_a_stream_goes_on_although_its_client_sends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.2)
    monkeypatch.setattr("api.server.feed.ALIVE_S", 0.5)

    async def work(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD.replace(b"/v1/robot", b"/v1/events"))
        await reader.readuntil(b"\r\n\r\n")
        began = time.monotonic()
        for _ in range(3):
            await asyncio.wait_for(reader.readuntil(b": alive\n\n"), 20)
        assert time.monotonic() - began > 1.0
        writer.close()

    on_a_server(tmp_path, work)


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        said = await reader.read(-1)
    except ConnectionError:
        return b""
    return b"" if said.startswith(b"HTTP/1.1 4") else said
