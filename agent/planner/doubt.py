"""Reasons not to believe a language model, found by code in the instruction's own words.

A small model is sure of itself when it should not be: it clears the table when told not to. So a sketch that
moves anything is believed only when each word that was said is one that it was trained on, everything that
was named is used, and the words that turn a meaning round have left their trace. The rest is asked about.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise

from agent.planner.lexicon import read_data
from agent.planner.mentions import Marked
from agent.planner.sketch import AND, CANNOT, ENDINGS, HARM, POINTERS, THEN, split


def doubt(sketch: str, marked: Marked, known: frozenset[str]) -> str:
    """Why a sketch should not be acted on, in words for a person; empty when nothing speaks against it.

    Sketches that ask or refuse are believed: they move nothing. But who names things that are known, with a
    word that is not, is told which word that is; and nobody is called harmful over a turn of phrase.
    """
    pieces = split(sketch)
    strange = next((word for word in marked.words if word not in known), "")
    maligned = pieces[0] == HARM and not _looks_harmful(marked)
    if (
        pieces[0] in ENDINGS
        and not maligned
        and not (strange and pieces[0] == CANNOT and marked.mentions[1:])
    ):
        return ""
    if strange:
        return f'I do not know the word "{strange}" here'
    if maligned:
        return "I am not sure whether that could hurt somebody"
    if _put_off(pieces):
        return "I am not sure when to begin"
    text = marked.text
    correction = "|" in marked.words
    if correction:
        text = text[text.index("|") :]
    choice, said, holds = _data()
    if found := choice.search(text):
        return f'I do not follow choices ("{found.group(0)}")'
    if unused := _unused(pieces, marked):
        return f"I am not sure what to do with {unused!r}"
    turned = (why for pattern, wanted, why in said if pattern.search(text) and not wanted & set(pieces))
    if why := "" if correction else next(turned, ""):
        return why
    bare = _MARK.sub("<>", marked.text)
    unsaid = any(p in pieces and not pattern.search(bare) for p, pattern in holds.items())
    return "I am not sure what to do" if unsaid else ""


def _looks_harmful(marked: Marked) -> bool:
    named = " ".join(mention.words for mention in marked.mentions)
    return _harm().search(f"{marked.text} {named}") is not None


def _put_off(pieces: list[str]) -> bool:
    """Does something come after doing nothing? Waiting for what is not said is no plan."""
    return any(this == "LEAVE" and after in (AND, THEN) for this, after in pairwise(pieces))


def _unused(pieces: list[str], marked: Marked) -> str:
    """The words of the first mention that the sketch makes nothing of. What is corrected may fall away."""
    used = {POINTERS.index(p) for p in pieces if p in POINTERS}
    words = {(marked.mentions[k].words, marked.mentions[k].sort) for k in used}
    first = 0
    if "|" in marked.words:
        before = marked.text[: marked.text.index("|")].split()
        first = sum(token in POINTERS for token in before)
    for number, mention in enumerate(marked.mentions):
        said_again = (mention.words, mention.sort) in words
        if number >= first and number not in used and mention.sort != "it" and not said_again:
            return mention.words
    return ""


_MARK = re.compile(r"<(?!no>)\w+>")
Said = tuple[tuple[re.Pattern[str], frozenset[str], str], ...]


@cache
def _data() -> tuple[re.Pattern[str], Said, dict[str, re.Pattern[str]]]:
    data = read_data("doubts")
    said = tuple((re.compile(p), frozenset(wanted), why) for p, wanted, why in data["said"])
    holds = {piece: re.compile(pattern) for piece, pattern in data["holds"].items()}
    return re.compile(data["choice"]), said, holds


@cache
def _harm() -> re.Pattern[str]:
    return re.compile(read_data("doubts")["harm"])
