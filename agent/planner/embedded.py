"""The embedded planner: a small language model in this process, which can only write sketches."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM
from transformers.utils import logging as transformers_logging

from agent.planner.doubt import doubt
from agent.planner.grounder import ground
from agent.planner.instruction import clean_instruction
from agent.planner.language_model import END, FOLDER, WORDS_FILE, checksum, prompt
from agent.planner.mentions import Marked, mark, spaced
from agent.planner.protocol import Answer, Chat, Correction, History, Plan, Question, Refusal
from agent.planner.reading import places_of, read
from agent.planner.sketch import allowed, spelled
from agent.planner.spelling import Speller
from skills.scene import Scene
from traces.errors import TandemError

# Chosen on validation examples: below it, more than half of the sketches are wrong.
MIN_CHOICE_PROBABILITY = 0.6
# Longer than any instruction it was trained on, and well inside the positions that it knows.
MAX_PROMPT_TOKENS = 150
MAX_PIECES = 96
OTHER_WORDS = "Please say it in other words."


@dataclass(frozen=True, slots=True)
class Reading:
    """What the model wrote.

    Attributes:
        text: A sketch.
        log_probability: Mean over its free choices.
        least: Probability of the choice it was least sure of.
    """

    text: str
    log_probability: float
    least: float


class Writer(Protocol):
    """A language model that writes the sketch of a marked instruction, here or on a server."""

    @property
    def name(self) -> str:
        """Which model."""
        ...

    @property
    def known(self) -> frozenset[str]:
        """The words that it was trained on."""
        ...

    def write(self, marked: Marked) -> Reading:
        """The likeliest sketch. Raises `TandemError` when the model cannot be reached."""
        ...

    def fits(self, marked: Marked) -> bool:
        """Is it short enough to be read?"""
        ...


class EmbeddedPlanner:
    """Plans without a network. Greedy, float32, deterministic."""

    def __init__(self, folder: Path = FOLDER, writer: Writer | None = None) -> None:
        """Load the model. Raises `TandemError` (`WEIGHTS_MISSING`, `WEIGHTS_DAMAGED`)."""
        self._writer = writer or LocalWriter(folder)
        self._speller = Speller(self._writer.known)
        self.planner_id = f"embedded-{self._writer.name}"

    def plan(self, instruction: str, scene: Scene, history: Sequence[History]) -> Plan | Question | Refusal:
        """Read the instruction and what a person has said since; doubt the reading; ground it.

        Raises:
            TandemError: When a person's other words are not text (`BAD_TEXT`, ...).
        """
        began = time.monotonic()
        marked = self.marked(latest_words(instruction, history))
        if not self._writer.fits(marked):
            return Question(f"That is too long for me. {OTHER_WORDS}", (), "NOT_UNDERSTOOD")
        reading = self._writer.write(marked)
        wall_s = time.monotonic() - began
        chat = Chat("embedded", self.planner_id, prompt(marked.text), reading.text, "stop", wall_s)
        why = self.doubt(reading, marked)
        if why:
            return Question(f"{why[:1].upper()}{why[1:]}. {OTHER_WORDS}", (), "NOT_UNDERSTOOD", chats=(chat,))
        result = ground(read(reading.text, marked.mentions), scene, history)
        if isinstance(result, Plan):
            said = tuple(
                tuple(marked.mentions[k].words for k in sorted(step)) for step in places_of(reading.text)
            )
            return replace(result, said=said, log_probability=reading.log_probability, chats=(chat,))
        return replace(result, chats=(chat,))

    def marked(self, words: str) -> Marked:
        """What the model is given to read: slips put right, mentions set aside, the rest in plain words."""
        parts = [spaced(self._speller.mended(spaced(part))) for part in words.split(" | ")]
        return mark(" | ".join(parts))

    def read(self, words: str) -> Reading:
        """The likeliest sketch of some words; after ` | `, what was said while they were carried out."""
        return self._writer.write(self.marked(words))

    def doubt(self, reading: Reading, marked: Marked) -> str:
        """Why a reading should not be acted on; empty when it may be."""
        why = doubt(reading.text, marked, self._writer.known)
        if not why and reading.least < MIN_CHOICE_PROBABILITY:
            return "I am not sure what you mean"
        if not why:
            try:
                read(reading.text, marked.mentions)
            except ValueError:
                return "I am not sure what you mean"
        return why


def latest_words(instruction: str, history: Sequence[History]) -> str:
    """The instruction, or what was answered when asked for other words; then what a person has corrected."""
    for item in history:
        if isinstance(item, Answer) and item.question.code == "NOT_UNDERSTOOD":
            instruction = clean_instruction(item.answer)
        elif isinstance(item, Correction):
            instruction = f"{instruction.split(' | ')[0]} | {clean_instruction(item.text)}"
    return instruction


class LocalWriter:
    """The model in this process."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer, self._model, digest, self.known = _load(folder)
        self.name = digest[:12]

    def fits(self, marked: Marked) -> bool:
        """Is it short enough to be read?"""
        return len(self._encoded(marked)) <= MAX_PROMPT_TOKENS

    @torch.inference_mode()
    def write(self, marked: Marked) -> Reading:
        """Decoding under the grammar: a piece is a token; where only one may follow, none is asked for."""
        sorts = [mention.sort for mention in marked.mentions]
        pending, cache = self._encoded(marked), None
        pieces: list[str] = []
        chosen: list[float] = []
        while len(pieces) < MAX_PIECES:
            options = allowed(pieces, sorts)
            if len(options) == 1:
                best = options[0]
            else:
                output = self._model(input_ids=torch.tensor([pending]), past_key_values=cache, use_cache=True)
                cache, pending = output.past_key_values, []
                scores = torch.log_softmax(output.logits[0, -1, [self._id(p) for p in options]].float(), 0)
                best = options[int(scores.argmax())]
                chosen.append(float(scores.max()))
            if best == END:
                break
            pieces.append(best)
            pending.append(self._id(best))
        mean = sum(chosen) / max(1, len(chosen))
        return Reading("".join(pieces), mean, math.exp(min(chosen, default=0.0)))

    def _encoded(self, marked: Marked) -> list[int]:
        return list(self._tokenizer.encode(prompt(marked.text), add_special_tokens=False).ids)

    def _id(self, piece: str) -> int:
        found = self._tokenizer.token_to_id(spelled(piece))
        if found is None:
            raise TandemError("WEIGHTS_DAMAGED", f"the planner's tokenizer lacks {piece!r}")
        return int(found)


def _load(folder: Path) -> tuple[Tokenizer, LlamaForCausalLM, str, frozenset[str]]:
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
    words = json.loads((folder / WORDS_FILE).read_text(encoding="utf-8"))
    return tokenizer, model.eval(), digest, frozenset(words)


def _damaged(folder: Path, why: str) -> TandemError:
    return TandemError(
        "WEIGHTS_DAMAGED", f"{folder}: {why}", fix="reinstall the package, or train the planner"
    )
