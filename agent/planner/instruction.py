"""What a person typed, made safe to read."""

from __future__ import annotations

import re
import unicodedata

from agent import stop_words
from traces.errors import TandemError

MAX_CHARACTERS = 4000
_LAYOUT = frozenset("\t\n\r")
_STOP = re.compile(
    r"(?:no|oh no|please|hey|robot|[ ,.!])*\b(?:stop|halt|freeze|abort|cancel|enough)"
    r"(?:\b(?:it|that|this|now|please|right|there|moving|everything|at once)|[ ,.!]|stop)*",
    re.IGNORECASE,
)


def is_stop(text: str) -> bool:
    """Does it say to stop, and nothing else? What follows a comma may be something else."""
    return _STOP.fullmatch(text.strip()) is not None or stop_words.is_stop(text)


def clean_instruction(text: str) -> str:
    """Normalise an instruction (NFC, single spaces, no invisible characters).

    Raises:
        TandemError: `EMPTY_INSTRUCTION`, `INSTRUCTION_TOO_LONG` or `BAD_TEXT`.
    """
    if len(text) > MAX_CHARACTERS:
        raise TandemError(
            "INSTRUCTION_TOO_LONG",
            f"the instruction has {len(text)} characters, at most {MAX_CHARACTERS} are read",
            fix="say it in a sentence or two",
        )
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs", "Co", "Cn") and character not in _LAYOUT:
            raise TandemError(
                "BAD_TEXT",
                f"the instruction holds U+{ord(character):04X}, which is not text",
                fix="type it in plain characters",
            )
    visible = "".join(c for c in text if unicodedata.category(c) != "Cf")
    cleaned = " ".join(unicodedata.normalize("NFC", visible).split())
    if not cleaned:
        raise TandemError(
            "EMPTY_INSTRUCTION", "the instruction is empty", fix='say what to do: "clear the table"'
        )
    return cleaned
