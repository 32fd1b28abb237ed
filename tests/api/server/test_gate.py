"""Who may come in, on every route and method there is: routes that are added are included by themselves."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.server.gate import MAX_BODY_BYTES
from api.server.strict_json import parse
from traces.errors import TandemError

GOOD = {"authorization": "Bearer the-token-of-the-tests", "host": "127.0.0.1:8420"}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE")
BAD = {
    "another host": ({"host": "evil.example"}, 403),
    "a host without port": ({"host": "127.0.0.1"}, 403),
    "a rebound host": ({"host": "127.0.0.1.nip.io:8420"}, 403),
    "an empty host": ({"host": ""}, 403),
    "another origin": ({"origin": "http://evil.example"}, 403),
    "no origin that has a name": ({"origin": "null"}, 403),
    "our name at another port": ({"origin": "http://127.0.0.1:9999"}, 403),
    "another page": ({"sec-fetch-site": "cross-site"}, 403),
    "a page beside us": ({"sec-fetch-site": "same-site"}, 403),
    "a wrong token": ({"authorization": "Bearer wrong"}, 401),
    "an empty token": ({"authorization": "Bearer "}, 401),
    "another scheme": ({"authorization": "Basic the-token-of-the-tests"}, 401),
    "a form": ({"content-type": "application/x-www-form-urlencoded"}, 415),
    "plain text": ({"content-type": "text/plain"}, 415),
    "parts": ({"content-type": "multipart/form-data; boundary=x"}, 415),
    "almost JSON": ({"content-type": "application/json-seq"}, 415),
    "an encoding": ({"content-type": "application/json", "content-encoding": "gzip"}, 415),
}


def paths(site: Any) -> list[str]:
    """Every path of the application, with something in place of its variables."""
    named = {"command_id": "c-0123456789abcdef", "sha": "0" * 64, "replay_id": "r-0123456789abcdef"}

    def fill(path: str) -> str:
        return re.sub(r"{path:path}|{(\w+)(:\w+)?}", lambda m: named.get(m[1] or "", "1"), path)

    def walk(routes: list[Any]) -> Iterator[str]:
        for route in routes:
            inner = getattr(route, "original_router", None)
            if inner is None:
                yield route.path
            else:
                yield from walk(inner.routes)

    found = {fill(path) for path in walk(site.routes.routes)} - {"/"}
    documented = {fill(path) for path in site.routes.openapi()["paths"]}
    assert documented <= found
    assert len(found) > 15
    return sorted(found)


def test_table_of_routes_methods_and_bad_requests(site: Any) -> None:
    allowed = []
    for path in [*paths(site), "/v1/nowhere", "/mcp"]:
        for method in METHODS:
            for name, (headers, status) in BAD.items():
                free = path.startswith("/assets") and method in ("GET", "HEAD", "OPTIONS") and status == 401
                body = b"{}" if "content-type" in headers else b""
                answered = site.runner.run(raw(site, method, path, {**GOOD, **headers}, body))
                if not free and answered != status:
                    allowed.append((method, path, name, answered))
    assert not allowed


def test_no_token_no_answer(site: Any) -> None:
    for path in paths(site):
        for method in METHODS:
            if path.startswith("/assets"):
                continue
            bare = site.runner.run(raw(site, method, path, {"host": "127.0.0.1:8420"}))
            assert bare == 401, (method, path)


async def raw(site: Any, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> int:
    """The status of a request that no client library has touched."""
    status = 0

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    length = {"content-length": str(len(body))} if body else {}
    pairs = [(name.encode(), value.encode()) for name, value in {**headers, **length}.items()]
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "headers": pairs}
    await site.app({**scope, "query_string": b""}, receive, send)
    return status


@pytest.mark.parametrize("headers", [{}, {"origin": "http://evil.example"}, {"host": "evil"}])
def test_web_sockets_are_closed(site: Any, headers: dict[str, str]) -> None:
    said: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    told = {"host": "127.0.0.1:8420", "authorization": "Bearer the-token-of-the-tests", **headers}
    pairs = [(k.encode(), v.encode()) for k, v in told.items()]
    scope = {"type": "websocket", "path": "/v1/events", "raw_path": b"/v1/events", "headers": pairs}
    site.runner.run(site.app(scope, receive, send))
    assert said == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize(
    "body",
    [
        b"\xff",
        b'{"instruction": "\xff"}',
        b"{",
        b"nonsense",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": 1, "a": 2}',
        b"[" * 100_0 + b"]" * 100_0,
        b'{"a":' * 40 + b"1" + b"}" * 40,
        b'{"a": "\\ud800"}',
        b'\xef\xbb\xbf{"a": 1}',
        '{"a": 1}'.encode("utf-16"),
        b'{"a": 1} x',
    ],
    ids=range(15),
)
def test_what_is_no_json_is_refused(site: Any, body: bytes) -> None:
    answer = site.ask("POST", "/v1/commands", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "BAD_JSON"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (None, 422),
        ([], 422),
        ("stop", 422),
        ({"instruction": 5}, 422),
        ({"instruction": "tidy up", "more": 1}, 422),
        ({"instruction": ""}, 422),
        ({"instruction": " \u200b "}, 422),
        ({"instruction": "a\x00b"}, 422),
        ({"instruction": "x" * 4001}, 413),
        ({"instruction": "x" * MAX_BODY_BYTES}, 413),
    ],
)
def test_what_is_no_command_is_refused(site: Any, body: Any, status: int) -> None:
    answer = site.ask("POST", "/v1/commands", json=body)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "message", "fix"}


@pytest.mark.parametrize(
    "path",
    [
        "/v1/runs/../../etc/passwd",
        "/v1/runs/..%2f..%2fetc",
        "/v1/runs/%252e%252e",
        "/v1/runs/a%00b",
        "/v1/runs/" + "a" * 60_000,
        "/v1/runs/.hidden",
        "/v1/runs/x/blobs/" + "g" * 64,
        "/v1/runs/x/blobs/" + "0" * 64 + "%0a",
        "/assets/../server/app.py",
        "/assets/%2e%2e/%2e%2e/cli.py",
    ],
)
def test_nothing_outside_is_reached(site: Any, path: str) -> None:
    assert site.ask("GET", path).status_code in (404, 422)


def test_a_symlink_among_the_runs_is_not_followed(site: Any, tmp_path: Any) -> None:
    (site.settings.runs / "link").symlink_to(tmp_path)
    assert site.ask("GET", "/v1/runs/link").status_code == 404


def test_a_body_that_never_ends_is_cut_off(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def drip() -> Any:
        while True:
            yield b" " * 4096

    headers = {"content-type": "application/json", "transfer-encoding": "chunked"}
    assert site.ask("POST", "/v1/commands", content=drip(), headers=headers).status_code == 413

    async def stall() -> Any:
        yield b"{"
        await asyncio.sleep(60)

    monkeypatch.setattr("api.server.gate.BODY_S", 0.1)
    assert site.ask("POST", "/v1/commands", content=stall(), headers=headers).status_code == 408


def test_a_bug_shows_no_traceback(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site.desk, "robot", lambda: 1 / 0)
    answer = site.ask("GET", "/v1/robot")
    assert answer.status_code == 500
    assert "division" not in answer.text
    assert "Traceback" not in answer.text


def test_every_answer_carries_the_policy(site: Any) -> None:
    for path in ("/", "/v1/robot", "/v1/nowhere"):
        policy = site.ask("GET", path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_what_is_json_is_read_as_it_is(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=True).encode()
    try:
        assert parse(text) == value
    except TandemError:
        assert text.count(b"[") + text.count(b"{") > 32 or b"\\ud" in text


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=200))
def test_bytes_are_json_or_refused(data: bytes) -> None:
    try:
        value = parse(data)
    except TandemError:
        return
    assert value == json.loads(data)
