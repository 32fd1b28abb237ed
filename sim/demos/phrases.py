"""Subgoals in plain words, from a data file: many ways to say each, some of them kept for testing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

from sim.demos.tasks import Kind, Task
from vla_low_level.nouns import Category, Colour, Place, Side, Switch
from vla_low_level.telling_apart import Thing, qualifier

Split = Literal["train", "held_out"]
SUBGOALS = Path(__file__).parent / "subgoals.yaml"


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


def wordings(task: Task, objects: Sequence[Thing], split: Split = "train") -> list[str]:
    """Every way to say a task; the first is how the planner says it.

    A held-out wording has a held-out sentence around trained nouns, or a held-out noun in it.
    """
    book = phrasebook()
    sentences = book.templates[task.kind]
    slots = _slots(task, objects, "train")
    if split == "train":
        return _filled(sentences.train, slots)
    return _filled(sentences.held_out, slots) + _filled(
        sentences.train[:2], _slots(task, objects, "held_out")
    )


def _filled(sentences: Sequence[str], slots: Mapping[str, Sequence[str]]) -> list[str]:
    return [
        sentence.format(**dict(zip(slots, values, strict=True)))
        for sentence in sentences
        for values in product(*slots.values())
    ]


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


def every_sentence(split: Split) -> list[str]:
    """All subgoals that can be said of any scene, for the text statistics; without qualifiers."""
    book, found = phrasebook(), []
    nouns = [f"{c.value} {n}" for k in Category for n in book.objects[k].of("train") for c in Colour]
    for kind in Kind:
        for sentence in book.templates[kind].of(split):
            gaps = {
                "object": nouns if "{object}" in sentence else [""],
                "base": [n for n in nouns if "plate" in n or "cube" in n] if "{base}" in sentence else [""],
                "place": [n for w in book.places.values() for n in w.of("train")]
                if "{place}" in sentence
                else [""],
                "side": [s.value for s in Side] if "{side}" in sentence else [""],
                "switch": [s.value for s in Switch] if "{switch}" in sentence else [""],
            }
            found += [
                sentence.format(**dict(zip(gaps, values, strict=True))) for values in product(*gaps.values())
            ]
    return found
