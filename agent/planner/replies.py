"""What an endpoint says, with how likely it says it: by its log-probabilities, or by how often it says so."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from agent.planner.candidates import Proposal
from agent.planner.logical_form import LogicalForm
from agent.planner.protocol import Chat
from agent.planner.transport import bad_response

# KnowNo's least number of samples where there are no log-probabilities.
SAMPLES = 10
_NO_PLAN = "I am not sure what you mean"


@dataclass(frozen=True, slots=True)
class Reply:
    """One choice of a completion.

    Attributes:
        text: Its content.
        finish: Why it ended.
        log_probability: Of the whole text; None where the endpoint does not say.
        tokens: How many it has; 0 where the endpoint does not say.
    """

    text: str
    finish: str
    log_probability: float | None = None
    tokens: int = 0


def replies_of(body: bytes) -> list[Reply]:
    """The choices of a chat completion. Raises `TandemError` (`LLM_BAD_RESPONSE`) when it is none."""
    try:
        replies = [_reply(choice) for choice in json.loads(body)["choices"][:SAMPLES]]
        if not replies:
            raise ValueError("no choice")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise bad_response(
            f"the reply is no chat completion ({error!r})", "check what serves this address", body
        ) from error
    if not all(isinstance(reply.text, str) for reply in replies):
        raise bad_response("the reply has no text", "use a model that answers in text", body)
    return replies


def _reply(choice: dict[str, Any]) -> Reply:
    content = (choice.get("logprobs") or {}).get("content") or []
    told = [token["logprob"] for token in content]
    # What is no logarithm of a probability is no information; rounding may leave it a little above 0.
    known = bool(told) and all(isinstance(value, int | float) and value <= 1e-3 for value in told)
    total = min(0.0, sum(told)) if known else None
    return Reply(choice["message"]["content"], str(choice["finish_reason"]), total, len(told))


def chats_of(
    model: str, talk: list[dict[str, Any]], drawn: dict[str, int], replies: Sequence[Reply], wall_s: float
) -> list[Chat]:
    """The exchange for the trace: a chat for each choice, by number where they were drawn by chance."""
    chats = []
    for number, reply in enumerate(replies):
        request = asked_for(talk, drawn, number)
        chats.append(Chat("openai", model, request, reply.text, reply.finish, wall_s, reply.log_probability))
    return chats


def asked_for(talk: object, drawn: dict[str, Any], number: int) -> str:
    """What names a choice: the messages, and for one that was drawn by chance its seed and number."""
    if not drawn.get("temperature"):
        return json.dumps(talk)
    return json.dumps({"messages": talk, "seed": drawn.get("seed"), "choice": number})


def proposals_of(first: Reply, samples: Sequence[Reply]) -> tuple[Proposal, ...]:
    """Readings with their probabilities: those of the texts where they are known, else their frequencies."""
    ended = [reply for reply in samples if reply.finish == "stop"]
    told = {reply.text: reply for reply in (*ended, first)}
    if all(reply.log_probability is not None for reply in told.values()):
        shares = {text: math.exp(reply.log_probability or 0.0) for text, reply in told.items()}
    else:
        count = Counter(reply.text for reply in ended)
        shares = {text: number / max(SAMPLES, len(samples)) for text, number in count.items()}
    return tuple(_proposal(told[text], share) for text, share in shares.items())


def _proposal(reply: Reply, share: float) -> Proposal:
    try:
        form = LogicalForm.parse(reply.text)
    except ValidationError:
        return Proposal(None, share, _NO_PLAN)
    mean = (reply.log_probability or 0.0) / max(1, reply.tokens)
    return Proposal(form, share, log_probability=mean)
