"""What every request must pass before anything of ours sees it: one ASGI middleware, knowing no route.

In this order: Host, Origin, Sec-Fetch-Site, path, token, content type, size, JSON. Denied is what is not
expressly allowed, on every method and on web sockets too.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from api.server.problems import body_of, headers_of, internal, status_of
from api.server.strict_json import parse
from traces.errors import TandemError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 64 * 1024
BODY_S = 10.0
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_BODILESS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
_PATH = re.compile(rb"[A-Za-z0-9/._~-]*")


@dataclass(frozen=True, slots=True)
class Rules:
    """Who may come in.

    Attributes:
        hosts: Values of `Host` that are us.
        origins: Values of `Origin` that are our page.
        token: What has to be known.
        free: Whether a path may be read without the token; the page itself.
        policy: Content-Security-Policy of every answer.
    """

    hosts: frozenset[str]
    origins: frozenset[str]
    token: str
    free: Callable[[str], bool]
    policy: str


class Gate:
    """Lets pass what keeps the rules; answers the rest by itself."""

    def __init__(self, app: App, rules: Rules) -> None:
        self._app = app
        self._rules = rules
        self._headers = _safe_headers(rules.policy)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection's request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send, self._headers)
        try:
            self._check(scope)
            if scope["type"] != "http":
                raise TandemError("NOT_FOUND", "there are no web sockets here")
            body = await _body(scope, receive)
            await self._app(scope, _again(body, receive), answer)
        except TandemError as error:
            await _refuse(scope, send, answer, error)
        except Exception as cause:  # noqa: BLE001 (the last line: no traceback reaches a client)
            await _refuse(scope, send, answer, internal(cause))

    def _check(self, scope: Scope) -> None:
        headers = _headers(scope)
        if headers.get("host") not in self._rules.hosts:
            raise TandemError("HOST_FORBIDDEN", "this name is not mine", fix="tandem serve --allow-host NAME")
        origin = headers.get("origin")
        if origin is not None and origin not in self._rules.origins:
            raise TandemError("ORIGIN_FORBIDDEN", "requests from other pages are refused")
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise TandemError("CROSS_SITE", "requests from other pages are refused")
        if not _PATH.fullmatch(scope.get("raw_path", b"").split(b"?")[0]):
            raise TandemError("NOT_FOUND", "there is nothing at this path")
        if not (self._rules.free(scope["path"]) and scope.get("method") in _READS):
            self._check_token(headers.get("authorization"))
        _check_type(scope, headers)

    def _check_token(self, told: str | None) -> None:
        if told is None:
            raise TandemError(
                "TOKEN_MISSING",
                "a token is needed",
                fix="Authorization: Bearer with the token of `tandem serve`",
            )
        scheme, _, token = told.partition(" ")
        good = hmac.compare_digest(token.strip().encode("utf-8", "replace"), self._rules.token.encode())
        if scheme.lower() != "bearer" or not good:
            raise TandemError(
                "TOKEN_WRONG", "this is not the token", fix="take the one that `tandem serve` shows"
            )


class _Answer:
    """Sends an answer with our headers, and remembers whether it has begun."""

    def __init__(self, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        self._send = send
        self._headers = headers
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            told = {name.lower() for name, _ in message.get("headers", [])}
            more = [pair for pair in self._headers if pair[0] not in told]
            message = {**message, "headers": [*message.get("headers", []), *more]}
        await self._send(message)


def _headers(scope: Scope) -> dict[str, str]:
    """Headers by lower-case name. Those that decide must not stand twice. Raises `TandemError`."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        if key in found and key in ("host", "origin", "authorization", "content-type", "content-length"):
            raise TandemError("BAD_HEADER", f"{key} stands twice")
        found[key] = value.decode("latin-1")
    return found


def _check_type(scope: Scope, headers: dict[str, str]) -> None:
    length = headers.get("content-length", "0")
    if not length.isascii() or not length.isdecimal():
        raise TandemError("BAD_HEADER", "content-length is no number")
    if int(length[:20]) > MAX_BODY_BYTES:
        raise _too_large()
    if "content-encoding" in headers:
        raise TandemError("CONTENT_TYPE", "bodies are not to be encoded", fix="send plain JSON")
    told = headers.get("content-type")
    kind = (told or "application/json").split(";")[0].strip().lower()
    some = length != "0" or "transfer-encoding" in headers
    if scope["type"] == "http" and (told is None or kind != "application/json"):
        if told is None and not some:
            return
        if scope["method"] in _BODILESS and not some and told is None:
            return
        raise TandemError(
            "CONTENT_TYPE", "only application/json is read", fix="Content-Type: application/json"
        )


def _too_large() -> TandemError:
    return TandemError("BODY_TOO_LARGE", f"more than {MAX_BODY_BYTES} bytes", fix="say it shorter")


async def _body(scope: Scope, receive: Receive) -> bytes:
    """The whole body, checked. Raises `TandemError`; `ConnectionError` when the client has gone."""
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise TandemError("BAD_REQUEST", "the client has gone")
                part = message.get("body", b"")
                size += len(part)
                if size > MAX_BODY_BYTES:
                    raise _too_large()
                parts.append(part)
                if not message.get("more_body", False):
                    break
    except TimeoutError as cause:
        raise TandemError("BODY_TIMEOUT", f"the body took longer than {BODY_S:.0f} s") from cause
    body = b"".join(parts)
    if body:
        parse(body)
        if scope["method"] in _BODILESS:
            raise TandemError("BAD_REQUEST", f"{scope['method']} takes no body")
    return body


def _again(body: bytes, receive: Receive) -> Receive:
    """The body once more, for the application; afterwards what the client goes on to do."""
    parts = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return parts.pop() if parts else await receive()

    return replay


async def _refuse(scope: Scope, send: Send, answer: _Answer, error: TandemError) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    if answer.begun:
        return
    body = b"" if scope["method"] == "HEAD" else body_of(error)
    headers = {"content-type": "application/json", "content-length": str(len(body)), **headers_of(error)}
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await answer({"type": "http.response.start", "status": status_of(error.code), "headers": pairs})
    await answer({"type": "http.response.body", "body": body})


def _safe_headers(policy: str) -> list[tuple[bytes, bytes]]:
    told = {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "x-frame-options": "DENY",
        "cache-control": "no-store",
    }
    return [(name.encode(), value.encode()) for name, value in told.items()]
