"""The stop's own process, over real sockets."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

STOP = "POST /v1/robot/stop HTTP/1.1\r\nHost: {host}\r\n{more}\r\n"


class Listener:
    def __init__(self) -> None:
        self.body, line = socket.socketpair()
        self.body.settimeout(5)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        origins = ["http://127.0.0.1:8420"]
        config = {"host": "127.0.0.1", "port": self.port, "hosts": [self.host], "origins": origins}
        words = [f"--fd={line.fileno()}", f"--config={json.dumps(config)}"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "api.server.stop_listener", *words], pass_fds=(line.fileno(),)
        )
        line.close()
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                self.connect().close()
                return
            except OSError:
                time.sleep(0.05)
        raise TimeoutError

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 5)

    def ask(self, text: str) -> str:
        with self.connect() as line:
            line.sendall(text.encode())
            got = b""
            while part := line.recv(4096):
                got += part
        return got.decode()

    def stops(self) -> bytes:
        self.body.settimeout(0.3)
        try:
            return self.body.recv(1000)
        except TimeoutError:
            return b""


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.body.close()
    made.process.kill()
    made.process.wait()


def test_a_stop_reaches_the_body(listener: Listener) -> None:
    assert listener.ask(STOP.format(host=listener.host, more="")).startswith("HTTP/1.1 200")
    assert listener.stops() == b"stop request"


@pytest.mark.parametrize(
    "text",
    [
        STOP.format(host="evil", more=""),
        STOP.format(host="{host}", more="Origin: http://evil.example\r\n"),
        STOP.format(host="{host}", more="Sec-Fetch-Site: cross-site\r\n"),
        "GET /v1/robot/stop HTTP/1.1\r\nHost: {host}\r\n\r\n",
        "POST /v1/robot HTTP/1.1\r\nHost: {host}\r\n\r\n",
        "nonsense\r\n\r\n",
        "POST /v1/robot/stop HTTP/1.1\r\nHost: {host}\r\nHost: evil\r\n\r\n",
    ],
)
def test_others_do_not(listener: Listener, text: str) -> None:
    answer = listener.ask(text.replace("{host}", listener.host))
    assert answer.split()[1] in ("400", "403", "404", "405")
    assert listener.stops() == b""


def test_our_page_may_ask_across_ports(listener: Listener) -> None:
    more = "Origin: http://127.0.0.1:8420\r\n"
    told = listener.ask(STOP.format(host=listener.host, more=more))
    assert "Access-Control-Allow-Origin: http://127.0.0.1:8420" in told
    preflight = STOP.format(host=listener.host, more=more).replace("POST", "OPTIONS")
    assert listener.ask(preflight).startswith("HTTP/1.1 204")


def test_idle_connections_do_not_keep_a_stop_out(listener: Listener) -> None:
    idle = [listener.connect() for _ in range(300)]
    for line in idle:
        with suppress(OSError):
            line.sendall(b"POST /v1/robot/st")
    assert listener.ask(STOP.format(host=listener.host, more="")).startswith("HTTP/1.1 200")
    assert listener.stops() == b"stop request"
    for line in idle:
        line.close()


def test_it_ends_with_the_body(listener: Listener) -> None:
    listener.body.close()
    assert listener.process.wait(10) == 0
