"""What can be true of a scene. The same terms serve as preconditions, effects, success tests and goals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from skills.scene import Scene
from vla_low_level.nouns import Place


class Truth(StrEnum):
    """Three answers, because a camera may not show what is asked."""

    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"

    @staticmethod
    def of(*, holds: bool) -> Truth:
        """The truth value of a plain bool."""
        return Truth.TRUE if holds else Truth.FALSE


@dataclass(frozen=True, slots=True)
class State:
    """A scene reduced to what predicates speak of.

    Attributes:
        location: The fixture each object lies in, None for the bare table; the held object is absent.
        held: Id of the object in the hand.
    """

    location: Mapping[str, Place | None]
    held: str | None

    @staticmethod
    def of(scene: Scene) -> State:
        """The state that perception believes in."""
        return State({o.id: o.place for o in scene.objects if o.id != scene.held}, scene.held)


@dataclass(frozen=True, slots=True)
class Visible:
    """The object is somewhere the camera sees, not in the hand."""

    object: str

    def evaluate(self, state: State) -> Truth:
        """FALSE when it is held, UNKNOWN when it is not seen at all."""
        if self.object in state.location:
            return Truth.TRUE
        return Truth.FALSE if state.held == self.object else Truth.UNKNOWN

    def __str__(self) -> str:
        return f"visible({self.object})"


@dataclass(frozen=True, slots=True)
class HandEmpty:
    """Nothing is held."""

    def evaluate(self, state: State) -> Truth:
        """TRUE when nothing is held."""
        return Truth.of(holds=state.held is None)

    def __str__(self) -> str:
        return "hand_empty"


@dataclass(frozen=True, slots=True)
class Held:
    """The object is in the hand."""

    object: str

    def evaluate(self, state: State) -> Truth:
        """TRUE when it is the held one."""
        return Truth.of(holds=state.held == self.object)

    def __str__(self) -> str:
        return f"held({self.object})"


@dataclass(frozen=True, slots=True)
class In:
    """The object lies in a fixture; `place` None means on the bare table."""

    object: str
    place: Place | None

    def evaluate(self, state: State) -> Truth:
        """UNKNOWN when the object is neither seen nor held."""
        if self.object in state.location:
            return Truth.of(holds=state.location[self.object] is self.place)
        return Truth.FALSE if state.held == self.object else Truth.UNKNOWN

    def __str__(self) -> str:
        return f"in({self.object}, {self.place.value if self.place else 'table'})"


Predicate = Visible | HandEmpty | Held | In


def first_unmet(predicates: Iterable[Predicate], state: State) -> tuple[Predicate, Truth] | None:
    """The first predicate that is not TRUE, with its value; None when all are."""
    for predicate in predicates:
        value = predicate.evaluate(state)
        if value is not Truth.TRUE:
            return predicate, value
    return None


def apply(effects: Iterable[Predicate], state: State) -> State:
    """The state after `effects` have been made true, in order."""
    for effect in effects:
        match effect:
            case Held(object=held):
                rest = {k: v for k, v in state.location.items() if k != held}
                state = State(rest, held)
            case In(object=moved, place=place):
                held_now = None if state.held == moved else state.held
                state = State({**state.location, moved: place}, held_now)
            case HandEmpty():
                state = replace(state, held=None)
            case Visible():
                pass
    return state
