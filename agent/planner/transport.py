"""One POST of JSON to an endpoint that is not trusted.

One wall-clock deadline holds around name look-up, connecting, headers and body, however they drip: the
exchange runs on a thread of its own, which is left behind with its connection closed when time is up. Replies
are capped and must come uncompressed, so that none can grow; no redirect is followed and no proxy used.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import Any

import httpx

from traces.context import trace_headers
from traces.errors import TandemError

CONNECT_S = 5.0
MAX_BYTES = 64 * 1024
_QUOTED = 200


class ReplyError(TandemError):
    """Something came back, and it cannot be used.

    Attributes:
        body: What came, `MAX_BYTES` at most, without the key.
    """

    def __init__(self, code: str, message: str, *, fix: str, body: bytes = b"") -> None:
        self.body = body[:MAX_BYTES]
        super().__init__(code, message, fix=fix)


class TransientError(Exception):
    """Worth another try: the endpoint was not there, was busy, or broke.

    Attributes:
        error: What to say when no try is left.
        after_s: How long the endpoint asks to be left alone.
    """

    def __init__(self, error: TandemError, after_s: float = 0.0) -> None:
        self.error = error
        self.after_s = after_s
        super().__init__(str(error))


def post(url: str, payload: dict[str, Any], key: str, ends: float, max_bytes: int = MAX_BYTES) -> bytes:
    """Send, and return the body of a reply with status 200.

    Args:
        url: Where to.
        payload: What, as JSON.
        key: Sent as a bearer token unless empty; never part of an error.
        ends: Deadline on `time.monotonic`, s.
        max_bytes: How long the reply may be.

    Raises:
        TransientError: No connection, 429 or 5xx.
        TandemError: `LLM_TIMEOUT`, `LLM_AUTH` or `LLM_BAD_RESPONSE`.
    """
    left = ends - time.monotonic()
    if left <= 0:
        raise _timeout()
    timeout = httpx.Timeout(left, connect=min(CONNECT_S, left))
    client = httpx.Client(timeout=timeout, follow_redirects=False, trust_env=False)
    done: queue.SimpleQueue[bytes | Exception] = queue.SimpleQueue()

    trace = trace_headers()

    def exchange() -> None:
        try:
            done.put(_exchange(client, url, payload, (key, trace), max_bytes))
        except Exception as error:  # noqa: BLE001 - raised again on the caller's thread
            done.put(error)

    threading.Thread(target=exchange, name="planner-post", daemon=True).start()
    try:
        result = done.get(timeout=left)
    except queue.Empty:
        raise _timeout() from None
    finally:
        client.close()
    if isinstance(result, Exception):
        raise _named(result, url, ends) from result
    return result


def _exchange(
    client: httpx.Client,
    url: str,
    payload: dict[str, Any],
    known: tuple[str, dict[str, str]],
    max_bytes: int,
) -> bytes:
    key, trace = known
    headers = {"Accept-Encoding": "identity"} | trace | ({"Authorization": f"Bearer {key}"} if key else {})
    with client.stream("POST", url, json=payload, headers=headers) as response:
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise bad_response(
                "the reply is compressed, which was not asked for", "check what serves this address"
            )
        data = bytearray()
        for piece in response.iter_raw():
            data += piece
            if len(data) > max_bytes:
                raise bad_response(
                    f"the reply is longer than {max_bytes} bytes",
                    "check what serves this address",
                    bytes(data),
                )
        _check_status(response, bytes(data), key)
        return bytes(data)


def _check_status(response: httpx.Response, data: bytes, key: str) -> None:
    status = response.status_code
    if status == 200:
        return
    if status in (401, 403):
        raise TandemError(
            "LLM_AUTH",
            f"the endpoint refused the key (HTTP {status})",
            fix="set TANDEM_API_KEY to a valid key",
        )
    body = data.replace(key.encode(), b"[key]") if key else data
    message = f"the endpoint answered HTTP {status}: {body.decode('utf-8', 'replace')[:_QUOTED]}"
    if status == 429 or status >= 500:
        fix = "try again later, or use --planner embedded"
        raise TransientError(
            ReplyError("LLM_UNAVAILABLE", message, fix=fix, body=body), _retry_after_s(response)
        )
    raise bad_response(message, "check URL and model name", body)


def _retry_after_s(response: httpx.Response) -> float:
    """Seconds that the endpoint asks to wait; 0 when it does not say so in seconds."""
    said = response.headers.get("Retry-After", "").strip()
    return min(float(said), 3600.0) if said.isascii() and said.isdigit() else 0.0


def _named(error: Exception, url: str, ends: float) -> Exception:
    """What an exchange's failure is called."""
    if not isinstance(error, httpx.HTTPError):
        return error
    if isinstance(error, httpx.TimeoutException) and time.monotonic() >= ends:
        return _timeout()
    unavailable = TandemError(
        "LLM_UNAVAILABLE",
        f"no answer from {url}: {error or type(error).__name__}",
        fix="start the server, or use --planner embedded",
    )
    return TransientError(unavailable)


def bad_response(message: str, fix: str, body: bytes = b"") -> ReplyError:
    """`LLM_BAD_RESPONSE`: it answers, but not as a chat endpoint does."""
    return ReplyError("LLM_BAD_RESPONSE", message, fix=fix, body=body)


def _timeout() -> TandemError:
    return TandemError("LLM_TIMEOUT", "the model took too long to answer", fix="use a faster model or server")
