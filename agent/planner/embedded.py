"""The embedded planner: a small language model in this process, which can only write sketches."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from tokenizers import Tokenizer
from transformers import DynamicCache, LlamaForCausalLM
from transformers.utils import logging as transformers_logging

from agent.planner.answers import asked_once, latest_words
from agent.planner.beam import MAX_PIECES, likely_sketches
from agent.planner.calibration import threshold_for
from agent.planner.candidates import Proposal
from agent.planner.doubt import doubt
from agent.planner.language_model import END, FOLDER, WORDS_FILE, checksum, prompt
from agent.planner.mentions import Marked, mark, spaced
from agent.planner.prediction_set import Threshold, decide
from agent.planner.protocol import Chat, History, Plan, Question, Refusal
from agent.planner.reading import places_of, read
from agent.planner.settled import settled
from agent.planner.sketch import allowed, spelled
from agent.planner.spelling import Speller
from skills.scene import Scene
from traces.errors import TandemError

# Longer than any instruction it was trained on, and well inside the positions that it knows.
MAX_PROMPT_TOKENS = 150


@dataclass(frozen=True, slots=True)
class Reading:
    """What the model wrote.

    Attributes:
        text: A sketch.
        log_probability: Mean over its free choices.
        least: Probability of the choice it was least sure of.
        probability: Of the whole sketch, under the grammar.
    """

    text: str
    log_probability: float
    least: float
    probability: float = 1.0


class Writer(Protocol):
    """A language model that writes the sketch of a marked instruction, here or on a server."""

    @property
    def name(self) -> str:
        """Which model."""
        ...

    @property
    def model(self) -> str:
        """sha256 of its weights."""
        ...

    @property
    def known(self) -> frozenset[str]:
        """The words that it was trained on."""
        ...

    def write(self, marked: Marked) -> Reading:
        """The likeliest sketch. Raises `TandemError` when the model cannot be reached."""
        ...

    def candidates(self, marked: Marked) -> tuple[Reading, ...]:
        """The likely sketches, likeliest first. Raises as `write`."""
        ...

    def fits(self, marked: Marked) -> bool:
        """Is it short enough to be read?"""
        ...


class EmbeddedPlanner:
    """Plans without a network. Greedy, float32, deterministic."""

    def __init__(
        self, folder: Path = FOLDER, writer: Writer | None = None, threshold: Threshold | None = None
    ) -> None:
        """Load the model; it asks as its calibration says, or below `threshold`.

        Raises:
            TandemError: `WEIGHTS_MISSING`, `WEIGHTS_DAMAGED` or `CALIBRATION_UNREADABLE`.
        """
        self._writer = writer or LocalWriter(folder)
        self._speller = Speller(self._writer.known)
        self.planner_id = f"embedded-{self._writer.name}"
        self.model = self._writer.model
        self.threshold = threshold or threshold_for(self.model)

    def plan(self, instruction: str, scene: Scene, history: Sequence[History]) -> Plan | Question | Refusal:
        """Read the instruction and what a person has said since; doubt the readings; act, ask or refuse.

        Raises:
            TandemError: When a person's other words are not text (`BAD_TEXT`, ...).
        """
        if decided := settled(scene, history):
            return asked_once(decided, history)
        proposals, chats = self.propose(latest_words(instruction, history), scene)
        return asked_once(decide(proposals, scene, history, self.threshold, chats), history)

    def propose(self, words: str, _scene: Scene) -> tuple[Sequence[Proposal], tuple[Chat, ...]]:
        """The readings of some words, likeliest first; this model needs no scene for them."""
        marked = self.marked(words)
        if not self._writer.fits(marked):
            return (Proposal(None, 1.0, "that is too long for me"),), ()
        began = time.monotonic()
        readings = self._writer.candidates(marked)
        wall_s = time.monotonic() - began
        reply = "\n".join(f"{reading.text} {reading.probability:.4f}" for reading in readings)
        chat = Chat("embedded", self.planner_id, prompt(marked.text), reply, "stop", wall_s)
        return tuple(self.proposal(reading, marked) for reading in readings), (chat,)

    def proposal(self, reading: Reading, marked: Marked) -> Proposal:
        """A sketch as a reading of the instruction, with what speaks against it."""
        why = doubt(reading.text, marked, self._writer.known)
        try:
            form = read(reading.text, marked.mentions)
            steps = places_of(reading.text) if form.steps else ()
        except ValueError:
            return Proposal(None, reading.probability, why or "I am not sure what you mean")
        said = tuple(tuple(marked.mentions[k].words for k in sorted(step)) for step in steps)
        return Proposal(form, reading.probability, why, said, reading.log_probability)

    def marked(self, words: str) -> Marked:
        """What the model is given to read: slips put right, mentions set aside, the rest in plain words."""
        parts = [spaced(self._speller.mended(spaced(part))) for part in words.split(" | ")]
        return mark(" | ".join(parts))

    def read(self, words: str) -> Reading:
        """The likeliest sketch of some words; after ` | `, what was said while they were carried out."""
        return self._writer.write(self.marked(words))


def reading_of(text: str, chosen: Sequence[float]) -> Reading:
    """A sketch with the log-probabilities of its free choices."""
    mean = sum(chosen) / max(1, len(chosen))
    return Reading(text, mean, math.exp(min(chosen, default=0.0)), math.exp(sum(chosen)))


class LocalWriter:
    """The model in this process."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer, self._llama, digest, self.known = _load(folder)
        self.name, self.model = digest[:12], digest

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
                output = self._llama(input_ids=torch.tensor([pending]), past_key_values=cache, use_cache=True)
                cache, pending = output.past_key_values, []
                scores = torch.log_softmax(output.logits[0, -1, [self._id(p) for p in options]].float(), 0)
                best = options[int(scores.argmax())]
                chosen.append(float(scores.max()))
            if best == END:
                break
            pieces.append(best)
            pending.append(self._id(best))
        return reading_of("".join(pieces), chosen)

    @torch.inference_mode()
    def candidates(self, marked: Marked) -> tuple[Reading, ...]:
        """The likely sketches under the grammar, likeliest first. What two of them share is read once."""
        start, cache, read = self._encoded(marked), DynamicCache(), list[int]()

        def scores(pieces: Sequence[str], options: Sequence[str]) -> list[float]:
            wanted = [*start, *map(self._id, pieces)]
            shared = next(
                (k for k, (a, b) in enumerate(zip(read, wanted, strict=False)) if a != b), len(read)
            )
            shared = min(shared, len(wanted) - 1)
            if shared < len(read):
                cache.crop(shared - len(read))
            ids = torch.tensor([wanted[shared:]])
            output = self._llama(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
            read[:] = wanted
            logits = output.logits[0, -1]
            return torch.log_softmax(logits[[self._id(p) for p in options]].float(), 0).tolist()

        sorts = [mention.sort for mention in marked.mentions]
        return tuple(reading_of(text, chosen) for text, chosen in likely_sketches(scores, sorts))

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
