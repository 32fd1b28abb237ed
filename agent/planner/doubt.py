"""Reasons not to believe a language model, found by code in the instruction's own words.

A small model is sure of itself when it should not be: it clears the table when told not to. So a form that
moves anything is believed only when each word that was said is one that the plan language accounts for, and
the things that the form names were said, in the same order, as one or as many. The rest is asked about.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from agent.planner.lexicon import Mention, lexicon, read_data
from agent.planner.logical_form import Goal, Intent, LogicalForm, Quantity

_WORD = re.compile(r"[\w']+")
_SHORTEST_SLIP = 5
_SECTIONS = ("clear", "put_one", "put_all", "sort", "join", "wrap")


def doubt(form: LogicalForm, instruction: str) -> str:
    """Why a form should not be acted on, in words for a person; empty when nothing speaks against it.

    Forms that refuse are believed: they move nothing.
    """
    if any(goal.intent is Intent.UNKNOWN for goal in form.goals):
        return ""
    text = mended(instruction.lower().replace("\u2019", "'"))
    mentions = lexicon().mentions(text)
    for pattern, why in _turns():
        if found := pattern.search(text):
            return f'{why} ("{found.group(0).strip()}")'
    if strange := _strange(text, mentions):
        return f'I do not know the word "{strange}" here'
    if not _cued(form, text):
        return "I am not sure what to do"
    return "" if _aligned(form, mentions, text) else "I am not sure which things or places are meant"


def mended(text: str) -> str:
    """The text with single slips of the finger put right where only one known word is meant."""
    return _WORD.sub(lambda match: _slips().get(match.group(0), match.group(0)), text)


def _strange(text: str, mentions: tuple[Mention, ...]) -> str:
    """The first word that neither a template nor the lexicon accounts for."""
    covered = [(m.start, m.end) for m in mentions]
    for match in _WORD.finditer(text):
        inside = any(start <= match.start() and match.end() <= end for start, end in covered)
        if not inside and match.group(0) not in _known():
            return match.group(0)
    return ""


def _cued(form: LogicalForm, text: str) -> bool:
    """Is every intent said, and none that is said missing?"""
    cues = _data()["cues"]
    intents = {goal.intent for goal in form.goals}
    for intent in (Intent.CLEAR, Intent.SORT):
        said = any(re.search(rf"\b{word}\b", text) for word in cues[intent.value])
        if intent in intents and not said:
            return False
    if re.search(r"\bcolou?r\b", text) and Intent.SORT not in intents:
        return False
    return Intent.CLEAR in intents or not re.search(f"{_data()['clearing']}|{_data()['surface']}", text)


def _aligned(form: LogicalForm, mentions: tuple[Mention, ...], text: str) -> bool:
    """Do the goals, in order, name exactly what was said, in order, and as one or as many?"""
    at, begun = 0, 0
    for goal in form.goals:
        wanted = _named(goal)
        taken: list[Mention] = []
        while at < len(mentions) and (len(wanted) > len(_concrete(taken)) or mentions[at].name == "any"):
            taken.append(mentions[at])
            at += 1
        if _concrete(taken) != sorted(wanted):
            return False
        ends = taken[-1].end if taken else begun
        if not _counted(goal, taken, text[begun:ends]):
            return False
        begun = ends
    return at == len(mentions)


def _named(goal: Goal) -> list[str]:
    return [v for v in (goal.kind.value, goal.hue.value, goal.where.value) if v not in ("any", "default")]


def _concrete(mentions: list[Mention]) -> list[str]:
    return sorted(m.name for m in mentions if m.name != "any")


def _counted(goal: Goal, mentions: list[Mention], text: str) -> bool:
    """`cups` are all of them; `the cup` is one; `every cup` is all."""
    many = {m.many for m in mentions if m.many is not None}
    if goal.quantity is Quantity.ONE:
        return True not in many
    return False not in many or bool(re.search(r"\b(?:every|each|all)\b", text))


@cache
def _data() -> dict[str, Any]:
    return read_data("doubts")


@cache
def _turns() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(pattern), why) for pattern, why in _data()["turns"])


@cache
def _known() -> frozenset[str]:
    """Words of the templates that the model was trained on, and small words."""
    words = set(_data()["small"])
    for section in _SECTIONS:
        for text in _templates(read_data("phrases")[section]):
            words |= set(_WORD.findall(re.sub(r"\{\w+\}", " ", text.lower())))
    return frozenset(words)


@cache
def _lexical(*, foreign: bool) -> frozenset[str]:
    """Every single word of the lexicon; with `foreign`, of what the robot does not know either."""
    return frozenset(word for phrase in lexicon().phrases(foreign=foreign) for word in _WORD.findall(phrase))


def _templates(section: Any) -> Iterator[str]:
    """Templates of a section, without the families that are held out."""
    if isinstance(section, list):
        yield from section
        return
    for name, templates in section.items():
        if not name.startswith("held_"):
            yield from templates


@cache
def _slips() -> dict[str, str]:
    """What one doubled, dropped or swapped letter makes of a word, when only one word makes it."""
    made: dict[str, set[str]] = {}
    for word in _known() | _lexical(foreign=False):
        if len(word) >= _SHORTEST_SLIP:
            for at in range(1, len(word) - 1):
                for slip in (
                    word[:at] + word[at] + word[at:],
                    word[:at] + word[at + 1 :],
                    word[:at] + word[at + 1] + word[at] + word[at + 2 :],
                ):
                    made.setdefault(slip, set()).add(word)
    real = _known() | _lexical(foreign=True)
    return {slip: next(iter(words)) for slip, words in made.items() if len(words) == 1 and slip not in real}
