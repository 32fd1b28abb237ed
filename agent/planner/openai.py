"""Any OpenAI-compatible endpoint as a planner: vLLM, Ollama, a cloud.

Everything from the endpoint is untrusted: one wall-clock deadline and a byte cap around every request,
however it drips; redirects are not followed; a reply counts only when it ended by itself and fits the schema.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from typing import Any

import httpx
from pydantic import ValidationError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential
from tenacity.stop import stop_base

from agent.planner.grounder import ground
from agent.planner.logical_form import LogicalForm, schema
from agent.planner.prompts import messages
from agent.planner.protocol import Chat, History, Plan, Question, Refusal
from skills.scene import Scene
from traces.errors import TandemError

DEADLINE_S = 30.0
CONNECT_S = 5.0
MAX_BYTES = 64 * 1024
MAX_TOKENS = 400
TRIES = 3


class _Transient(Exception):  # noqa: N818
    """Worth another try: the endpoint was not there, was busy, or broke."""

    def __init__(self, error: TandemError) -> None:
        self.error = error
        super().__init__(str(error))


class OpenAIPlanner:
    """Plans through `/chat/completions` with structured output."""

    def __init__(self, url: str, model: str, *, deadline_s: float = DEADLINE_S) -> None:
        """Name an endpoint's base URL (with `/v1`) and a model.

        The key, if one is needed, is read from `TANDEM_API_KEY` or `OPENAI_API_KEY`.

        Raises:
            TandemError: `PLANNER_UNKNOWN` when URL or model are not usable.
        """
        parsed = httpx.URL(url) if url.isascii() and url.isprintable() else httpx.URL("")
        if parsed.scheme not in ("http", "https") or not parsed.host or not model:
            raise TandemError(
                "PLANNER_UNKNOWN",
                f"openai:{url}#{model} names no endpoint and model",
                fix="write openai:http://HOST:PORT/v1#MODEL",
            )
        self._url = str(parsed).rstrip("/") + "/chat/completions"
        self._model = model
        self._deadline_s = deadline_s
        self.planner_id = f"openai:{parsed.host}#{model}"

    def plan(self, instruction: str, scene: Scene, history: Sequence[History]) -> Plan | Question | Refusal:
        """Ask, repair once if need be, ground.

        Raises:
            TandemError: `LLM_UNAVAILABLE`, `LLM_TIMEOUT`, `LLM_AUTH`, `LLM_BAD_RESPONSE` or `PLAN_INVALID`.
        """
        ends = time.monotonic() + self._deadline_s
        talk = messages(instruction, scene, history)
        chats: list[Chat] = []
        for repair in (False, True):
            reply = self._ask(talk, ends, chats)
            try:
                form = LogicalForm.parse(reply)
            except ValidationError as error:
                words = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:4])
                if repair:
                    raise TandemError(
                        "PLAN_INVALID",
                        f"the model's plan does not fit the plan language: {words}",
                        fix="use a model and server with structured output, or another wording",
                    ) from error
                talk = [*talk, {"role": "assistant", "content": reply}]
                talk.append({"role": "user", "content": f"That is not valid: {words}. Write only the JSON."})
                continue
            return _with_chats(ground(form, scene, history), tuple(chats))
        raise AssertionError("unreachable")

    def _ask(self, talk: list[dict[str, str]], ends: float, chats: list[Chat]) -> str:
        """One reply, with retries inside the deadline. Every exchange is added to `chats`."""
        retrying = Retrying(
            stop=stop_after_attempt(TRIES) | _Until(ends),
            wait=wait_random_exponential(multiplier=0.2, max=2.0),
            retry=retry_if_exception(lambda error: isinstance(error, _Transient)),
            reraise=True,
        )
        try:
            return str(retrying(self._ask_once, talk, ends, chats))
        except _Transient as transient:
            raise transient.error from transient

    def _ask_once(self, talk: list[dict[str, str]], ends: float, chats: list[Chat]) -> str:
        began = time.monotonic()
        body = self._post(talk, ends)
        reply, finish = _reply_of(body)
        chats.append(Chat("openai", self._model, json.dumps(talk), reply, finish, time.monotonic() - began))
        if finish != "stop":
            raise _bad(f"the reply ended with {finish!r}, not by itself", "raise the model's token limit")
        return reply

    def _post(self, talk: list[dict[str, str]], ends: float) -> bytes:
        """POST and read the body, never longer than the deadline, never more than the cap."""
        payload = {
            "model": self._model,
            "messages": talk,
            "temperature": 0,
            "seed": 0,
            "max_tokens": MAX_TOKENS,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "plan", "schema": schema(), "strict": True},
            },
        }
        key = os.environ.get("TANDEM_API_KEY") or os.environ.get("OPENAI_API_KEY")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        left = max(0.05, ends - time.monotonic())
        timeout = httpx.Timeout(left, connect=min(CONNECT_S, left))
        try:
            with (
                httpx.Client(timeout=timeout, follow_redirects=False, trust_env=False) as client,
                client.stream("POST", self._url, json=payload, headers=headers) as response,
            ):
                data = _read(response, ends)
                _check_status(response, data)
                return data
        except httpx.TimeoutException as error:
            if time.monotonic() < ends:
                raise _Transient(self._unavailable(error)) from error
            raise _timeout() from error
        except httpx.TransportError as error:
            raise _Transient(self._unavailable(error)) from error

    def _unavailable(self, error: Exception) -> TandemError:
        return TandemError(
            "LLM_UNAVAILABLE",
            f"no answer from {self._url}: {error}",
            fix="start the server, or use --planner embedded",
        )


class _Until(stop_base):
    """Stop retrying at a point in time."""

    def __init__(self, ends: float) -> None:
        self._ends = ends

    def __call__(self, retry_state: Any) -> bool:  # noqa: ARG002
        return time.monotonic() >= self._ends


def _read(response: httpx.Response, ends: float) -> bytes:
    """The decoded body. A server that drips bytes meets the deadline; one that floods meets the cap."""
    data = bytearray()
    for piece in response.iter_bytes():
        data += piece
        if len(data) > MAX_BYTES:
            raise _bad(f"the reply is longer than {MAX_BYTES} bytes", "check what serves this address")
        if time.monotonic() > ends:
            raise _timeout()
    return bytes(data)


def _check_status(response: httpx.Response, data: bytes) -> None:
    status = response.status_code
    if status in (401, 403):
        raise TandemError(
            "LLM_AUTH", f"the endpoint refused the key (HTTP {status})", fix="set TANDEM_API_KEY"
        )
    said = data[:200].decode("utf-8", "replace")
    if status == 429 or status >= 500:
        raise _Transient(
            TandemError(
                "LLM_UNAVAILABLE", f"the endpoint answered HTTP {status}: {said}", fix="try again later"
            )
        )
    if status != 200:
        raise _bad(f"the endpoint answered HTTP {status}: {said}", "check URL and model name")


def _reply_of(body: bytes) -> tuple[str, str]:
    """Content and finish reason of the first choice."""
    try:
        choice = json.loads(body)["choices"][0]
        content, finish = choice["message"]["content"], choice["finish_reason"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
        raise _bad(
            f"the reply is no chat completion ({error!r})", "check what serves this address"
        ) from error
    if not isinstance(content, str):
        raise _bad("the reply has no text", "use a model that answers in text")
    return content, str(finish)


def _bad(message: str, fix: str) -> TandemError:
    return TandemError("LLM_BAD_RESPONSE", message, fix=fix)


def _timeout() -> TandemError:
    return TandemError("LLM_TIMEOUT", "the model took too long to answer", fix="use a faster model or server")


def _with_chats(result: Plan | Question | Refusal, chats: tuple[Chat, ...]) -> Plan | Question | Refusal:
    match result:
        case Plan():
            return Plan(result.graph, result.goal, result.form, 0.0, chats)
        case Question():
            return Question(result.text, result.options, result.code, result.objects, chats)
        case Refusal():
            return Refusal(result.code, result.message, result.fix, chats)
