"""What can be true of a scene. The same terms serve as preconditions, effects, success tests and goals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from skills.scene import Scene
from vla_low_level.geometry import SIDE_Y_M
from vla_low_level.nouns import Opening, Place, Side, Switch


class Truth(StrEnum):
    """Three answers, because a camera may not show what is asked."""

    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"

    @staticmethod
    def of(*, holds: bool | None) -> Truth:
        """The truth value of a plain bool; None is UNKNOWN."""
        if holds is None:
            return Truth.UNKNOWN
        return Truth.TRUE if holds else Truth.FALSE


@dataclass(frozen=True, slots=True)
class State:
    """A scene reduced to what predicates speak of.

    Attributes:
        location: The fixture each object lies in, None for the bare table; the held object is absent.
        held: Id of the object in the hand.
        on: Which object stands on which, by id.
        side: The side of the table each object is at, None near the middle; held ones are absent.
        drawer: None when it is not seen.
        lamp: None when it is not seen.
    """

    location: Mapping[str, Place | None]
    held: str | None
    on: Mapping[str, str] = field(default_factory=dict)
    side: Mapping[str, Side | None] = field(default_factory=dict)
    drawer: Opening | None = None
    lamp: Switch | None = None

    @staticmethod
    def of(scene: Scene) -> State:
        """The state that perception believes in."""
        seen = [o for o in scene.objects if o.id != scene.held]
        lamp = None if scene.lamp is None else (Switch.ON if scene.lamp.lit else Switch.OFF)
        return State(
            location={o.id: o.place for o in seen},
            held=scene.held,
            on={o.id: o.on for o in seen if o.on is not None and o.on != scene.held},
            side={o.id: _side(o.position_m[1]) for o in seen},
            drawer=scene.drawer.stands if scene.drawer else None,
            lamp=lamp,
        )


def _side(y_m: float) -> Side | None:
    return next((side for side in Side if y_m * side.sign > SIDE_Y_M), None)


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


@dataclass(frozen=True, slots=True)
class OnTable:
    """The object stands on the bare table, and on nothing else."""

    object: str

    def evaluate(self, state: State) -> Truth:
        """UNKNOWN when the object is neither seen nor held."""
        if self.object in state.on:
            return Truth.FALSE
        return In(self.object, None).evaluate(state)

    def __str__(self) -> str:
        return f"on_table({self.object})"


@dataclass(frozen=True, slots=True)
class Clear:
    """Nothing stands on the object."""

    object: str

    def evaluate(self, state: State) -> Truth:
        """FALSE when something is seen on it."""
        return Truth.of(holds=self.object not in state.on.values())

    def __str__(self) -> str:
        return f"clear({self.object})"


@dataclass(frozen=True, slots=True)
class On:
    """One object stands on another."""

    object: str
    base: str

    def evaluate(self, state: State) -> Truth:
        """UNKNOWN when one of the two is neither seen nor held."""
        if state.held in (self.object, self.base):
            return Truth.FALSE
        if self.object not in state.location or self.base not in state.location:
            return Truth.UNKNOWN
        return Truth.of(holds=state.on.get(self.object) == self.base)

    def __str__(self) -> str:
        return f"on({self.object}, {self.base})"


@dataclass(frozen=True, slots=True)
class AtSide:
    """The object is at one side of the table."""

    object: str
    side: Side

    def evaluate(self, state: State) -> Truth:
        """UNKNOWN when the object is neither seen nor held."""
        if self.object in state.side:
            return Truth.of(holds=state.side[self.object] is self.side)
        return Truth.FALSE if state.held == self.object else Truth.UNKNOWN

    def __str__(self) -> str:
        return f"at_side({self.object}, {self.side.value})"


@dataclass(frozen=True, slots=True)
class DrawerIs:
    """The drawer stands so."""

    opening: Opening

    def evaluate(self, state: State) -> Truth:
        """UNKNOWN when it is not seen."""
        return Truth.of(holds=None if state.drawer is None else state.drawer is self.opening)

    def __str__(self) -> str:
        return f"drawer_is({self.opening.value})"


@dataclass(frozen=True, slots=True)
class DrawerSeen:
    """There is a drawer."""

    def evaluate(self, state: State) -> Truth:
        """UNKNOWN when it is not seen."""
        return Truth.UNKNOWN if state.drawer is None else Truth.TRUE

    def __str__(self) -> str:
        return "drawer_seen"


@dataclass(frozen=True, slots=True)
class LampIs:
    """The lamp is on, or off."""

    switch: Switch

    def evaluate(self, state: State) -> Truth:
        """UNKNOWN when it is not seen."""
        return Truth.of(holds=None if state.lamp is None else state.lamp is self.switch)

    def __str__(self) -> str:
        return f"lamp_is({self.switch.value})"


Predicate = Visible | HandEmpty | Held | In | OnTable | Clear | On | AtSide | DrawerIs | DrawerSeen | LampIs


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
                state = _taken(held, state)
            case In(object=moved, place=place):
                state = _moved(moved, state, place)
            case On(object=moved, base=base):
                state = _moved(moved, state, state.location.get(base))
                state = replace(state, on={**state.on, moved: base})
            case AtSide(object=moved, side=side):
                state = replace(state, side={**state.side, moved: side})
            case HandEmpty():
                state = replace(state, held=None)
            case DrawerIs(opening=opening):
                state = replace(state, drawer=opening)
            case LampIs(switch=switch):
                state = replace(state, lamp=switch)
            case Visible() | OnTable() | Clear() | DrawerSeen():
                pass
    return state


def _taken(item: str, state: State) -> State:
    """The object goes into the hand."""
    return replace(
        state,
        location={k: v for k, v in state.location.items() if k != item},
        on={k: v for k, v in state.on.items() if k != item},
        side={k: v for k, v in state.side.items() if k != item},
        held=item,
    )


def _moved(item: str, state: State, place: Place | None) -> State:
    """The object is let go in a fixture, or on the table."""
    held = None if state.held == item else state.held
    state = _taken(item, state)
    return replace(
        state, location={**state.location, item: place}, side={**state.side, item: None}, held=held
    )
