"""What a demonstration shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from vla_low_level.nouns import Category, Place, Side, Switch

STACKABLE = {
    (Category.CUBE, Category.CUBE),
    (Category.CUBE, Category.PLATE),
    (Category.CUP, Category.PLATE),
}
PUSHABLE = (Category.CUBE, Category.PLATE)


class Kind(StrEnum):
    """What the policy learns to do."""

    PICK = "pick"
    PLACE_IN = "place_in"
    PLACE_ON = "place_on"
    OPEN_DRAWER = "open_drawer"
    CLOSE_DRAWER = "close_drawer"
    PUSH = "push"
    PRESS = "press"


@dataclass(frozen=True, slots=True)
class Task:
    """One subgoal. Fields that a kind does not need are None.

    Attributes:
        kind: What is done.
        object: Id of the object that is taken, put down or pushed.
        place: The fixture to put it in.
        base: Id of the object to put it on.
        side: Where to push it.
        switch: What the lamp shall be.
    """

    kind: Kind
    object: str | None = None
    place: Place | None = None
    base: str | None = None
    side: Side | None = None
    switch: Switch | None = None
