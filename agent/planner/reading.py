"""From a sketch and the mentions it points to, to a logical form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.planner.logical_form import (
    Condition,
    Do,
    LogicalForm,
    Looks,
    Seen,
    Selector,
    Step,
    To,
    Which,
    Why,
)
from agent.planner.mentions import Mention, located
from agent.planner.sketch import AND, CONDITIONS, ENDINGS, THEN, split

_DO = {
    "PUT": Do.PUT,
    "CLEAR": Do.PUT_AWAY,
    "TRASH": Do.THROW_AWAY,
    "ON": Do.PUT_ON,
    "TOWER": Do.TOWER,
    "DOWN": Do.TOWER,
    "SORTC": Do.SORT_BY_COLOUR,
    "SORTK": Do.SORT_BY_KIND,
    "SWAP": Do.SWAP,
    "PUSH": Do.PUSH,
    "PICK": Do.PICK,
    "OPEN": Do.OPEN,
    "CLOSE": Do.CLOSE,
    "LON": Do.LAMP_ON,
    "LOFF": Do.LAMP_OFF,
    "PRESS": Do.PRESS,
    "LEAVE": Do.LEAVE,
}
_SEEN = {"OPENED": Seen.OPEN, "SHUT": Seen.CLOSED, "LIT": Seen.ON, "DARK": Seen.OFF}
UNCLEAR = "What exactly shall I do?"


@dataclass
class _Parts:
    """A step taken to pieces: pointers by the slot they stand in."""

    do: str
    slots: dict[str, list[int]] = field(default_factory=dict)
    state: str = ""
    then: bool = False


def read(sketch: str, mentions: Sequence[Mention]) -> LogicalForm:
    """The logical form that a sketch stands for.

    Raises:
        ValueError: When it is no sketch over these mentions (pydantic's ValidationError is one).
    """
    pieces = split(sketch)
    if pieces[:1] == ["ASK"]:
        return LogicalForm(ask=UNCLEAR)
    if pieces and pieces[0] in ENDINGS:
        return LogicalForm(refuse=Why.HARMFUL if pieces[0] == "HARM" else Why.UNSUPPORTED)
    parts = _parts(pieces)
    used = {m for part in parts if part.do != "LEAVE" for slot in part.slots.values() for m in slot}
    for number in sorted(used):
        refusal = _unknown(mentions[number], parts, number)
        if refusal:
            return refusal
    vague = [mentions[n] for n in sorted(used) if mentions[n].vague and not _only_condition(n, parts)]
    if vague:
        return LogicalForm(ask=f"How many do you mean by {vague[0].words!r}?"[:200])
    return LogicalForm(steps=tuple(_step(part, mentions) for part in parts))


def places_of(sketch: str) -> tuple[frozenset[int], ...]:
    """For each step, the mentions (from 0) that it points to."""
    return tuple(frozenset(m for slot in part.slots.values() for m in slot) for part in _parts(split(sketch)))


def _parts(pieces: list[str]) -> list[_Parts]:
    parts: list[_Parts] = []
    then, slot = False, ""
    if pieces[0] not in _DO:
        raise ValueError(f"a sketch cannot begin with {pieces[0]}")
    for piece in pieces:
        if piece in (AND, THEN):
            then = piece == THEN
        elif piece in _DO:
            parts.append(_Parts(piece, then=then))
            slot, then = "", False
        elif piece in _SEEN:
            parts[-1].state = piece
        elif piece.startswith("<"):
            parts[-1].slots.setdefault(slot, []).append(int(piece[1:-1]) - 1)
        elif piece == "AT" and slot in CONDITIONS:
            slot = "SEEN AT"
        else:
            slot = piece
            parts[-1].slots.setdefault(slot, [])
    return parts


def _unknown(mention: Mention, parts: list[_Parts], number: int) -> LogicalForm | None:
    """A refusal when a mention that is needed is of nothing that the robot knows."""
    if mention.sort == "alien":
        return LogicalForm(refuse=Why.PLACE)
    if mention.sort in ("foreign", "living"):
        place = any(number in part.slots.get("TO", ()) and part.do == "PUT" for part in parts)
        return LogicalForm(refuse=Why.PLACE if place else Why.OBJECT)
    return None


def _only_condition(number: int, parts: list[_Parts]) -> bool:
    inside = [name for part in parts for name, slot in part.slots.items() if number in slot]
    return all(name in CONDITIONS for name in inside)


def _step(part: _Parts, mentions: Sequence[Mention]) -> Step:
    places = [mentions[n].place for n in part.slots.get("AT", ())]
    place = places[0] if places and part.do != "SWAP" else None
    but = tuple(_looks(mentions[n].selector) for n in part.slots.get("BUT", ()))
    what = [_selector(mentions[n], place, but) for n in part.slots.get("", ())]
    if part.do == "SWAP" and len(what) > 1:
        for k, there in enumerate(places):
            what[k] = _selector(mentions[part.slots[""][k]], there, ())
    furniture = part.do in ("OPEN", "CLOSE", "LON", "LOFF", "PRESS")
    bare = part.do in ("CLEAR", "SORTC", "SORTK") and not what
    if bare and (but or place not in (None, To("table"))):
        what = [_selector(Mention("", "all", selector=Selector(which=Which.ALL)), place, but)]
    goal = next((mentions[n] for n in part.slots.get("TO", ())), None)
    return Step(
        do=_DO[part.do],
        what=() if furniture else tuple(reversed(what) if part.do == "DOWN" else what),
        to=goal.place if goal and part.do != "ON" else To("nowhere"),
        on=goal.selector if goal and part.do == "ON" else None,
        then=part.then,
        only_if=_condition(part, mentions),
    )


def _selector(mention: Mention, place: To | None, but: tuple[Looks, ...]) -> Selector:
    found = located(mention.selector, place)
    return Selector.model_validate(found.model_dump() | {"but": (*mention.selector.but, *but)})


def _looks(selector: Selector) -> Looks:
    return Looks(kind=selector.kind, hue=selector.hue, at=selector.at, side=selector.side)


def _condition(part: _Parts, mentions: Sequence[Mention]) -> Condition | None:
    for marker in CONDITIONS:
        for number in part.slots.get(marker, ()):
            mention, holds = mentions[number], marker == "IF"
            if part.state:
                return Condition(furniture=_SEEN[part.state], holds=holds)
            if mention.sort == "no":
                holds = not holds
            place = next((mentions[n].place for n in part.slots.get("SEEN AT", ())), None)
            return Condition(there_is=located(_looks(mention.selector), place), holds=holds)
    return None
