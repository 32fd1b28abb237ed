"""Instructions and what they mean, without end: the planner's training data.

Every example is drawn from its own keyed stream, so example `n` of a seed is always the same. Template
families whose name begins with `held_` are kept for evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from agent.planner.lexicon import Lexicon, Word, lexicon, read_data
from agent.planner.logical_form import Goal, Hue, Intent, Kind, LogicalForm, Quantity, Where, Why
from vla_low_level.nouns import Category, Colour, Place

Rng = np.random.Generator

TYPO_RATE = 0.08
CAPITAL_RATE = 0.25


@dataclass(frozen=True, slots=True)
class Example:
    """One pair. `family` names the templates that it was made from."""

    instruction: str
    form: LogicalForm
    family: str


@dataclass(frozen=True, slots=True)
class _Clause:
    text: str
    goal: Goal
    family: str


def example(seed: int, number: int, *, held: bool = False) -> Example:
    """Example `number` of a stream; from held-out families only when `held`."""
    rng = np.random.default_rng([seed, number, int(held)])
    kind = rng.random()
    if kind < 0.16 and not held:
        clauses = [_unsupported(rng)]
        text = clauses[0].text
    elif kind < 0.72 or (held and kind < 0.85):
        clauses = [_clause(rng, held=held)]
        text = clauses[0].text
    else:
        clauses, text = _joined(rng, held=held)
    form = LogicalForm(goals=tuple(c.goal for c in clauses))
    family = "+".join(sorted({c.family for c in clauses}))
    return Example(_spoken(text, rng), form, family)


def _joined(rng: Rng, *, held: bool) -> tuple[list[_Clause], str]:
    count = 2 if rng.random() < 0.75 or held else 3
    clauses = [_clause(rng, held=False) for _ in range(count)]
    families = _phrases()["join"]
    chosen = families["held_order"] if held else families["two" if count == 2 else "three"]
    text = _pick(rng, chosen)
    for slot, clause in zip("abc", clauses, strict=False):
        text = text.replace("{" + slot + "}", clause.text)
    return clauses, text


def _clause(rng: Rng, *, held: bool) -> _Clause:
    section = _pick(rng, ("clear", "put_one", "put_one", "put_one", "put_all", "put_all", "sort"))
    families = _phrases()[section]
    names = [name for name in families if name.startswith("held_") == held]
    name = _pick(rng, names)
    template = _pick(rng, families[name])
    return _MAKERS[section](rng, template, f"{section}.{name}")


def _make_clear(rng: Rng, template: str, family: str) -> _Clause:
    if "{all}" not in template:
        goal = _goal(Intent.CLEAR, "any", "any", Quantity.ALL, "default")
        return _Clause(template, goal, family)
    kind, hue, phrase, known = _group(rng)
    goal = _goal(Intent.CLEAR, kind, hue, Quantity.ALL, "default") if known else _unknown(Why.OBJECT)
    return _Clause(template.replace("{all}", phrase), goal, family)


def _make_put(rng: Rng, template: str, family: str) -> _Clause:
    one = "{one}" in template
    kind, hue, phrase, known = _single(rng) if one else _group(rng)
    place, spoken, reachable = _place(rng)
    quantity = Quantity.ONE if one else Quantity.ALL
    if known and reachable:
        goal = _goal(Intent.PUT, kind, hue, quantity, place)
    else:
        goal = _unknown(Why.PLACE if known else Why.OBJECT)
    text = template.replace("{one}", phrase).replace("{all}", phrase).replace("{place}", spoken)
    return _Clause(text, goal, family)


def _make_sort(rng: Rng, template: str, family: str) -> _Clause:
    if rng.random() < 0.4:
        phrase, kind = (
            _pick(rng, ("everything", "the things", "all the objects", "the objects", "all of it")),
            "any",
        )
    else:
        kind = _pick(rng, tuple(Category)).value
        word = _pick_word(rng, lexicon().kinds[kind]).plural
        phrase = _pick(rng, ("the {w}", "all the {w}", "all {w}", "these {w}", "{w}")).replace("{w}", word)
    goal = _goal(Intent.SORT, kind, "any", Quantity.ALL, "default")
    return _Clause(template.replace("{group}", phrase), goal, family)


_MAKERS = {"clear": _make_clear, "put_one": _make_put, "put_all": _make_put, "sort": _make_sort}


def _unsupported(rng: Rng) -> _Clause:
    if rng.random() < 0.3:
        return _Clause(_pick(rng, _phrases()["harmful"]), _unknown(Why.HARMFUL), "harmful")
    if rng.random() < 0.12:
        letters = "".join(chr(97 + int(k)) for k in rng.integers(0, 26, int(rng.integers(3, 14))))
        return _Clause(letters, _unknown(Why.UNSUPPORTED), "gibberish")
    return _Clause(_pick(rng, _phrases()["unsupported"]), _unknown(Why.UNSUPPORTED), "unsupported")


def _single(rng: Rng) -> tuple[str, str, str, bool]:
    """Kind, hue, words and whether the robot knows it: `the red cup`."""
    kind, word, known = _kind(rng)
    hue, adjective = _hue(rng, always=kind == "any")
    article = _pick(rng, ("the", "the", "the", "the", "a", "that", "this", "my", ""))
    return kind, hue, _join(article, adjective, word.singular), known


def _group(rng: Rng) -> tuple[str, str, str, bool]:
    """Kind, hue, words and whether the robot knows it: `all the red cups`."""
    if rng.random() < 0.12:
        hue, adjective = _hue(rng, always=False)
        return "any", hue, _join("everything", adjective) if hue != "any" else "everything", True
    kind, word, known = _kind(rng)
    hue, adjective = _hue(rng, always=kind == "any" and rng.random() < 0.7)
    start = _pick(
        rng, ("all the", "all the", "all", "all", "the", "every", "each", "all of the", "all these", "both")
    )
    noun = word.singular if start in ("every", "each") else word.plural
    return kind, hue, _join(start, adjective, noun), known


def _kind(rng: Rng) -> tuple[str, Word, bool]:
    words = lexicon()
    if rng.random() < 0.08:
        return "any", _pick_word(rng, words.foreign_kinds), False
    kind = "any" if rng.random() < 0.1 else _pick(rng, tuple(Category)).value
    return kind, _pick_word(rng, words.kinds[kind]), True


def _hue(rng: Rng, *, always: bool) -> tuple[str, str]:
    if not always and rng.random() < 0.35:
        return "any", ""
    hue = _pick(rng, tuple(Colour)).value
    words = lexicon().hues[hue]
    return hue, words[0] if rng.random() < 0.7 else _pick(rng, words)


def _place(rng: Rng) -> tuple[str, str, bool]:
    words = lexicon()
    article = _pick(rng, ("the", "the", "the", "the", "my", "that", ""))
    if rng.random() < 0.06:
        return "", _join(article, _pick(rng, words.foreign_places)), False
    place = _pick(rng, tuple(Place)).value
    spoken = words.places[place]
    return place, _join(article, spoken[0] if rng.random() < 0.5 else _pick(rng, spoken)), True


def _spoken(text: str, rng: Rng) -> str:
    """Politeness around it, a slip of the finger, capitals and full stops."""
    text = _pick(rng, _phrases()["wrap"]).replace("{s}", text)
    if rng.random() < TYPO_RATE:
        text = _typo(text, rng)
    style = rng.random()
    if style < CAPITAL_RATE:
        text = text[:1].upper() + text[1:]
    elif style < CAPITAL_RATE + 0.04:
        text = text.upper()
    return text + ("." if rng.random() < 0.15 and text[-1:].isalpha() else "")


def _typo(text: str, rng: Rng) -> str:
    """One letter doubled, dropped or swapped, inside a word of five letters or more."""
    words = text.split()
    long = [k for k, word in enumerate(words) if len(word) > 4 and word.isalpha()]
    if not long:
        return text
    k = long[int(rng.integers(len(long)))]
    word, at = words[k], int(rng.integers(1, len(words[k]) - 1))
    words[k] = _pick(
        rng,
        (
            word[:at] + word[at] + word[at:],
            word[:at] + word[at + 1 :],
            word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :],
        ),
    )
    return " ".join(words)


def _goal(intent: Intent, kind: str, hue: str, quantity: Quantity, where: str) -> Goal:
    return Goal(
        intent=intent, kind=Kind(kind), hue=Hue(hue), quantity=quantity, where=Where(where), why=Why.NONE
    )


def _unknown(why: Why) -> Goal:
    return Goal(
        intent=Intent.UNKNOWN,
        kind=Kind("any"),
        hue=Hue("any"),
        quantity=Quantity.ALL,
        where=Where("default"),
        why=why,
    )


def _pick(rng: Rng, options: Sequence[Any]) -> Any:
    return options[int(rng.integers(len(options)))]


def _pick_word(rng: Rng, words: Sequence[Word]) -> Word:
    """The plain word half of the time."""
    return words[0] if rng.random() < 0.5 else words[int(rng.integers(len(words)))]


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)


@cache
def _phrases() -> dict[str, Any]:
    return read_data("phrases")


__all__ = ["Example", "Lexicon", "example"]
