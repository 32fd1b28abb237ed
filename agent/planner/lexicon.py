"""The words of the language, read from `data/`, and what an instruction names outright."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Word:
    """One word for something: singular and plural."""

    singular: str
    plural: str


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Words by what they stand for.

    Attributes:
        kinds: Words for each category, and for `any`.
        hues: Words for each colour.
        places: Words for each fixture.
        foreign_kinds: Things that the robot does not know.
        foreign_places: Places that it does not know.
    """

    kinds: dict[str, tuple[Word, ...]]
    hues: dict[str, tuple[str, ...]]
    places: dict[str, tuple[str, ...]]
    foreign_kinds: tuple[Word, ...]
    foreign_places: tuple[str, ...]

    def named(self, text: str) -> tuple[set[str], set[str], set[str]]:
        """Categories, colours and places that a text names with a word of this lexicon.

        A longer word wins over a shorter one inside it: `dish rack` is a place, not a dish.
        """
        kinds: set[str] = set()
        hues: set[str] = set()
        places: set[str] = set()
        for match in self._pattern().finditer(text.lower()):
            group, name = _index()[match.group(0)]
            {"kind": kinds, "hue": hues, "place": places}[group].add(name)
        return kinds - {"any"}, hues, places

    def _pattern(self) -> re.Pattern[str]:
        return _compiled()


def plural(word: str) -> str:
    """The regular plural."""
    return word + ("es" if word.endswith(("s", "x", "ch", "sh", "ss")) else "s")


def _word(entry: str | list[str]) -> Word:
    return Word(entry, plural(entry)) if isinstance(entry, str) else Word(entry[0], entry[1])


def read_data(name: str) -> dict[str, Any]:
    """A data file as plain Python."""
    data = yaml.safe_load((DATA / f"{name}.yaml").read_text(encoding="utf-8"))
    return dict(data)


@cache
def lexicon() -> Lexicon:
    """The lexicon that ships with the package."""
    words = read_data("words")
    return Lexicon(
        kinds={name: tuple(_word(e) for e in entries) for name, entries in words["kinds"].items()},
        hues={name: tuple(entries) for name, entries in words["hues"].items()},
        places={name: tuple(entries) for name, entries in words["places"].items()},
        foreign_kinds=tuple(_word(e) for e in words["foreign_kinds"]),
        foreign_places=tuple(words["foreign_places"]),
    )


@cache
def _index() -> dict[str, tuple[str, str]]:
    words = lexicon()
    index: dict[str, tuple[str, str]] = {}
    for name, entries in words.kinds.items():
        for entry in entries:
            index[entry.singular] = index[entry.plural] = ("kind", name)
    index |= {word: ("hue", name) for name, entries in words.hues.items() for word in entries}
    index |= {word: ("place", name) for name, entries in words.places.items() for word in entries}
    return index


@cache
def _compiled() -> re.Pattern[str]:
    longest = sorted(_index(), key=len, reverse=True)
    return re.compile(r"\b(?:" + "|".join(re.escape(word) for word in longest) + r")\b")
