"""What was meant, before anyone has looked where things are: the plan language that planners write.

One compact JSON text, the same whoever writes it. It names steps, selectors, order and conditions; code finds
out which objects those are. What has its default is left out. The limits below are part of its schema.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vla_low_level.nouns import Category, Colour, Place

MAX_STEPS = 8
MAX_SELECTORS = 6
MAX_COUNT = 9


class Do(StrEnum):
    """What is to become of the selected objects, or of the furniture."""

    PUT = "put"
    PUT_AWAY = "put_away"
    THROW_AWAY = "throw_away"
    PUT_ON = "put_on"
    TOWER = "tower"
    SORT_BY_COLOUR = "sort_by_colour"
    SORT_BY_KIND = "sort_by_kind"
    SWAP = "swap"
    PUSH = "push"
    PICK = "pick"
    OPEN = "open_drawer"
    CLOSE = "close_drawer"
    LAMP_ON = "lamp_on"
    LAMP_OFF = "lamp_off"
    PRESS = "press"
    LEAVE = "leave"


class Why(StrEnum):
    """Why an instruction is refused."""

    OBJECT = "unknown_object"
    PLACE = "unknown_place"
    UNSUPPORTED = "unsupported"
    HARMFUL = "harmful"


class Which(StrEnum):
    """Which of the objects that match: the only one, all of them, any of them, or one named before."""

    THE = "the"
    ALL = "all"
    ANY = "any"
    IT = "it"
    OTHER = "other"
    REST = "rest"


class Side(StrEnum):
    """Where among those that match, as the robot sees them."""

    ANY = "any"
    LEFT = "left"
    RIGHT = "right"


class Seen(StrEnum):
    """How furniture may stand, in a condition."""

    OPEN = "drawer_open"
    CLOSED = "drawer_closed"
    ON = "lamp_on"
    OFF = "lamp_off"


Kind = StrEnum("Kind", {"ANY": "any", **{c.name: c.value for c in Category}})  # type: ignore[misc]
Hue = StrEnum("Hue", {"ANY": "any", **{c.name: c.value for c in Colour}})  # type: ignore[misc]
At = StrEnum("At", {"ANYWHERE": "anywhere", "TABLE": "table", **{p.name: p.value for p in Place}})  # type: ignore[misc]
To = StrEnum(  # type: ignore[misc]
    "To",
    {"NOWHERE": "nowhere", "TABLE": "table", "DRAWER": "drawer", "LEFT": "left", "RIGHT": "right"}
    | {p.name: p.value for p in Place},
)
Count = Annotated[int, Field(ge=1, le=MAX_COUNT)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Looks(_Frozen):
    """Objects by what is seen of them.

    Attributes:
        kind: Category; `any` for all of them.
        hue: Colour; `any` for all of them.
        at: Where they lie now.
        side: Which of several: the one furthest to a side.
    """

    kind: Kind = Kind("any")
    hue: Hue = Hue("any")
    at: At = At("anywhere")
    side: Side = Side.ANY


class Selector(Looks):
    """Which objects are meant.

    Attributes:
        which: The one, all, any `count`; what was named last, the other one, or all that were not named.
        count: How many: with `any` so many are enough, with `the` there must be just so many.
        but: Except these.
    """

    which: Which = Which.THE
    count: Count = 1
    but: tuple[Looks, ...] = Field(default=(), max_length=MAX_SELECTORS)


class Condition(_Frozen):
    """What must be seen for a step to be done: an object, or furniture that stands so.

    Attributes:
        there_is: Such an object.
        furniture: The drawer or the lamp is so.
        holds: False: the step is done when it is not so.
    """

    there_is: Looks | None = None
    furniture: Seen | None = None
    holds: bool = True

    @model_validator(mode="after")
    def _one(self) -> Condition:
        if (self.there_is is None) == (self.furniture is None):
            raise ValueError("a condition is about either an object or furniture")
        return self


class Step(_Frozen):
    """One thing that is wanted.

    Attributes:
        do: What kind of thing. `put_away` and `sort_*` without `what` are about everything.
        what: The objects; for a tower in order, the lowest first; for `swap` two.
        to: Where they go, for `put` and `push`.
        on: What they go on, for `put_on`.
        then: Only after everything before it. Otherwise it may be done in parallel.
        only_if: Condition; it is judged when the plan is made.
    """

    do: Do
    what: tuple[Selector, ...] = Field(default=(), max_length=MAX_SELECTORS)
    to: To = To("nowhere")
    on: Selector | None = None
    then: bool = False
    only_if: Condition | None = None


class LogicalForm(_Frozen):
    """Steps; or a question; or a refusal with its reason. Exactly one of the three.

    Attributes:
        steps: In the order in which they are wanted.
        ask: What to ask a person, when it is not clear what is meant.
        refuse: Why it will not be done.
    """

    steps: tuple[Step, ...] = Field(default=(), max_length=MAX_STEPS)
    ask: str = Field(default="", max_length=200)
    refuse: Why | None = None

    @model_validator(mode="after")
    def _one(self) -> LogicalForm:
        if bool(self.steps) + bool(self.ask) + (self.refuse is not None) != 1:
            raise ValueError("write steps, or ask, or refuse: exactly one of them")
        return self

    def text(self) -> str:
        """The one way it is written: compact JSON, keys in order, defaults left out."""
        return json.dumps(self.model_dump(mode="json", exclude_defaults=True), separators=(",", ":"))

    @staticmethod
    def parse(text: str) -> LogicalForm:
        """Read it back: a number as text is none. Raises `pydantic.ValidationError`."""
        return LogicalForm.model_validate_json(text, strict=True)


def schema() -> dict[str, Any]:
    """Its JSON schema, self-contained: what structured output takes."""
    return LogicalForm.model_json_schema()
