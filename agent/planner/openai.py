"""Any OpenAI-compatible endpoint as a planner: vLLM, Ollama, a cloud.

Everything from the endpoint is untrusted: `transport.py` bounds how long and how much it may talk, and a
reply counts only when it ended by itself and fits the schema.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import time
from collections.abc import Sequence
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

from agent.planner.answers import asked_once
from agent.planner.breaker import Breaker
from agent.planner.calibration import threshold_for
from agent.planner.candidates import Proposal
from agent.planner.grounder import ground
from agent.planner.logical_form import LogicalForm, schema
from agent.planner.prediction_set import Threshold, decide
from agent.planner.prompts import data_url, messages
from agent.planner.protocol import REJECTED, Chat, History, Plan, PlanningError, Question, Refusal
from agent.planner.replies import SAMPLES, Reply, asked_for, chats_of, proposals_of, replies_of
from agent.planner.settled import settled
from agent.planner.transport import MAX_BYTES, ReplyError, TransientError, bad_response, post
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

    def __init__(
        self,
        url: str,
        model: str,
        *,
        deadline_s: float = DEADLINE_S,
        camera: bool = False,
        threshold: Threshold | None = None,
    ) -> None:
        """Name an endpoint's base URL (with `/v1`) and a model; it asks as its calibration says.

        With `camera` it takes images, and frames are sent along.

        The key, if one is needed, is read from `TANDEM_API_KEY` or `OPENAI_API_KEY`.

        Raises:
            TandemError: `PLANNER_UNKNOWN` when URL or model are not usable, `CALIBRATION_UNREADABLE`.
        """
        parsed = endpoint(url, model)
        self._url = str(parsed).rstrip("/") + "/chat/completions"
        self._model = model
        self._deadline_s = deadline_s
        self._breaker = Breaker()
        self._camera = camera
        self._frame: str | None = None
        self._refused: set[str] = set()
        self.planner_id = f"openai:{parsed.host}#{model}"
        # Wherever it is served: a replay asks a recording of it on this machine.
        self.model = f"openai#{model}"
        self.threshold = threshold or threshold_for(self.model)

    def see(self, frame: NDArray[np.uint8]) -> None:
        """Keep the overhead camera's frame, RGB [height, width, 3], for the next question."""
        self._frame = data_url(frame) if self._camera else None

    def plan(self, instruction: str, scene: Scene, history: Sequence[History]) -> Plan | Question | Refusal:
        """Ask, and where the answer is not sure draw others; ground, prove; act, ask or refuse.

        Raises:
            PlanningError: `LLM_UNAVAILABLE`, `LLM_TIMEOUT`, `LLM_AUTH`, `LLM_BAD_RESPONSE` or `PLAN_INVALID`.
        """
        if decided := settled(scene, history):
            return asked_once(decided, history)
        chats: list[Chat] = []
        try:
            proposals = self._proposals(instruction, scene, history, chats)
        except TandemError as error:
            raise PlanningError(error, tuple(chats)) from error
        return asked_once(decide(proposals, scene, history, self.threshold, tuple(chats)), history)

    def propose(self, words: str, scene: Scene) -> tuple[Sequence[Proposal], tuple[Chat, ...]]:
        """The readings of some words, with their probabilities. Raises `TandemError` as `plan`."""
        chats: list[Chat] = []
        return self._proposals(words, scene, (), chats), tuple(chats)

    def _proposals(
        self, instruction: str, scene: Scene, history: Sequence[History], chats: list[Chat]
    ) -> Sequence[Proposal]:
        """Repair what cannot be once, with the validator's or the verifier's words; draw more if need be."""
        ends = time.monotonic() + self._deadline_s
        talk = messages(instruction, scene, history, self._frame)
        first = self._ask(talk, ends, chats)
        trouble = _trouble(first.text, scene, history)
        if trouble:
            talk = [*talk, {"role": "assistant", "content": first.text}]
            talk.append({"role": "user", "content": f"That cannot be: {trouble}. Write only the JSON."})
            first = self._ask(talk, ends, chats)
            trouble = _trouble(first.text, scene, history)
        if trouble:
            raise TandemError(
                "PLAN_INVALID",
                f"the model's plan does not fit the plan language or cannot work: {trouble}",
                fix="use a model and server with structured output, or another wording",
            )
        samples = [] if self._alone(first) else self._samples(talk, ends, chats)
        return proposals_of(first, samples)

    def _alone(self, first: Reply) -> bool:
        """Is it in the set, and so likely that nothing else can be?"""
        if first.log_probability is None:
            return False
        known = math.exp(first.log_probability)
        return known >= self.threshold.value > 1.0 - known

    def _samples(self, talk: list[dict[str, Any]], ends: float, chats: list[Chat]) -> list[Reply]:
        """`SAMPLES` replies by chance, however few the endpoint gives at a time.

        Fewer where it fails or time is up; those that are missing count as something else, so it asks.
        """
        found: list[Reply] = []
        for number in range(SAMPLES):
            wanted = SAMPLES - len(found) if "n" not in self._refused else 1
            drawn = {"temperature": 1, "seed": number, "n": wanted}
            with contextlib.suppress(TransientError, TandemError):
                found += self._exchange(talk, ends, chats, MORE_TOKENS, drawn)
            if len(found) >= SAMPLES or time.monotonic() >= ends:
                break
        return found

    def _ask(self, talk: list[dict[str, Any]], ends: float, chats: list[Chat]) -> Reply:
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
            reply: Reply = retrying(self._ask_once, talk, ends, chats)
        except TransientError as transient:
            self._breaker.failed()
            raise transient.error from transient
        except TandemError as error:
            if error.code == "LLM_TIMEOUT":
                self._breaker.failed()
            raise
        self._breaker.succeeded()
        return reply

    def _ask_once(self, talk: list[dict[str, Any]], ends: float, chats: list[Chat]) -> Reply:
        """One reply; one that was cut off is asked for once more with a larger limit, never repaired."""
        for limit in (MAX_TOKENS, MORE_TOKENS):
            reply = self._exchange(talk, ends, chats, limit, {"temperature": 0, "seed": 0})[0]
            if reply.finish == "stop" and not _ENDLESS.search(reply.text):
                return reply
            if reply.finish != "length" or _ENDLESS.search(reply.text):
                raise bad_response(
                    f"the reply ended with {reply.finish!r}, not by itself", "look at the server's log"
                )
        raise TandemError(
            "PLAN_INVALID",
            f"the reply was cut off at {MORE_TOKENS} tokens",
            fix="ask for a part of it, or use a model that writes plans more briefly",
        )

    def _exchange(
        self, talk: list[dict[str, Any]], ends: float, chats: list[Chat], limit: int, drawn: dict[str, int]
    ) -> list[Reply]:
        """One request. What a server says that it does not know (`logprobs`, `n`) is not sent again."""
        began = time.monotonic()
        payload = {
            "model": self._model,
            "messages": talk,
            **drawn,
            "max_tokens": limit,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "plan", "schema": schema(), "strict": True},
            },
        }
        if "logprobs" not in self._refused:
            payload["logprobs"] = True
        many = drawn.get("n", 1)
        try:
            replies = replies_of(post(self._url, payload, api_key(), ends, MAX_BYTES * many))
        except (TandemError, TransientError) as problem:
            error = problem.error if isinstance(problem, TransientError) else problem
            if unknown := _unknown_option(error, payload):
                self._refused.add(unknown)
                return self._exchange(talk, ends, chats, limit, drawn | ({"n": 1} if unknown == "n" else {}))
            if isinstance(error, ReplyError) and error.body:
                came, wall_s = error.body.decode("utf-8", "replace"), time.monotonic() - began
                chats.append(Chat("openai", self._model, asked_for(talk, drawn, 0), came, REJECTED, wall_s))
            raise
        chats += chats_of(self._model, talk, drawn, replies, time.monotonic() - began)
        return replies


def _unknown_option(error: TandemError, payload: dict[str, Any]) -> str:
    """The option that an endpoint refuses, if it says so."""
    if error.code != "LLM_BAD_RESPONSE" or "HTTP 4" not in error.message:
        return ""
    if "logprobs" in payload and "logprobs" in error.message:
        return "logprobs"
    return "n" if payload.get("n", 1) != 1 else ""


def _trouble(reply: str, scene: Scene, history: Sequence[History]) -> str:
    """What is wrong with a reply; empty for nothing."""
    try:
        form = LogicalForm.parse(reply)
    except ValidationError as error:
        return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:4])
    found = ground(form, scene, history)
    proof = prove(found.graph, scene, found.goal) if isinstance(found, Plan) else None
    return proof.reason if isinstance(proof, Refutation) else ""


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
