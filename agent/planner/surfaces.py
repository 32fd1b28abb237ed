"""Words for what a generated instruction names: drawn from the lexicon, a sort of mention at a time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from agent.planner.lexicon import lexicon, read_data
from vla_low_level.nouns import Category, Colour, Place

Rng = np.random.Generator


def pick(rng: Rng, options: Sequence[Any]) -> Any:
    """One of them, each as likely."""
    return options[int(rng.integers(len(options)))]


def words_for(sort: str, rng: Rng, *, before: bool) -> str:
    """A way to name something of this sort. `before`: things were named before, which `one` may stand for."""
    match sort:
        case "the":
            return _the(rng, ellipsis=before and rng.random() < 0.3)
        case "all":
            return _all(rng, ellipsis=before and rng.random() < 0.15)
        case "any":
            return _any(rng)
        case "no":
            return f"no {_looks(rng, many=rng.random() < 0.5)}"
        case "it":
            return str(pick(rng, ("it", "it", "it", "that", "this", "them")))
        case "other":
            noun = pick(rng, ("one", "one", _noun(rng, many=False), "ones", _noun(rng, many=True)))
            return f"{'all the' if noun.endswith('s') and rng.random() < 0.3 else 'the'} other {noun}"
        case "rest":
            return str(pick(rng, lexicon().phrases["rest"]))
    return _location(sort, rng)


def _location(sort: str, rng: Rng) -> str:
    """Places, sides, furniture, and what is not known."""
    match sort:
        case "place":
            names = read_data("words")["places"][pick(rng, tuple(Place)).value]
            return _join(pick(rng, ("the",) * 5 + ("my", "that", "")), _first_half(rng, names))
        case "side":
            side = pick(rng, ("left", "right"))
            return str(pick(rng, (f"the {side}", f"the {side}", f"the {side} side", f"the far {side} side")))
        case "foreign" | "living":
            noun = str(pick(rng, _unknown(sort)))
            bare = noun in ("him", "her", "me", "us") or noun.endswith(("body", "one", "self"))
            return noun if bare else _join(pick(rng, ("the", "the", "a", "my", "that", "")), noun)
        case "alien":
            return f"the {pick(rng, lexicon().foreign_places)}"
    names = lexicon().phrases["tables" if sort == "table" else sort]
    return _join(pick(rng, ("the",) * 6 + ("this", "my", "that")), _first_half(rng, names))


def _first_half(rng: Rng, names: Sequence[str]) -> str:
    """The plain word half of the time."""
    return names[0] if rng.random() < 0.5 else str(pick(rng, names))


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _noun(rng: Rng, *, many: bool) -> str:
    kind = pick(rng, tuple(Category)).value
    known = _nouns(kind, many)
    return known[0] if rng.random() < 0.6 else str(pick(rng, known))


@cache
def _nouns(kind: str, many: bool) -> tuple[str, ...]:  # noqa: FBT001
    return tuple(w for w, n in lexicon().nouns.items() if n.name == kind and n.many is many)


@cache
def _unknown(sort: str) -> tuple[str, ...]:
    return tuple(w for w, n in lexicon().nouns.items() if n.sort == sort and n.many is not True)


@cache
def _hues(name: str) -> tuple[str, ...]:
    return tuple(w for w, n in lexicon().hues.items() if n == name)


def _looks(rng: Rng, *, many: bool) -> str:
    """Colour, or none, and a noun."""
    hue = "" if rng.random() < 0.4 else _hue(rng)
    thing = pick(rng, ("thing", "object")) + ("s" if many else "")
    return _join(hue, thing if hue and rng.random() < 0.1 else _noun(rng, many=many))


def _hue(rng: Rng) -> str:
    name = pick(rng, tuple(Colour)).value
    return name if rng.random() < 0.7 else str(pick(rng, _hues(name)))


def _the(rng: Rng, *, ellipsis: bool) -> str:
    article = pick(rng, ("the",) * 8 + ("that", "this", "my", ""))
    if ellipsis:
        return f"the {_hue(rng)} one"
    dice = rng.random()
    if dice < 0.07:
        side = pick(rng, ("left", "right", "leftmost", "rightmost"))
        return f"the {side} {_looks(rng, many=False)}"
    if dice < 0.14:
        return f"the {_looks(rng, many=False)} on the {pick(rng, ('left', 'right'))}"
    if dice < 0.18:
        return _join(pick(rng, ("both", "the two")), _looks(rng, many=True))
    if dice < 0.21:
        return f"{article or 'the'} {_noun(rng, many=False)} that is {_hue(rng)}"
    return _join(article, _looks(rng, many=False))


def _all(rng: Rng, *, ellipsis: bool) -> str:
    if ellipsis:
        return f"the {_hue(rng)} ones"
    dice = rng.random()
    if dice < 0.14:
        return str(pick(rng, ("everything", "everything", "all of it", "it all", "anything", "all of them")))
    if dice < 0.2:
        return f"everything {pick(rng, ('', 'that is '))}{_hue(rng)}"
    start = pick(rng, ("all", "all the", "the", "the", "every", "each", "all of the", "these", "all my", ""))
    return _join(start, _looks(rng, many=start not in ("every", "each")))


def _any(rng: Rng) -> str:
    if rng.random() < 0.5:
        return f"a {_looks(rng, many=False)}"
    number = pick(rng, ("two", "three", "four", "2", "3", "only two", "exactly two", "any two"))
    if rng.random() < 0.3:
        one = pick(rng, ("one", "only one", number))
        return f"{one} of the {_looks(rng, many=True)}"
    if rng.random() < 0.2:
        return f"{pick(rng, ('one', 'only one', 'just one'))} {_looks(rng, many=False)}"
    return f"{number} {_looks(rng, many=True)}"
