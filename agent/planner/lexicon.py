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
class Mention:
    """A word of the lexicon in a text.

    Attributes:
        name: The category, colour or place; `any` for a word such as `thing`.
        many: For categories: plural or singular; None where the word does not tell.
        start: First character in the text.
        end: One past the last.
    """

    name: str
    many: bool | None
    start: int
    end: int


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

    def mentions(self, text: str) -> tuple[Mention, ...]:
        """What a text in small letters names with a word of this lexicon, in the order in which it is said.

        A longer word wins over a shorter one inside it: `dish rack` is a place, not a dish.
        """
        found = []
        for match in _compiled().finditer(text):
            name, many = _index()[match.group(0)]
            found.append(Mention(name, many, match.start(), match.end()))
        return tuple(found)

    def phrases(self, *, foreign: bool) -> set[str]:
        """Every word and phrase for what the robot knows; with `foreign`, for what it does not know too."""
        if not foreign:
            return set(_index())
        kinds = {form for word in self.foreign_kinds for form in (word.singular, word.plural)}
        return set(_index()) | kinds | set(self.foreign_places)


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
def _index() -> dict[str, tuple[str, bool | None]]:
    words = lexicon()
    index: dict[str, tuple[str, bool | None]] = {}
    for name, entries in words.kinds.items():
        for entry in entries:
            telling = entry.singular != entry.plural
            index[entry.singular] = (name, False if telling else None)
            index[entry.plural] = (name, True if telling else None)
    for group in (words.hues, words.places):
        index |= {word: (name, None) for name, entries in group.items() for word in entries}
    return index


@cache
def _compiled() -> re.Pattern[str]:
    longest = sorted(_index(), key=len, reverse=True)
    return re.compile(r"\b(?:" + "|".join(re.escape(word) for word in longest) + r")\b")
