"""The embedded planner: a small language model in this process, which can only write logical forms."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM
from transformers.utils import logging as transformers_logging

from agent.planner.doubt import doubt
from agent.planner.grounder import ground
from agent.planner.instruction import clean_instruction
from agent.planner.language_model import (
    BETWEEN,
    CLOSE,
    END,
    FIELDS,
    FOLDER,
    NEXT,
    OPEN,
    checksum,
    prompt,
)
from agent.planner.logical_form import MAX_GOALS, LogicalForm
from agent.planner.protocol import Answer, Chat, History, Plan, Question, Refusal
from skills.scene import Scene
from traces.errors import TandemError

# Chosen on validation examples: below it, more than half of the forms are wrong.
MIN_CHOICE_PROBABILITY = 0.55
# Longer than any instruction it was trained on, and well inside the positions that it knows.
MAX_PROMPT_TOKENS = 200
OTHER_WORDS = "Please say it in other words."


@dataclass(frozen=True, slots=True)
class Reading:
    """What the model wrote.

    Attributes:
        text: A logical form, as JSON.
        log_probability: Mean over its free choices.
        least: Probability of the choice it was least sure of.
    """

    text: str
    log_probability: float
    least: float


class EmbeddedPlanner:
    """Plans without a network. Greedy, float32, deterministic."""

    def __init__(self, folder: Path = FOLDER) -> None:
        """Load the model. Raises `TandemError` (`WEIGHTS_MISSING`, `WEIGHTS_DAMAGED`)."""
        self._tokenizer, self._model, digest = _load(folder)
        self.planner_id = f"embedded-{digest[:12]}"

    def plan(self, instruction: str, scene: Scene, history: Sequence[History]) -> Plan | Question | Refusal:
        """Read the instruction, or what a person has said instead of it; doubt the reading; ground it.

        Raises:
            TandemError: When a person's other words are not text (`BAD_TEXT`, ...).
        """
        began = time.monotonic()
        words = latest_words(instruction, history)
        text = prompt(words)
        if len(self._tokenizer.encode(text, add_special_tokens=False).ids) > MAX_PROMPT_TOKENS:
            return Question(f"That is too long for me. {OTHER_WORDS}", (), "NOT_UNDERSTOOD")
        reading = self.read(words)
        form = LogicalForm.parse(reading.text)
        chat = Chat("embedded", self.planner_id, text, reading.text, "stop", time.monotonic() - began)
        why = doubt(form, words)
        if why or reading.least < MIN_CHOICE_PROBABILITY:
            why = why or "I am not sure what you mean"
            return Question(f"{why[:1].upper()}{why[1:]}. {OTHER_WORDS}", (), "NOT_UNDERSTOOD", chats=(chat,))
        result = ground(form, scene, history)
        if isinstance(result, Plan):
            return Plan(result.graph, result.goal, form, reading.log_probability, (chat,))
        if isinstance(result, Question):
            return Question(result.text, result.options, result.code, result.objects, (chat,))
        return Refusal(result.code, result.message, result.fix, (chat,))

    @torch.inference_mode()
    def read(self, instruction: str) -> Reading:
        """The likeliest logical form: what the grammar forces is appended, what it leaves open is chosen."""
        writer = _Writer(self._model, self._tokenizer, prompt(instruction))
        writer.force(OPEN)
        for _ in range(MAX_GOALS):
            for name, between in zip(FIELDS, (*BETWEEN, ""), strict=True):
                writer.choose(FIELDS[name])
                if between:
                    writer.force(between)
            if writer.choose((NEXT, CLOSE) if writer.goals < MAX_GOALS else (CLOSE,)) == CLOSE:
                break
        return writer.reading()


def latest_words(instruction: str, history: Sequence[History]) -> str:
    """The instruction, or what a person has answered since when asked for other words."""
    said = [h.answer for h in history if isinstance(h, Answer) and h.question.code == "NOT_UNDERSTOOD"]
    return clean_instruction(said[-1]) if said else instruction


class _Writer:
    """Decoding under the grammar: one token per piece, so a choice is one softmax over a few tokens."""

    def __init__(self, model: LlamaForCausalLM, tokenizer: Tokenizer, text: str) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._pending = tokenizer.encode(text, add_special_tokens=False).ids
        self._cache = None
        self._pieces: list[str] = []
        self._chosen: list[float] = []
        self.goals = 1

    def force(self, piece: str) -> None:
        """Append what the grammar leaves no choice about; it costs no forward pass of its own."""
        self._pieces.append(piece)
        self._pending.append(self._id(piece))

    def choose(self, pieces: Sequence[str]) -> str:
        """Append the likeliest of some pieces."""
        output = self._model(
            input_ids=torch.tensor([self._pending]), past_key_values=self._cache, use_cache=True
        )
        self._cache = output.past_key_values
        scores = torch.log_softmax(output.logits[0, -1, [self._id(p) for p in pieces]], 0)
        best = int(scores.argmax())
        self._chosen.append(float(scores[best]))
        self._pieces.append(pieces[best])
        self._pending = [self._id(pieces[best])]
        self.goals += pieces[best] == NEXT
        return pieces[best]

    def reading(self) -> Reading:
        """What has been written."""
        mean = sum(self._chosen) / len(self._chosen)
        return Reading("".join(self._pieces), mean, math.exp(min(self._chosen)))

    def _id(self, piece: str) -> int:
        found = self._tokenizer.token_to_id(piece)
        if found is None:
            raise TandemError("WEIGHTS_DAMAGED", f"the planner's tokenizer lacks {piece!r}")
        return int(found)


def _load(folder: Path) -> tuple[Tokenizer, LlamaForCausalLM, str]:
    try:
        expected = json.loads((folder / "checksum.json").read_text())["sha256"]
        digest = checksum(folder)
    except FileNotFoundError as error:
        raise TandemError(
            "WEIGHTS_MISSING",
            f"{error.filename} is missing",
            fix="reinstall the package, or train the planner",
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, str(error)) from error
    if digest != expected:
        raise _damaged(folder, "its files are not the ones in checksum.json")
    # A person waiting for a robot does not want a progress bar of its weights.
    transformers_logging.disable_progress_bar()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    if tokenizer.token_to_id(END) is None:
        raise _damaged(folder, "its tokenizer lacks the end token")
    return tokenizer, model.eval(), digest


def _damaged(folder: Path, why: str) -> TandemError:
    return TandemError(
        "WEIGHTS_DAMAGED", f"{folder}: {why}", fix="reinstall the package, or train the planner"
    )
