"""Asking a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Asker(Protocol):
    """Someone who can answer. None stands for nobody being there."""

    def __call__(self, question: str, options: Sequence[str], /) -> str | None:
        """Put the question and wait. Returns an option, free text, or None when nobody answers."""
        ...
