"""The words of the language, read from `data/`, and the patterns by which an instruction names things."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Noun:
    """A word for a thing.

    Attributes:
        sort: `kind`, `ellipsis`, `foreign` or `living`.
        name: The category it stands for; the word itself where that is none.
        many: Plural or singular; None where the word does not tell.
    """

    sort: str
    name: str
    many: bool | None


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Words by what they stand for.

    Attributes:
        nouns: Things, singular and plural.
        hues: Colours.
        places: Fixtures.
        foreign_places: Places that the robot does not know.
        numbers: Numerals.
        phrases: Further words by their section in `words.yaml`.
    """

    nouns: dict[str, Noun]
    hues: dict[str, str]
    places: dict[str, str]
    foreign_places: tuple[str, ...]
    numbers: dict[str, int]
    phrases: dict[str, tuple[str, ...]]

    def words(self) -> frozenset[str]:
        """Every single word that occurs in it."""
        everything = [*self.nouns, *self.hues, *self.places, *self.foreign_places, *self.numbers]
        everything += [phrase for phrases in self.phrases.values() for phrase in phrases]
        return frozenset(word for phrase in everything for word in phrase.split())


def plural(word: str) -> str:
    """The regular plural."""
    return word + ("es" if word.endswith(("s", "x", "ch", "sh", "ss")) else "s")


@cache
def read_data(name: str) -> dict[str, Any]:
    """A data file as plain Python. Do not modify."""
    data = yaml.safe_load((DATA / f"{name}.yaml").read_text(encoding="utf-8"))
    return dict(data)


@cache
def lexicon() -> Lexicon:
    """The lexicon that ships with the package."""
    words = read_data("words")
    nouns: dict[str, Noun] = {}
    for section, sort in (("foreign_kinds", "foreign"), ("living", "living")):
        for entry in words[section]:
            _add(nouns, entry, sort, None)
    for name, entries in words["kinds"].items():
        for entry in entries:
            _add(nouns, entry, "kind", name)
    nouns |= {"one": Noun("ellipsis", "any", many=False), "ones": Noun("ellipsis", "any", many=True)}
    flat = ("tables", "drawer", "lamp", "everything", "it", "them", "rest", "vague")
    return Lexicon(
        nouns=nouns,
        hues={word: name for name, entries in words["hues"].items() for word in entries},
        places={word: name for name, entries in words["places"].items() for word in entries},
        foreign_places=tuple(words["foreign_places"]),
        numbers=dict(words["numbers"]),
        phrases={section: tuple(words[section]) for section in flat},
    )


def _add(nouns: dict[str, Noun], entry: str | list[str], sort: str, name: str | None) -> None:
    one, many = (entry, plural(entry)) if isinstance(entry, str) else entry
    for word, plurality in ((one, False), (many, True)):
        nouns[word] = Noun(sort, name or one, None if one == many else plurality)


def any_of(words: Iterable[str]) -> str:
    """A pattern for any of some phrases, the longest first."""
    return "(?:" + "|".join(re.escape(w) for w in sorted(words, key=lambda w: (-len(w), w))) + ")"


@cache
def mention_pattern() -> re.Pattern[str]:
    """One pattern, with a named group for each sort of mention, on words that single spaces separate."""
    words = lexicon()
    number, hue = any_of(words.numbers), any_of(words.hues)
    vague = any_of(words.phrases["vague"])
    the = "(?:the|my|your|our|his|her|their|these|those|this|that|its)"
    of = rf"(?: of(?: {the}| them)?| {the})?"
    determiner = (
        rf"(?:(?:only|just|exactly) )?(?:(?:all|each|both|any|{vague}){of}(?: {number})?|every(?: single)?"
        rf"|(?:a (?:pair|couple)|{number})(?: of(?: {the})?)?|{the}(?: {number})?|an?|no)"
    )
    sides = "(?:(?:far )?(?:left|right)|leftmost|rightmost|left-hand|right-hand)"
    adjective = rf"(?:other|remaining|single|whole|{sides}|{hue})"
    beside = r"(?:on|at) (?:the|your|my) (?:far )?(?:left|right)(?: hand)?(?: side)?(?! of)"
    is_ = "(?:(?:that|which)(?: is| are)|that's|who is)"
    isnt = "(?:(?:that|which) (?:isn't|aren't|is not|are not))"
    looks = rf"(?: (?:{is_} )?{hue}| {isnt} (?P<NOT>{hue}))?"
    noun = any_of(words.nouns)
    everything = rf"{any_of(words.phrases['everything'])}(?:'s| is| are)?"
    places = any_of(words.places)
    furniture = "(?:(?:the|that|this|my|your|a) )?"
    sorts = {
        "skip": r"(?:in|into|with) your (?:hands?|gripper|fingers?)|your arm"
        r"|(?:in|by) (?:this|that|the) order|(?:event|provided|given|assuming|condition) that(?= )"
        r"|(?:get|bring|give|hand|fetch|pass|show|tell|do|let|for|with|to|help|call|buy|lend|throw) (?:me|us)"
        r"|(?:where|what) (?:it|they) (?:belongs?|goes|go|is|are|lies|lie)"
        r"|it (?:would|is|rains)|it's|one by one",
        "rest": rf"{any_of(words.phrases['rest'])}(?: of (?:it|them|the things|the objects))?",
        "place": rf"{furniture}{places}",
        "drawer": rf"{furniture}{any_of(words.phrases['drawer'])}",
        "lamp": rf"{furniture}{any_of(words.phrases['lamp'])}",
        "table": rf"{furniture}(?:whole |entire )?{any_of(words.phrases['tables'])}",
        "side": r"(?:(?:the|its|my|your) )?(?:far )?(?:left|right)(?: hand| side| edge)+"
        r"(?: of (?:the )?table)?"
        r"|(?<=to )the (?:left|right)(?! of)|leftwards?|rightwards?|left(?= [.,!?]| and| then|$)"
        r"|(?<!all )right(?= [.!?]|$)",
        "every": rf"(?P<everything>{everything}){looks.replace('NOT', 'everynot')}",
        "alien": rf"{furniture}{any_of(words.foreign_places)}",
        "thing": rf"(?P<det>{determiner} )?(?P<mods>(?:{adjective} )*)(?P<noun>{noun})"
        rf"{looks.replace('NOT', 'thingnot')}(?P<beside>(?: {is_})? {beside})?",
        "bare": rf"(?:the|that|this) (?P<barehue>{hue})(?= and| or| ,|$| in)"
        r"|(?:the|that) (?P<bareother>other)(?! \w+s\b)",
        "them": any_of(words.phrases["them"]),
        "it": rf"{any_of(words.phrases['it'])}(?! is| are| was| will)(?!')",
    }
    body = "|".join(f"(?P<{sort}>{pattern})" for sort, pattern in sorts.items())
    return re.compile(rf"(?<!\S)(?:{body})(?!\S)")
