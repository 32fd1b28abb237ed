"""The Python client and `tandem command` against a server on a real port."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from api.client import Client
from api.server.protocol import LimitedProtocol
from scenarios.played import TOKEN, played_app
from traces.errors import TandemError


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server whose mind is played; it listens where its own name says."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app, _, _ = played_app(tmp_path_factory.mktemp("served"), port)
    server = uvicorn.Server(uvicorn.Config(app, port=port, http=LimitedProtocol, log_level="critical"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    while not server.started:
        pass
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(30)


def test_a_command_from_python(url: str) -> None:
    with Client(url, TOKEN) as client:
        given = client.command("put the red cup in the sink", key="k")
        assert client.command("put the red cup in the sink", key="k").id == given.id
        told = list(client.events(given.id))
        assert told[-1].type == "outcome"
        assert [e.seq for e in client.events(given.id, after=told[-2].seq)] == [told[-1].seq]
        assert client.get(given.id).state == "succeeded"
        assert client.commands(1)[0].id == given.id
        with pytest.raises(TandemError, match="ALREADY_ENDED"):
            client.cancel(given.id)
        client.stop()
        assert client.robot().latched
        assert not client.reset("all clear").latched
        assert client.scene().objects == ()
        assert client.runs().runs == ()
        with pytest.raises(TandemError, match="RUN_NOT_FOUND"):
            client.run("nothing")


def test_a_wrong_token_and_a_missing_server_say_what_to_do(url: str) -> None:
    with Client(url, "wrong") as client, pytest.raises(TandemError, match="TOKEN_WRONG"):
        client.robot()
    with Client("http://127.0.0.1:9", "x") as client, pytest.raises(TandemError) as raised:
        client.robot()
    assert raised.value.code == "SERVER_UNREACHABLE"
    assert "tandem serve" in raised.value.fix


def call(url: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "api.cli", "command", *words, "--url", url],
        capture_output=True,
        text=True,
        env={**os.environ, "TANDEM_TOKEN": TOKEN},
        stdin=subprocess.DEVNULL,
        timeout=200,
        check=False,
    )


def test_a_command_from_the_command_line(url: str) -> None:
    done = call(url, "put the red cup in the sink", "--watch", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["state"] == "succeeded"


def test_a_token_that_others_can_read_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("x")
    (tmp_path / "token").chmod(0o644)
    monkeypatch.setenv("TANDEM_STATE", str(tmp_path))
    with pytest.raises(TandemError, match="TOKEN_EXPOSED"):
        Client()
