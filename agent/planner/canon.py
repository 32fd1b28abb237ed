"""The canonicaliser: other words for the same become plain ones; what is said around a request is dropped."""

from __future__ import annotations

import re
from functools import cache

from agent.planner.lexicon import any_of, read_data

_ROUNDS = 6


def unwrapped(text: str) -> str:
    """A spaced text without what is said around it; so too what follows ` | `, said while it is done."""
    return " | ".join(map(_unwrapped, text.split(" | ")))


def _unwrapped(text: str) -> str:
    before, after = _around()
    for _ in range(_ROUNDS):
        stripped = after.sub("", before.sub("", text)).strip()
        if not stripped or stripped == text:
            break
        text = stripped
    return text


def plain(text: str) -> str:
    """A marked text with other words for the same made plain."""
    words, plainer = _same()
    return words.sub(lambda match: plainer[match.group(0)], text)


@cache
def fillers() -> frozenset[str]:
    """Words that mean nothing at all: neither manners nor curses change what is meant."""
    return frozenset(read_data("canon")["fillers"])


@cache
def _around() -> tuple[re.Pattern[str], re.Pattern[str]]:
    data = read_data("canon")
    before = any_of(" ".join(str(p).split()) for p in data["before"])
    after = any_of(" ".join(str(p).split()) for p in data["after"])
    return re.compile(rf"^{before}(?!\S)"), re.compile(rf"(?<!\S){after}$")


@cache
def _same() -> tuple[re.Pattern[str], dict[str, str]]:
    plainer = {phrase: word for word, phrases in read_data("canon")["same"].items() for phrase in phrases}
    return re.compile(rf"(?<!\S){any_of(plainer)}(?!\S)"), plainer


@cache
def words_of_canon() -> frozenset[str]:
    """Every single word that the canonicaliser knows."""
    data = read_data("canon")
    phrases = [*data["before"], *data["after"], *data["same"]]
    phrases += [phrase for group in data["same"].values() for phrase in group]
    return frozenset(word for phrase in phrases for word in str(phrase).split())
