"""The sketch: what the embedded language model writes, with numbers for what the instruction names.

`PUT<1>BUT<2>TO<3>;OPEN<4>` is read with the mentions of the instruction into a `LogicalForm`. The grammar
says at each point which pieces may follow, for the sorts of mentions that there are; the same, as a regular
expression, constrains a server.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.planner.mentions import MAX_MENTIONS, OBJECTS

THINGS = OBJECTS | {"foreign", "living"}
LOCATIONS = frozenset({"place", "table", "alien", "drawer"})
DRAWER = frozenset({"drawer", "it"})
LAMP = frozenset({"lamp", "it"})
ANYTHING = THINGS | LOCATIONS | {"side", "lamp"}
MAX_SKETCH_STEPS = 8


@dataclass(frozen=True, slots=True)
class Slot:
    """An argument of a step.

    Attributes:
        marker: The piece that opens it; empty for what stands first.
        sorts: Sorts of mentions that may stand in it.
        least: How many mentions it needs; 0 when it may be left out.
        most: How many it may have.
    """

    marker: str
    sorts: frozenset[str]
    least: int = 0
    most: int = 6


_WHAT = Slot("", THINGS, 1)
_BUT, _AT = Slot("BUT", THINGS, 0, 6), Slot("AT", LOCATIONS, 0, 1)
SLOTS: dict[str, tuple[Slot, ...]] = {
    "PUT": (_WHAT, _BUT, _AT, Slot("TO", LOCATIONS | {"living"}, 1, 1)),
    "CLEAR": (Slot("", THINGS), _BUT, _AT),
    "TRASH": (_WHAT, _BUT, _AT),
    "ON": (_WHAT, _BUT, _AT, Slot("TO", THINGS, 1, 1)),
    "TOWER": (_WHAT, _BUT, _AT),
    "DOWN": (_WHAT,),
    "SORTC": (Slot("", THINGS), _BUT, _AT),
    "SORTK": (Slot("", THINGS), _BUT, _AT),
    "SWAP": (Slot("", THINGS, 1, 2), Slot("AT", LOCATIONS, 0, 2)),
    "PUSH": (_WHAT, _BUT, _AT, Slot("TO", frozenset({"side"}), 1, 1)),
    "PICK": (_WHAT, _AT),
    "OPEN": (Slot("", DRAWER, 0, 2),),
    "CLOSE": (Slot("", DRAWER, 0, 2),),
    "LON": (Slot("", LAMP, 0, 2),),
    "LOFF": (Slot("", LAMP, 0, 2),),
    "PRESS": (Slot("", LAMP, 0, 2),),
    "LEAVE": (Slot("", ANYTHING),),
}
HARM, CANNOT = "HARM", "CANNOT"
ENDINGS = ("ASK", HARM, CANNOT)
CONDITIONS = ("IF", "UNLESS")
_SEEN = Slot("", THINGS | {"drawer", "lamp"}, 1, 1)
STATES = {"drawer": ("OPENED", "SHUT"), "lamp": ("LIT", "DARK")}
AND, THEN, END = ";", ">", "</s>"
POINTERS = tuple(f"<{k}>" for k in range(1, MAX_MENTIONS + 1))
PIECES = (*SLOTS, *ENDINGS, "BUT", "AT", "TO", *CONDITIONS, *STATES["drawer"], *STATES["lamp"], AND, THEN)
_MARK, _SPELLED = re.compile(r"<(\w+)>"), re.compile(r"\[(\d+)\]")
_PIECE = re.compile(
    r"<\d+>|[;>]|" + "|".join(sorted((p for p in PIECES if p.isalpha()), key=len, reverse=True))
)


def spelled(text: str) -> str:
    """Marks and pointers as the model's tokenizer spells them: `[1] [the]`.

    Servers take what looks like `<this>` for a control token, which no grammar may hold.
    """
    return _MARK.sub(r"[\1]", text)


def unspelled(text: str) -> str:
    """A sketch that a server has written, with pointers as they are here."""
    return _SPELLED.sub(r"<\1>", text)


def split(text: str) -> list[str]:
    """The pieces of a sketch. Raises ValueError when it holds anything else."""
    pieces = _PIECE.findall(text)
    if "".join(pieces) != text:
        raise ValueError(f"{text!r} is no sketch")
    return pieces


def allowed(pieces: Sequence[str], sorts: Sequence[str]) -> tuple[str, ...]:
    """What may follow a sketch so far, for mentions of these sorts; `END` where it may end."""
    if pieces and pieces[0] in ENDINGS:
        return (END,)
    begun = max((k + 1 for k, piece in enumerate(pieces) if piece in (AND, THEN)), default=0)
    step = list(pieces[begun:])
    if not step:
        return (*(do for do in SLOTS if _possible(do, sorts)), *(ENDINGS if not pieces else ()))
    conditioned = next((k for k, piece in enumerate(step) if piece in CONDITIONS), None)
    if conditioned is not None:
        following = _condition(step[conditioned + 1 :], sorts)
    else:
        following = _arguments(step, sorts)
    if END not in following:
        return following
    steps = sum(piece in (AND, THEN) for piece in pieces) + 1
    return (*following, AND, THEN) if steps < MAX_SKETCH_STEPS else following


def fits(pieces: Sequence[str], sorts: Sequence[str]) -> bool:
    """Is it a whole sketch of the grammar, for mentions of these sorts?"""
    whole = (*pieces, END)
    return all(piece in allowed(whole[:k], sorts) for k, piece in enumerate(whole))


def _possible(do: str, sorts: Sequence[str]) -> bool:
    return all(sum(s in slot.sorts for s in sorts) >= slot.least for slot in SLOTS[do])


def _arguments(step: list[str], sorts: Sequence[str]) -> tuple[str, ...]:
    """What may follow inside the slots of a step."""
    slots = SLOTS[step[0]]
    markers = [slot.marker for slot in slots]
    at = max((markers.index(p) for p in step[1:] if p in markers), default=0)
    taken = [p for p in step if p.startswith("<")]
    since = max((k for k, p in enumerate(step) if not p.startswith("<")), default=0)
    here = len(step) - 1 - since if slots[at].marker == ("" if since == 0 else step[since]) else 0
    return _in_slot(slots, at, here, taken, sorts)


def _in_slot(
    slots: tuple[Slot, ...], at: int, here: int, taken: list[str], sorts: Sequence[str]
) -> tuple[str, ...]:
    slot, found = slots[at], []
    if here < slot.most:
        found += [p for p, s in zip(POINTERS, sorts, strict=False) if s in slot.sorts and p not in taken]
    if (slot.marker and here == 0) or here < slot.least:
        return tuple(found) or _repeated(slot, sorts)
    for later in slots[at + 1 :]:
        if any(s in later.sorts for s in sorts):
            found.append(later.marker)
        if later.least:
            return tuple(found)
    conditions = CONDITIONS if any(s in _SEEN.sorts for s in sorts) else ()
    return (*found, *conditions, END)


def _repeated(slot: Slot, sorts: Sequence[str]) -> tuple[str, ...]:
    """Where every fitting mention is taken already, one is named twice."""
    return tuple(p for p, s in zip(POINTERS, sorts, strict=False) if s in slot.sorts)


def _condition(so_far: list[str], sorts: Sequence[str]) -> tuple[str, ...]:
    """What may follow after IF or UNLESS."""
    if not so_far:
        return tuple(p for p, s in zip(POINTERS, sorts, strict=False) if s in _SEEN.sorts)
    sort = sorts[POINTERS.index(so_far[0])]
    if sort in STATES:
        return STATES[sort] if len(so_far) == 1 else (END,)
    places = tuple(p for p, s in zip(POINTERS, sorts, strict=False) if s in LOCATIONS)
    if len(so_far) == 1:
        return ("AT", END) if places else (END,)
    return places if so_far[-1] == "AT" else (END,)


def regular_expression(sorts: Sequence[str]) -> str:
    """The grammar for mentions of these sorts, `spelled`, for a server with structured output."""
    steps = "|".join(_step(do, sorts) for do in SLOTS if _possible(do, sorts))
    step = f"(?:{steps}){_conditions(sorts)}"
    return f"(?:{'|'.join(ENDINGS)}|{step}(?:[;>]{step}){{0,{MAX_SKETCH_STEPS - 1}}})"


def _step(do: str, sorts: Sequence[str]) -> str:
    text = do
    for slot in SLOTS[do]:
        fitting = _pointers(slot.sorts, sorts)
        if fitting:
            least = max(1, slot.least) if slot.marker else slot.least
            group = f"{slot.marker}{fitting}{{{least},{slot.most}}}"
            text += group if slot.least or not slot.marker else f"(?:{group})?"
    return text


def _conditions(sorts: Sequence[str]) -> str:
    place = _pointers(LOCATIONS, sorts)
    ways = []
    if thing := _pointers(THINGS, sorts):
        ways.append(f"{thing}(?:AT{place})?" if place else thing)
    for furniture, states in STATES.items():
        if pointer := _pointers(frozenset({furniture}), sorts):
            ways.append(f"{pointer}(?:{'|'.join(states)})")
    return f"(?:(?:IF|UNLESS)(?:{'|'.join(ways)}))?" if ways else ""


def _pointers(wanted: frozenset[str], sorts: Sequence[str]) -> str:
    numbers = [str(k) for k, sort in enumerate(sorts, start=1) if sort in wanted]
    return rf"(?:\[(?:{'|'.join(numbers)})\])" if numbers else ""
