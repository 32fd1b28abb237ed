"""What was meant, before anyone has looked where things are: the language that planners write.

One compact JSON text, the same for the embedded language model and for any server with structured
output. It names intents, selectors and order; code finds out which objects those are.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from vla_low_level.nouns import Category, Colour, Place

MAX_GOALS = 6


class Intent(StrEnum):
    """What is to become of the selected objects."""

    CLEAR = "clear"
    PUT = "put"
    SORT = "sort"
    UNKNOWN = "unknown"


class Why(StrEnum):
    """Why an instruction cannot be written as a goal."""

    NONE = "none"
    OBJECT = "unknown_object"
    PLACE = "unknown_place"
    UNSUPPORTED = "unsupported"
    HARMFUL = "harmful"


Kind = StrEnum("Kind", {"ANY": "any", **{c.name: c.value for c in Category}})  # type: ignore[misc]
Hue = StrEnum("Hue", {"ANY": "any", **{c.name: c.value for c in Colour}})  # type: ignore[misc]
Where = StrEnum("Where", {"DEFAULT": "default", **{p.name: p.value for p in Place}})  # type: ignore[misc]


class Quantity(StrEnum):
    """How many of the selected objects."""

    ONE = "one"
    ALL = "all"


class Goal(BaseModel):
    """One thing that is wanted.

    Attributes:
        intent: What kind of thing; `unknown` when it cannot be done or was not understood.
        kind: Category of the objects; `any` for all of them.
        hue: Their colour; `any` for all of them.
        quantity: One particular object, or all that match.
        where: Where they go; `default` is the place of their kind (and for sorting, chosen by code).
        why: For `unknown`: what is in the way.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    intent: Intent
    kind: Kind
    hue: Hue
    quantity: Quantity
    where: Where
    why: Why


class LogicalForm(BaseModel):
    """Goals, in the order in which they are wanted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    goals: tuple[Goal, ...] = Field(min_length=1, max_length=MAX_GOALS)

    def text(self) -> str:
        """The one way it is written: compact JSON, keys in order."""
        return json.dumps(self.model_dump(mode="json"), separators=(",", ":"))

    @staticmethod
    def parse(text: str) -> LogicalForm:
        """Read it back. Raises `pydantic.ValidationError`."""
        return LogicalForm.model_validate_json(text, strict=False)


def schema() -> dict[str, Any]:
    """JSON schema with every enumeration written out in place: what servers and grammars understand best."""
    fields: dict[str, type[StrEnum]] = {
        "intent": Intent,
        "kind": Kind,
        "hue": Hue,
        "quantity": Quantity,
        "where": Where,
        "why": Why,
    }
    goal = {
        "type": "object",
        "properties": {
            name: {"type": "string", "enum": [str(v) for v in kind]} for name, kind in fields.items()
        },
        "required": list(fields),
        "additionalProperties": False,
    }
    goals = {"type": "array", "items": goal, "minItems": 1, "maxItems": MAX_GOALS}
    return {
        "type": "object",
        "properties": {"goals": goals},
        "required": ["goals"],
        "additionalProperties": False,
    }
