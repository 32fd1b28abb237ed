"""The nouns of a tabletop: what can be seen, in which colours, and where it can be put.

Both the world that draws them and the mind that names them need the same words, so they are
said once, on the lowest floor that both may import.
"""

from __future__ import annotations

from enum import StrEnum


class Category(StrEnum):
    """Kinds of object that can be grasped."""

    CUP = "cup"
    PLATE = "plate"
    SPOON = "spoon"
    BOTTLE = "bottle"
    CUBE = "cube"


class Colour(StrEnum):
    """Colours that objects come in."""

    RED = "red"
    GREEN = "green"
    BLUE = "blue"
    YELLOW = "yellow"
    ORANGE = "orange"
    PURPLE = "purple"
    WHITE = "white"


class Place(StrEnum):
    """Fixtures that objects can be put in. The bare table is the absence of a place."""

    SINK = "sink"
    DISH_RACK = "dish_rack"
    UTENSIL_HOLDER = "utensil_holder"
    BIN = "bin"
    TRAY = "tray"

    @property
    def phrase(self) -> str:
        """The place as it is said: `dish rack`."""
        return self.value.replace("_", " ")


class Furniture(StrEnum):
    """Things that stay where they are and have a part that moves."""

    DRAWER = "drawer"
    LAMP = "lamp"


class Side(StrEnum):
    """The two sides of the table, as the robot sees them."""

    LEFT = "left"
    RIGHT = "right"

    @property
    def sign(self) -> int:
        """Of y on this side."""
        return 1 if self is Side.LEFT else -1


class Opening(StrEnum):
    """How a drawer stands."""

    OPEN = "open"
    CLOSED = "closed"
    AJAR = "ajar"


class Switch(StrEnum):
    """What a button can be pressed for."""

    ON = "on"
    OFF = "off"
