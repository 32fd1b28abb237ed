"""Subgoals in plain words, from a data file: many ways to say each, some of them kept for testing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import Literal

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict

from sim.demos.tasks import STACKABLE, Kind, Task
from vla_low_level.nouns import Category, Colour, Place, Side, Switch
from vla_low_level.telling_apart import Thing, qualifier

Split = Literal["train", "held_out"]
SUBGOALS = Path(__file__).parent / "subgoals.yaml"
# Of the held-out wordings so many have a held-out noun in a trained sentence.
HELD_OUT_NOUNS = 0.3
# How often a trained wording is just the planner's.
PLAINLY = 0.2


class Wordings(BaseModel):
    """Ways to say one thing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: tuple[str, ...]
    held_out: tuple[str, ...]

    def of(self, split: Split) -> tuple[str, ...]:
        """The trained ones, or the others."""
        return self.train if split == "train" else self.held_out


class Phrasebook(BaseModel):
    """The whole data file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    objects: Mapping[Category, Wordings]
    places: Mapping[Place, Wordings]
    templates: Mapping[Kind, Wordings]


@cache
def phrasebook() -> Phrasebook:
    """The shipped one."""
    return Phrasebook.model_validate(yaml.safe_load(SUBGOALS.read_text(encoding="utf-8")))


def plain(task: Task, objects: Sequence[Thing]) -> str:
    """How the planner says a task. Raises LookupError when words cannot tell its object apart."""
    first = {name: words[0] for name, words in _slots(task, objects, "train").items()}
    return phrasebook().templates[task.kind].train[0].format(**first)


def means(said: str, task: Task, objects: Sequence[Thing]) -> bool:
    """Whether this is a trained way to say a task, in any case. Raises LookupError as `plain` does."""
    slots, words = _slots(task, objects, "train"), said.lower()
    return any(
        words == sentence.format(**dict(zip(slots, values, strict=True))).lower()
        for sentence in phrasebook().templates[task.kind].train
        if _with_gaps(sentence).fullmatch(words)
        for values in product(*slots.values())
    )


@cache
def _with_gaps(sentence: str) -> re.Pattern[str]:
    """Anything may stand in the gaps: most sentences need not be filled in to see that they are others."""
    return re.compile(".+".join(re.escape(part) for part in re.split(r"{\w+}", sentence.lower())))


def wording(task: Task, objects: Sequence[Thing], rng: np.random.Generator, split: Split = "train") -> str:
    """One way to say a task, drawn: the planner's, or every sentence and noun as often as the next.

    A held-out wording has a held-out sentence around trained nouns, or a held-out noun in a trained one.
    """
    if split == "train" and rng.random() < PLAINLY:
        return plain(task, objects)
    sentences = phrasebook().templates[task.kind]
    if split == "held_out" and rng.random() < HELD_OUT_NOUNS:
        return _drawn(sentences.train[:2], _slots(task, objects, "held_out"), rng)
    return _drawn(sentences.of(split), _slots(task, objects, "train"), rng)


def _drawn(sentences: Sequence[str], slots: Mapping[str, Sequence[str]], rng: np.random.Generator) -> str:
    values = {name: str(rng.choice(words)) for name, words in slots.items()}
    return str(rng.choice(sentences)).format(**values)


def _slots(task: Task, objects: Sequence[Thing], split: Split) -> dict[str, list[str]]:
    """What fills the gaps: trained words, or the held-out ones."""
    book, slots = phrasebook(), {}
    held = task.object if task.kind in (Kind.PLACE_IN, Kind.PLACE_ON) else None
    for name, item_id in (("object", task.object), ("base", task.base)):
        if item_id is not None:
            item = next(o for o in objects if o.id == item_id)
            # What is in the hand needs no telling apart, and is no twin of what lies on the table.
            where = "" if item_id == held else qualifier(item, [o for o in objects if o.id != held])
            slots[name] = [
                f"{item.colour.value} {noun}{where}" for noun in book.objects[item.category].of(split)
            ]
    if task.place is not None:
        slots["place"] = list(book.places[task.place].of(split))
    if task.side is not None:
        slots["side"] = [task.side.value]
    if task.switch is not None:
        slots["switch"] = [task.switch.value]
    return slots


def some_sentences(count: int, rng: np.random.Generator, split: Split = "train") -> list[str]:
    """Subgoals that can be said of some scene, every kind in turn; without qualifiers."""
    book, kinds = phrasebook(), list(Kind)
    nouns = {
        k: [f"{c.value} {noun}" for noun in words.train for c in Colour] for k, words in book.objects.items()
    }
    gaps = {
        "object": [noun for of_kind in nouns.values() for noun in of_kind],
        "base": [noun for _, base in STACKABLE for noun in nouns[base]],
        "place": [noun for words in book.places.values() for noun in words.train],
        "side": [side.value for side in Side],
        "switch": [switch.value for switch in Switch],
    }
    return [_drawn(book.templates[kinds[k % len(kinds)]].of(split), gaps, rng) for k in range(count)]
