"""Text from outside, made safe for a terminal."""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    """The text with control and format characters written out, so that none of them reaches the terminal."""
    return "".join(c if c == "\n" or unicodedata.category(c)[0] != "C" else f"\\u{ord(c):04x}" for c in text)
