"""Throw inputs at the server: from its OpenAPI document, and raw bytes at its socket.

`python -m scenarios.fuzz_api --count 100000`. None may be answered with 5xx or a traceback, none may hang
for two seconds. Exit code 1 when one did; each is printed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn

from api.server.desk import Desk
from api.server.gate import App
from api.server.protocol import LimitedProtocol
from scenarios.played import TOKEN, played_app
from traces.errors import TandemError

HANG_S = 2.0
STREAM_S = 0.02
STREAMS = (b"/events", b"/stream", b"/frame")
PARALLEL = 16
BLOCK = 1000
HOST = b"127.0.0.1:8420"
RESET_EVERY = 50
_TEXTS = (
    *(
        "",
        "stop",
        "put the red cup in the sink",
        "x" * 5000,
        "\u0000",
        "\u202e",
        "\u200b",
        "💥" * 50,
        "../../etc/passwd",
    ),
    *(
        "<script>alert(1)</script>",
        "'; DROP TABLE commands; --",
        "%00",
        "\r\nX: y",
        "1e999",
        "${jndi:ldap://x}",
    ),
)
_RAW = (
    b"GET /v1/robot HTTP/1.1\r\nHost: " + HOST + b"\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n\r\n",
    b"POST /v1/commands HTTP/1.1\r\nHost: " + HOST + b"\r\nContent-Type: application/json\r\n"
    b"Authorization: Bearer " + TOKEN.encode() + b'\r\nContent-Length: 24\r\n\r\n{"instruction": "a b c"}',
)


class Fuzzer:
    """Makes inputs from a seed, sends them, and keeps what went wrong."""

    def __init__(self, app: App, desk: Desk, port: int, seed: int) -> None:
        self._app = app
        self._desk = desk
        self._port = port
        self._random = random.Random(seed)
        self._document: dict[str, Any] = {}
        self._routes: list[tuple[str, str]] = []
        self.statuses: Counter[int] = Counter()
        self.failures: list[str] = []

    async def learn(self) -> None:
        """Read the server's own document."""
        _, content = await self._exchange("GET", b"/v1/openapi.json", b"", b"")
        self._document = json.loads(content)
        self._routes = [(m.upper(), path) for path, ms in self._document["paths"].items() for m in ms]

    async def once(self, raw_share: float) -> None:
        """One input."""
        await (self.raw() if self._random.random() < raw_share else self.request())
        if sum(self.statuses.values()) % RESET_EVERY == 0 and self._desk.robot().latched:
            with contextlib.suppress(TandemError):
                self._desk.reset("fuzzing goes on")

    async def request(self) -> None:
        """One request that the document suggests, bent in some way."""
        pick = self._random
        method, path = pick.choice(self._routes)
        if pick.random() < 0.1:
            method = pick.choice(("GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "BREW"))
        query = self._query() if pick.random() < 0.4 else b""
        await self._send(method, self._filled(path), query, self._body(path, method))

    async def raw(self) -> None:
        """Bytes at the socket: a request with some of its bytes changed, or noise."""
        pick = self._random
        data = bytearray(pick.choice(_RAW))
        if pick.random() < 0.2:
            data = bytearray(pick.randbytes(pick.randrange(1, 400)))
        for _ in range(pick.randrange(0, 6)):
            at = pick.randrange(len(data) + 1)
            match pick.randrange(3):
                case 0:
                    data[at : at + 1] = pick.randbytes(1)
                case 1:
                    del data[at : at + pick.randrange(1, 9)]
                case _:
                    data[at:at] = pick.randbytes(pick.randrange(1, 9))
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        began = time.monotonic()
        try:
            writer.write(bytes(data))
            writer.write_eof()
            said = await asyncio.wait_for(reader.read(-1), 2 * HANG_S)
            status = int(said[9:12]) if said[:5] == b"HTTP/" else 0
            self._judge(status, said, time.monotonic() - began, bytes(data))
        except (ConnectionError, TimeoutError) as error:
            if isinstance(error, TimeoutError):
                self.failures.append(f"hang: {bytes(data)!r}")
            self.statuses[0] += 1
        finally:
            writer.close()

    async def _send(self, method: str, path: bytes, query: bytes, body: bytes) -> None:
        began = time.monotonic()
        status, content = await self._exchange(method, path, query, body)
        what = b" ".join((method.encode(), path, query, body))
        self._judge(status, content, time.monotonic() - began, what)

    async def _exchange(self, method: str, path: bytes, query: bytes, body: bytes) -> tuple[int, bytes]:
        """A request without a socket; its status, 0 when it sent nothing, and its content."""
        said: list[dict[str, Any]] = []

        asked = iter([{"type": "http.request", "body": body}])

        async def receive() -> dict[str, Any]:
            if (message := next(asked, None)) is not None:
                return message
            await asyncio.sleep(STREAM_S)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            said.append(message)

        headers = [(b"host", HOST), (b"authorization", b"Bearer " + TOKEN.encode())]
        if body:
            headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        if self._random.random() < 0.2:
            headers.append((b"idempotency-key", self._random.randbytes(4).hex().encode()))
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "headers": headers,
            "root_path": "",
            "query_string": query,
            "path": path.decode("latin-1"),
            "raw_path": path,
            "scheme": "http",
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8420),
        }
        # A stream goes on for ever; what else hangs shows in the time.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STREAM_S if path.endswith(STREAMS) else 2 * HANG_S):
                await self._app(scope, receive, send)
        status = said[0]["status"] if said else 0
        return status, b"".join(message.get("body", b"") for message in said[1:])

    def _judge(self, status: int, content: bytes, took_s: float, what: bytes) -> None:
        self.statuses[status] += 1
        if status >= 500 and b"ROBOT_" not in content:
            self.failures.append(f"{status}: {what[:300]!r}")
        if b"Traceback" in content:
            self.failures.append(f"traceback: {what[:300]!r}")
        if took_s > HANG_S:
            self.failures.append(f"{took_s:.1f} s: {what[:300]!r}")

    def _filled(self, path: str) -> bytes:
        known = {
            "{command_id}": "c-0123456789abcdef",
            "{question}": "1",
            "{camera}": "front",
            "{name}": "run",
        }
        for name in [part for part in path.split("/") if part.startswith("{")]:
            value = known.get(name, "0" * 64) if self._random.random() < 0.6 else self._text()
            path = path.replace(name, value.replace("/", "%2f")[:200])
        return path.encode("utf-8", "replace").replace(b" ", b"%20")

    def _query(self) -> bytes:
        names = ("limit", "state", "after", "outcome", "text", "skill", "code", "x")
        pairs = [
            f"{self._random.choice(names)}={self._text()[:60]}" for _ in range(self._random.randrange(3))
        ]
        return "&".join(pairs).encode("utf-8", "replace")

    def _body(self, path: str, method: str) -> bytes:
        told = self._document["paths"].get(path, {}).get(method.lower(), {}).get("requestBody")
        if told is None and self._random.random() < 0.8:
            return b""
        if self._random.random() < 0.15:
            return self._random.randbytes(self._random.randrange(1, 200))
        value = self._value(3)
        if told is not None and self._random.random() < 0.7:
            names = ("instruction", "question", "answer", "text", "reason", "level")
            value = {
                name: self._value(1) for name in self._random.sample(names, self._random.randrange(1, 4))
            }
        text = json.dumps(value, ensure_ascii=self._random.random() < 0.5)
        if self._random.random() < 0.1:
            at = self._random.randrange(len(text) + 1)
            text = (
                text[:at] + self._random.choice(("NaN", "\\ud800", "[" * 200, "}", ",", "1e999")) + text[at:]
            )
        return text.encode("utf-8", "surrogatepass")

    def _value(self, depth: int) -> Any:
        pick = self._random
        match pick.randrange(8 if depth else 6):
            case 0:
                return pick.choice((None, True, False))
            case 1:
                return pick.choice((0, 1, -1, 2**63, 10**30, pick.randrange(1000)))
            case 2:
                return pick.choice((0.5, -1e300, 1e-300))
            case 6:
                return [self._value(depth - 1) for _ in range(pick.randrange(4))]
            case 7:
                return {self._text()[:20]: self._value(depth - 1) for _ in range(pick.randrange(4))}
        return self._text()

    def _text(self) -> str:
        pick = self._random
        if pick.random() < 0.7:
            return pick.choice(_TEXTS)
        return "".join(
            chr(pick.choice((pick.randrange(32, 127), pick.randrange(1, 0xD7FF)))) for _ in range(8)
        )


async def fuzz(count: int, seed: int, raw_share: float) -> Fuzzer:
    """Send `count` inputs, `raw_share` of them as bytes at a socket."""
    with tempfile.TemporaryDirectory() as folder:
        app, desk, mind = played_app(Path(folder))
        server = uvicorn.Server(
            uvicorn.Config(app, port=0, http=LimitedProtocol, log_level="critical", ws="none")
        )
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        await mind.run()
        fuzzer = Fuzzer(app, desk, server.servers[0].sockets[0].getsockname()[1], seed)
        await fuzzer.learn()
        gate = asyncio.Semaphore(PARALLEL)

        async def one() -> None:
            async with gate:
                await fuzzer.once(raw_share)

        for first in range(0, count, BLOCK):
            await asyncio.gather(*(one() for _ in range(min(BLOCK, count - first))))
            last = fuzzer.failures[-1][:200] if fuzzer.failures else ""
            said = f"{min(first + BLOCK, count)} of {count}, {len(fuzzer.failures)} failures {last}\n"
            sys.stderr.write(said)
        server.should_exit = True
        await serving
        return fuzzer


def main(
    count: Annotated[int, typer.Option(min=1)] = 100_000,
    seed: int = 0,
    raw: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of raw bytes.")] = 0.2,
) -> None:
    """Fuzz, and say what came of it."""
    fuzzer = asyncio.run(fuzz(count, seed, raw))
    statuses = {str(status): n for status, n in sorted(fuzzer.statuses.items())}
    inputs = sum(fuzzer.statuses.values())
    typer.echo("")
    typer.echo(json.dumps({"inputs": inputs, "statuses": statuses, "failures": len(fuzzer.failures)}))
    for failure in fuzzer.failures[:20]:
        typer.echo(failure)
    raise typer.Exit(bool(fuzzer.failures))


if __name__ == "__main__":
    typer.run(main)
