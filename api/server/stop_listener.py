"""The stop's own listener: `python -m api.server.stop_listener --fd N --config JSON`. A process of its own.

It knows one request, `POST /v1/robot/stop`, holds the body's stop line, and shares nothing with the server:
no queue, no models, no framework. Stopping needs no token here, because stopping is
safe; but only this machine's page and programs may ask (Host and Origin are checked). It ends with the body.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

HEAD_BYTES = 8192
BODY_BYTES = 4096
REQUEST_S = 2.0
CONNECTIONS = 128
PATH = "/v1/robot/stop"
_STATUS = {
    200: "OK",
    204: "No Content",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
}


@dataclass(frozen=True, slots=True)
class Config:
    """Where it listens and who may ask."""

    host: str
    port: int
    hosts: frozenset[str]
    origins: frozenset[str]

    @classmethod
    def of(cls, told: dict[str, Any]) -> Config:
        """From JSON."""
        return cls(told["host"], told["port"], frozenset(told["hosts"]), frozenset(told["origins"]))


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a request; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]


class StopListener:
    """Answers stops."""

    def __init__(self, line: socket.socket, config: Config) -> None:
        self._line = line
        self._config = config
        self._open: list[asyncio.StreamWriter] = []

    async def run(self) -> None:
        """Serve until the body closes its end."""
        server = await asyncio.start_server(
            self._serve, self._config.host, self._config.port, limit=HEAD_BYTES, reuse_address=True
        )
        async with server:
            await self._body_gone()

    async def _body_gone(self) -> None:
        self._line.setblocking(False)  # noqa: FBT003 (the socket's own signature)
        loop = asyncio.get_running_loop()
        while await loop.sock_recv(self._line, 64):
            pass

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.append(writer)
        if len(self._open) > CONNECTIONS:
            # The oldest has had its chance; whoever comes to stop the robot now goes first.
            self._open.pop(0).transport.abort()
        try:
            async with asyncio.timeout(REQUEST_S):
                await self._answer(reader, writer)
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            if writer in self._open:
                self._open.remove(writer)
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = _parse(await reader.readuntil(b"\r\n\r\n"))
        status = self._judge(request)
        if request is not None and status == 200:
            # The arm first; what else there is to the request can wait.
            with suppress(BlockingIOError):  # It is full of stops already.
                self._line.send(b"stop request")
            length = request.headers.get("content-length", "0")
            if length.isdecimal() and int(length) <= BODY_BYTES:
                await reader.readexactly(int(length))
        writer.write(self._response(status, request))
        await writer.drain()

    def _judge(self, request: Request | None) -> int:
        if request is None:
            return 400
        if request.headers.get("host", "") not in self._config.hosts:
            return 403
        origin = request.headers.get("origin")
        if origin is not None and origin not in self._config.origins:
            return 403
        if request.headers.get("sec-fetch-site") == "cross-site":
            return 403
        if request.path != PATH:
            return 404
        if request.method == "OPTIONS" and origin is not None:
            return 204
        return 200 if request.method == "POST" else 405

    def _response(self, status: int, request: Request | None) -> bytes:
        ok = status in (200, 204)
        told: dict[str, Any] = (
            {"stopped": True} if ok else {"error": {"code": "REFUSED", "message": _STATUS[status]}}
        )
        body = b"" if status == 204 else json.dumps(told).encode()
        lines = [
            f"HTTP/1.1 {status} {_STATUS[status]}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "Connection: close",
            "Cache-Control: no-store",
        ]
        if ok and request is not None and (origin := request.headers.get("origin")):
            lines += [
                f"Access-Control-Allow-Origin: {origin}",
                "Access-Control-Allow-Methods: POST",
                "Access-Control-Allow-Headers: content-type, authorization",
                "Vary: Origin",
            ]
        return "\r\n".join([*lines, "", ""]).encode() + body


def _parse(head: bytes) -> Request | None:
    """The head of a request; None when it is none."""
    try:
        first, *rest = head.decode("ascii").split("\r\n")
        method, path, version = first.split(" ")
        pairs = [line.split(":", 1) for line in rest if line]
        headers = {name.strip().lower(): value.strip() for name, value in pairs}
    except ValueError:
        return None
    if not version.startswith("HTTP/1.") or len(headers) != len(pairs):
        return None
    return Request(method, path, headers)


def main() -> None:
    """Serve over an inherited stop line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--config", required=True)
    arguments = parser.parse_args()
    with socket.socket(fileno=arguments.fd) as line:
        asyncio.run(StopListener(line, Config.of(json.loads(arguments.config))).run())


if __name__ == "__main__":
    main()
