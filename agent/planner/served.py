"""The embedded planner's own model, served by vLLM: the same reading, doubt and grounding around it."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

from agent.planner.embedded import MAX_PIECES, Reading
from agent.planner.language_model import FOLDER, WORDS_FILE, prompt
from agent.planner.mentions import Marked
from agent.planner.openai import DEADLINE_S, api_key, endpoint
from agent.planner.sketch import regular_expression, unspelled
from agent.planner.transport import TransientError, bad_response, post

# Characters, far below what the model's positions hold.
MAX_CHARACTERS = 600


class ServedWriter:
    """Writes sketches through `/completions`, constrained by a regular expression."""

    def __init__(
        self, url: str, model: str, *, folder: Path = FOLDER, deadline_s: float = DEADLINE_S
    ) -> None:
        """Name an endpoint's base URL (with `/v1`) and a model; `folder` is the one that it serves.

        Raises:
            TandemError: `PLANNER_UNKNOWN` when URL or model are not usable.
        """
        parsed = endpoint(url, model)
        self._url = str(parsed).rstrip("/") + "/completions"
        self._model, self._deadline_s = model, deadline_s
        self.name = f"{parsed.host}#{model}"
        self.known = frozenset(json.loads((folder / WORDS_FILE).read_text(encoding="utf-8")))

    def fits(self, marked: Marked) -> bool:
        """Is it short enough to be read?"""
        return len(marked.text) <= MAX_CHARACTERS

    def write(self, marked: Marked) -> Reading:
        """The likeliest sketch.

        Raises:
            TandemError: `LLM_UNAVAILABLE`, `LLM_TIMEOUT`, `LLM_AUTH` or `LLM_BAD_RESPONSE`.
        """
        payload = {
            "model": self._model,
            "prompt": prompt(marked.text),
            "temperature": 0,
            "max_tokens": MAX_PIECES,
            "logprobs": 1,
            "add_special_tokens": False,
            "structured_outputs": {"regex": regular_expression([m.sort for m in marked.mentions])},
        }
        try:
            body = post(self._url, payload, api_key(), time.monotonic() + self._deadline_s)
        except TransientError as transient:
            raise transient.error from transient
        return _reading(body)


def _reading(body: bytes) -> Reading:
    try:
        choice: dict[str, Any] = json.loads(body)["choices"][0]
        text, finish = str(choice["text"]), choice["finish_reason"]
        told = [float(p) for p in choice["logprobs"]["token_logprobs"] if p is not None]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
        raise bad_response(
            f"the reply is no completion ({error!r})", "check what serves this address"
        ) from error
    if finish != "stop":
        raise bad_response(f"the reply ended with {finish!r}, not by itself", "look at the server's log")
    return Reading(
        unspelled("".join(text.split())), sum(told) / max(1, len(told)), math.exp(min(told, default=0.0))
    )
