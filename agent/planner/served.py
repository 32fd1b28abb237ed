"""The embedded planner's own model, served by vLLM: the same reading, doubt and grounding around it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from agent.planner.beam import FLOOR, MAX_PIECES
from agent.planner.embedded import Reading, reading_of
from agent.planner.language_model import FOLDER, WORDS_FILE, checksum, prompt
from agent.planner.mentions import Marked
from agent.planner.openai import DEADLINE_S, api_key, endpoint
from agent.planner.replies import SAMPLES
from agent.planner.sketch import regular_expression, unspelled
from agent.planner.transport import MAX_BYTES, TransientError, bad_response, post

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
        self.model = checksum(folder)
        self.known = frozenset(json.loads((folder / WORDS_FILE).read_text(encoding="utf-8")))

    def fits(self, marked: Marked) -> bool:
        """Is it short enough to be read?"""
        return len(marked.text) <= MAX_CHARACTERS

    def write(self, marked: Marked) -> Reading:
        """The likeliest sketch.

        Raises:
            TandemError: `LLM_UNAVAILABLE`, `LLM_TIMEOUT`, `LLM_AUTH` or `LLM_BAD_RESPONSE`.
        """
        return self._completed(marked, {"temperature": 0})[0]

    def candidates(self, marked: Marked) -> tuple[Reading, ...]:
        """The likeliest sketch, and unless it leaves them nothing others by chance. Raises as `write`."""
        best = self.write(marked)
        drawn = []
        if 1.0 - best.probability >= FLOOR:
            drawn = self._completed(marked, {"temperature": 1, "seed": 0, "n": SAMPLES})
        found = {reading.text: reading for reading in (*drawn, best)}
        return tuple(sorted(found.values(), key=lambda reading: -reading.probability))

    def _completed(self, marked: Marked, drawn: dict[str, int]) -> list[Reading]:
        payload = {
            "model": self._model,
            "prompt": prompt(marked.text),
            **drawn,
            "max_tokens": MAX_PIECES,
            "logprobs": 1,
            "add_special_tokens": False,
            "structured_outputs": {"regex": regular_expression([m.sort for m in marked.mentions])},
        }
        ends = time.monotonic() + self._deadline_s
        try:
            body = post(self._url, payload, api_key(), ends, MAX_BYTES * drawn.get("n", 1))
        except TransientError as transient:
            raise transient.error from transient
        return _readings(body)


def _readings(body: bytes) -> list[Reading]:
    """What ended by itself. Raises `TandemError` (`LLM_BAD_RESPONSE`) when nothing did."""
    try:
        choices: list[dict[str, Any]] = json.loads(body)["choices"][:SAMPLES]
        finishes = [choice["finish_reason"] for choice in choices]
        ended = [choice for choice in choices if choice["finish_reason"] == "stop"]
        readings = [
            reading_of(
                unspelled("".join(str(choice["text"]).split())),
                [min(0.0, float(p)) for p in choice["logprobs"]["token_logprobs"] if p is not None],
            )
            for choice in ended
        ]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
        raise bad_response(
            f"the reply is no completion ({error!r})", "check what serves this address"
        ) from error
    if not readings:
        raise bad_response(f"the reply ended with {finishes!r}, not by itself", "look at the server's log")
    return readings
