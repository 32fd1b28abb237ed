"""How one of several alike is named: by where it lies among them, the same in training and in use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from vla_low_level.nouns import Category, Colour

# Two alike are told apart by where they lie only if that is plain to see.
APART_M = 0.05


class Thing(Protocol):
    """An object that can be spoken of: placed, perceived, or as it truly is."""

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def category(self) -> Category:
        """What it is."""
        ...

    @property
    def colour(self) -> Colour:
        """Its colour."""
        ...

    @property
    def position_m(self) -> tuple[float, float, float]:
        """Where its base is, world."""
        ...


def qualifier(item: Thing, objects: Sequence[Thing]) -> str:
    """Which of several alike, by where it lies among them; empty when there is one of its kind.

    Raises:
        LookupError: When no word tells it apart.
    """
    twins = [o for o in objects if (o.category, o.colour) == (item.category, item.colour) and o.id != item.id]
    if not twins:
        return ""
    x, y, _ = item.position_m
    for word, ahead in (
        (" on the left", [y - t.position_m[1] for t in twins]),
        (" on the right", [t.position_m[1] - y for t in twins]),
        (" at the back", [x - t.position_m[0] for t in twins]),
        (" in front", [t.position_m[0] - x for t in twins]),
    ):
        if min(ahead) > APART_M:
            return word
    raise LookupError(f"{item.id} has a twin right beside it")
