"""Any OpenAI-compatible endpoint as a planner: vLLM, Ollama, a cloud.

Everything from the endpoint is untrusted: `transport.py` bounds how long and how much it may talk, and a
reply counts only when it ended by itself and fits the schema.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from agent.planner.breaker import Breaker
from agent.planner.grounder import ground
from agent.planner.logical_form import LogicalForm, schema
from agent.planner.prompts import data_url, messages
from agent.planner.protocol import REJECTED, Chat, History, Plan, PlanningError, Question, Refusal
from agent.planner.transport import ReplyError, TransientError, bad_response, post
from skills.scene import Scene
from skills.verify import Refutation, prove
from traces.errors import TandemError

DEADLINE_S = 30.0
MAX_TOKENS = 1024
MORE_TOKENS = 2048
_ENDLESS = re.compile(r"\s{200}")
TRIES = 3
_jitter = wait_random_exponential(multiplier=0.2, max=2.0)


class OpenAIPlanner:
    """Plans through `/chat/completions` with structured output."""

    def __init__(self, url: str, model: str, *, deadline_s: float = DEADLINE_S, camera: bool = False) -> None:
        """Name an endpoint's base URL (with `/v1`) and a model; `camera`: it takes images, so send frames.

        The key, if one is needed, is read from `TANDEM_API_KEY` or `OPENAI_API_KEY`.

        Raises:
            TandemError: `PLANNER_UNKNOWN` when URL or model are not usable.
        """
        parsed = endpoint(url, model)
        self._url = str(parsed).rstrip("/") + "/chat/completions"
        self._model = model
        self._deadline_s = deadline_s
        self._breaker = Breaker()
        self._camera = camera
        self._frame: str | None = None
        self.planner_id = f"openai:{parsed.host}#{model}"

    def see(self, frame: NDArray[np.uint8]) -> None:
        """Keep the overhead camera's frame, RGB [height, width, 3], for the next question."""
        self._frame = data_url(frame) if self._camera else None

    def plan(self, instruction: str, scene: Scene, history: Sequence[History]) -> Plan | Question | Refusal:
        """Ask, ground, prove; repair once, with the validator's or the verifier's words.

        Raises:
            PlanningError: `LLM_UNAVAILABLE`, `LLM_TIMEOUT`, `LLM_AUTH`, `LLM_BAD_RESPONSE` or `PLAN_INVALID`.
        """
        chats: list[Chat] = []
        try:
            decision = self._decide(instruction, scene, history, chats)
        except TandemError as error:
            raise PlanningError(error, tuple(chats)) from error
        return replace(decision, chats=tuple(chats))

    def _decide(
        self, instruction: str, scene: Scene, history: Sequence[History], chats: list[Chat]
    ) -> Plan | Question | Refusal:
        ends = time.monotonic() + self._deadline_s
        talk = messages(instruction, scene, history, self._frame)
        reply = self._ask(talk, ends, chats)
        decision = _decision(reply, scene, history)
        if isinstance(decision, str):
            talk = [*talk, {"role": "assistant", "content": reply}]
            talk.append({"role": "user", "content": f"That cannot be: {decision}. Write only the JSON."})
            decision = _decision(self._ask(talk, ends, chats), scene, history)
        if isinstance(decision, str):
            raise TandemError(
                "PLAN_INVALID",
                f"the model's plan does not fit the plan language or cannot work: {decision}",
                fix="use a model and server with structured output, or another wording",
            )
        return decision

    def _ask(self, talk: list[dict[str, Any]], ends: float, chats: list[Chat]) -> str:
        """One reply, with retries inside the deadline. Every exchange is added to `chats`."""
        retrying = Retrying(
            stop=lambda state: (
                stop_after_attempt(TRIES)(state) or time.monotonic() + state.upcoming_sleep >= ends
            ),
            wait=_pause_s,
            retry=retry_if_exception_type(TransientError),
            reraise=True,
        )
        self._breaker.admit()
        try:
            reply = str(retrying(self._ask_once, talk, ends, chats))
        except TransientError as transient:
            self._breaker.failed()
            raise transient.error from transient
        except TandemError as error:
            if error.code == "LLM_TIMEOUT":
                self._breaker.failed()
            raise
        self._breaker.succeeded()
        return reply

    def _ask_once(self, talk: list[dict[str, Any]], ends: float, chats: list[Chat]) -> str:
        """One reply; one that was cut off is asked for once more with a larger limit, never repaired."""
        for limit in (MAX_TOKENS, MORE_TOKENS):
            reply, finish = self._exchange(talk, ends, chats, limit)
            if finish == "stop" and not _ENDLESS.search(reply):
                return reply
            if finish != "length" or _ENDLESS.search(reply):
                raise bad_response(
                    f"the reply ended with {finish!r}, not by itself", "look at the server's log"
                )
        raise TandemError(
            "PLAN_INVALID",
            f"the reply was cut off at {MORE_TOKENS} tokens",
            fix="ask for a part of it, or use a model that writes plans more briefly",
        )

    def _exchange(
        self, talk: list[dict[str, Any]], ends: float, chats: list[Chat], limit: int
    ) -> tuple[str, str]:
        began = time.monotonic()
        payload = {
            "model": self._model,
            "messages": talk,
            "temperature": 0,
            "seed": 0,
            "max_tokens": limit,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "plan", "schema": schema(), "strict": True},
            },
        }

        def note(reply: str, finish: str) -> None:
            took_s = time.monotonic() - began
            chats.append(Chat("openai", self._model, json.dumps(talk), reply, finish, took_s))

        try:
            reply, finish = _reply_of(post(self._url, payload, api_key(), ends))
        except (ReplyError, TransientError) as problem:
            error = problem.error if isinstance(problem, TransientError) else problem
            if isinstance(error, ReplyError) and error.body:
                note(error.body.decode("utf-8", "replace"), REJECTED)
            raise
        note(reply, finish)
        return reply, finish


def _decision(reply: str, scene: Scene, history: Sequence[History]) -> Plan | Question | Refusal | str:
    """What a reply comes to on the scene; as text, what is wrong with it."""
    try:
        form = LogicalForm.parse(reply)
    except ValidationError as error:
        return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:4])
    found = ground(form, scene, history)
    if isinstance(found, Plan):
        proof = prove(found.graph, scene, found.goal)
        if isinstance(proof, Refutation):
            return proof.reason
    return found


def endpoint(url: str, model: str) -> httpx.URL:
    """The address, checked. Raises `TandemError` (`PLANNER_UNKNOWN`)."""
    try:
        urlsplit(url).port  # noqa: B018 - raises where httpx would only when connecting
        parsed = httpx.URL(url) if url.isascii() and url.isprintable() else httpx.URL("")
    except (httpx.InvalidURL, ValueError):
        parsed = httpx.URL("")
    if parsed.userinfo:
        raise TandemError(
            "PLANNER_UNKNOWN",
            "the planner's address holds a user name or password, which would be recorded",
            fix="leave it out, and set TANDEM_API_KEY",
        )
    if parsed.scheme not in ("http", "https") or not parsed.host or not model or not model.isprintable():
        raise TandemError(
            "PLANNER_UNKNOWN",
            f"openai:{url}#{model} names no endpoint and model",
            fix="write openai:http://HOST:PORT/v1#MODEL",
        )
    return parsed


def api_key() -> str:
    """The key, from the environment only. Raises `TandemError` (`LLM_AUTH`) when it cannot be sent."""
    key = (os.environ.get("TANDEM_API_KEY") or os.environ.get("OPENAI_API_KEY") or "").strip()
    if not (key.isascii() and key.isprintable()):
        raise TandemError(
            "LLM_AUTH",
            "the key holds characters that cannot be sent",
            fix="set TANDEM_API_KEY to the key and nothing else",
        )
    return key


def _pause_s(state: RetryCallState) -> float:
    """Jittered and growing, and no shorter than the endpoint asks for."""
    error = state.outcome.exception() if state.outcome else None
    return max(_jitter(state), error.after_s if isinstance(error, TransientError) else 0.0)


def _reply_of(body: bytes) -> tuple[str, str]:
    """Content and finish reason of the first choice."""
    try:
        choice = json.loads(body)["choices"][0]
        content, finish = choice["message"]["content"], choice["finish_reason"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
        raise bad_response(
            f"the reply is no chat completion ({error!r})", "check what serves this address", body
        ) from error
    if not isinstance(content, str):
        raise bad_response("the reply has no text", "use a model that answers in text", body)
    return content, str(finish)
