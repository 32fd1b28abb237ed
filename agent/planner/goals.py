"""One step of a logical form as goals: what must be true of which objects once it is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from agent.planner.logical_form import Do, Selector, Step, Which
from agent.planner.protocol import Question, Refusal
from agent.planner.resolve import Context, resolve
from skills.library import PUSHABLE, STACKABLE
from skills.predicates import AtSide, DrawerIs, Held, In, LampIs, On, Predicate, State
from skills.scene import SceneObject
from vla_low_level.nouns import Category, Colour, Opening, Place, Side, Switch

Goals = tuple[Predicate, ...]
Objects = list[SceneObject]
NOT_TO_BE_MOVED = "NOT_TO_BE_MOVED"
DEFAULT_PLACE = {
    Category.PLATE: Place.DISH_RACK,
    Category.CUP: Place.SINK,
    Category.SPOON: Place.UTENSIL_HOLDER,
    Category.BOTTLE: Place.BIN,
    Category.CUBE: Place.TRAY,
}
SORTING_PLACES = (Place.SINK, Place.DISH_RACK, Place.BIN, Place.TRAY)
EVERYTHING = Selector(which=Which.ALL)


def goals_of(step: Step, context: Context, spared: frozenset[str]) -> Goals | Question | Refusal:
    """What a step comes to on this scene. `spared` is left alone by everything that is said of all."""
    if step.do in _FURNITURE:
        return _FURNITURE[step.do](context.state)
    found = _selected(step, context, spared)
    if not isinstance(found, list):
        return found
    base: SceneObject | None = None
    if step.on is not None:
        below = resolve(step.on, context)
        if not isinstance(below, list):
            return below
        base = below[0]
    context.name(found)
    context.named += [base.id] if base else []
    if step.do is Do.PUT_ON:
        return _on(found, base)
    return _MAKERS[step.do](step, found, context)


def _selected(step: Step, context: Context, spared: frozenset[str]) -> Objects | Question | Refusal:
    """The objects of a step, in the order in which they are named."""
    prefer = _as_wanted(step, context.state)
    chosen: Objects = []
    for selector in step.what or ((EVERYTHING,) if step.do in _OF_ALL else ()):
        found = resolve(selector, context, prefer)
        if isinstance(found, Refusal) and step.do is Do.PUT_AWAY and found.code == "NO_SUCH_OBJECT":
            known = selector.which in (Which.ALL, Which.REST)
            found = [] if known and not step.what else found
        if not isinstance(found, list):
            return found
        if selector.which in (Which.ALL, Which.REST, Which.ANY):
            found = [o for o in found if o.id not in spared]
        elif touched := [o for o in found if o.id in spared]:
            text = f"Shall I touch the {touched[0].phrase} or not?"
            return Refusal(NOT_TO_BE_MOVED, text)
        chosen += [o for o in found if o not in chosen]
    if step.do is Do.PUT_AWAY and all(s.which in (Which.ALL, Which.REST) for s in step.what):
        chosen = [o for o in chosen if context.state.location.get(o.id) is None]
    return chosen


def _as_wanted(step: Step, state: State) -> frozenset[str]:
    """Ids of what lies already where a step puts things."""
    places = {place.value: place for place in Place}
    goal = Place.BIN if step.do is Do.THROW_AWAY else places.get(step.to.value)
    return frozenset(name for name, place in state.location.items() if goal is not None and place is goal)


def _put(step: Step, found: Objects, context: Context) -> Goals | Question | Refusal:
    places = {place.value: place for place in Place}
    if step.to.value == "nowhere":
        what = found[0].phrase if len(found) == 1 else "things"
        return Question(f"Where shall I put the {what}?", tuple(p.phrase for p in Place), "NO_PLACE")
    if step.to.value not in places:
        where = "inside the drawer" if step.to.value == "drawer" else f"down on the {step.to.value}"
        return Refusal(
            "NO_SKILL",
            f"I have no skill for putting things {where}",
            "name the sink, a rack, the bin or the tray",
        )
    return _into([(o, places[step.to.value]) for o in found], context)


def _into(moves: Sequence[tuple[SceneObject, Place]], context: Context) -> Goals | Refusal:
    for _, place in moves:
        if context.scene.region(place) is None:
            return Refusal("NO_SUCH_PLACE", f"I see no {place.phrase}", "put it in the camera's view")
    return tuple(In(o.id, place) for o, place in moves)


def _away(_step: Step, found: Objects, context: Context) -> Goals | Refusal:
    return _into([(o, DEFAULT_PLACE[o.category]) for o in found], context)


def _trash(_step: Step, found: Objects, context: Context) -> Goals | Refusal:
    return _into([(o, Place.BIN) for o in found], context)


def _on(found: Objects, base: SceneObject | None) -> Goals | Question | Refusal:
    if base is None:
        return Question("What shall I put it on?", (), "NO_PLACE")
    if len(found) != 1:
        return Refusal("NO_ROOM", f"there is room for one thing on the {base.phrase}", "name one, or a tower")
    item = found[0]
    if (item.category, base.category) not in STACKABLE or item.id == base.id:
        return Refusal(
            "NOT_STACKABLE",
            f"the {item.phrase} does not stand safely on the {base.phrase}",
            "stack cubes on cubes or plates, or cups on plates",
        )
    return (On(item.id, base.id),)


def _tower(step: Step, found: Objects, context: Context) -> Goals | Question | Refusal:
    if len(found) < 2:
        return Question("What shall I stack on what?", (), "NOT_UNDERSTOOD")
    if len(step.what) == 1:
        if step.what[0].which is Which.ANY:
            return Question("Which of them shall I stack?", (), "NOT_UNDERSTOOD")
        found = sorted(found, key=lambda o: (o.category is not Category.PLATE, _height(o.id, context.state)))
    goals: list[Predicate] = []
    for below, item in pairwise(found):
        goal = _on([item], below)
        if not isinstance(goal, tuple):
            return goal
        goals += goal
    return tuple(goals)


def _height(name: str, state: State) -> int:
    """How many things are below it."""
    count = 0
    while name in state.on and count < len(state.on):
        name, count = state.on[name], count + 1
    return count


def _swap(_step: Step, found: Objects, context: Context) -> Goals | Question | Refusal:
    if len(found) != 2:
        return Question("Which two shall I swap?", (), "NOT_UNDERSTOOD")
    places = [context.state.location.get(o.id) for o in found]
    if places[0] is None or places[1] is None:
        return Refusal("NO_SKILL", "I can only swap things that lie in fixtures", "name where each should go")
    return In(found[0].id, places[1]), In(found[1].id, places[0])


def _push(step: Step, found: Objects, context: Context) -> Goals | Question | Refusal:
    if step.to.value not in (Side.LEFT.value, Side.RIGHT.value):
        return Question("To which side shall I push it?", ("left", "right"), "NO_PLACE")
    for item in found:
        if item.category not in PUSHABLE:
            return Refusal(
                "NOT_PUSHABLE", f"the {item.phrase} would fall over", "push cubes and plates, or pick it up"
            )
        if context.state.location.get(item.id) is not None:
            return Refusal("NOT_PUSHABLE", f"the {item.phrase} does not stand on the table")
    return tuple(AtSide(o.id, Side(step.to.value)) for o in found)


def _pick(_step: Step, found: Objects, _context: Context) -> Goals | Question | Refusal:
    if len(found) != 1:
        return Refusal("ONE_HAND", "I can hold one thing at a time", "name one")
    return (Held(found[0].id),)


def _sorted_by(step: Step, found: Objects, context: Context) -> Goals | Refusal:
    """One place for each colour or kind; groups keep the place that holds most of them."""
    if step.do is Do.SORT_BY_KIND:
        return _away(step, found, context)
    colours = [c for c in Colour if any(o.colour is c for o in found)]
    free = [p for p in SORTING_PLACES if context.scene.region(p) is not None]
    if len(colours) > len(free):
        return Refusal(
            "TOO_MANY_COLOURS",
            f"there are {len(colours)} colours and only {len(free)} places to sort them into",
            "sort one kind of thing, for example the cubes",
        )
    places = _places_of(colours, free, found, context.state)
    return _into([(o, places[o.colour]) for o in found], context)


def _places_of(colours: list[Colour], free: list[Place], found: Objects, state: State) -> dict[Colour, Place]:
    """A place for each colour: the largest groups that lie together already choose first."""
    where = {o.id: state.location.get(o.id) for o in found}
    count = {(c, p): sum(o.colour is c and where[o.id] is p for o in found) for c in colours for p in free}
    ranked = sorted(count, key=lambda pair: (-count[pair], colours.index(pair[0]), free.index(pair[1])))
    pairs: dict[Colour, Place] = {}
    for colour, place in ranked:
        if colour not in pairs and place not in pairs.values():
            pairs[colour] = place
    return pairs


def _drawer(opening: Opening) -> Callable[[State], Goals | Refusal]:
    def make(state: State) -> Goals | Refusal:
        if state.drawer is None:
            return Refusal("NO_SUCH_THING", "I see no drawer", "put it in the camera's view")
        return (DrawerIs(opening),)

    return make


def _lamp(switch: Switch | None) -> Callable[[State], Goals | Refusal]:
    def make(state: State) -> Goals | Refusal:
        if state.lamp is None:
            return Refusal("NO_SUCH_THING", "I see no lamp", "put it in the camera's view")
        return (LampIs(switch or (Switch.OFF if state.lamp is Switch.ON else Switch.ON)),)

    return make


_OF_ALL = (Do.PUT_AWAY, Do.SORT_BY_COLOUR, Do.SORT_BY_KIND)
_FURNITURE: dict[Do, Callable[[State], Goals | Refusal]] = {
    Do.OPEN: _drawer(Opening.OPEN),
    Do.CLOSE: _drawer(Opening.CLOSED),
    Do.LAMP_ON: _lamp(Switch.ON),
    Do.LAMP_OFF: _lamp(Switch.OFF),
    Do.PRESS: _lamp(None),
}
_MAKERS: dict[Do, Callable[[Step, Objects, Context], Goals | Question | Refusal]] = {
    Do.PUT: _put,
    Do.PUT_AWAY: _away,
    Do.THROW_AWAY: _trash,
    Do.TOWER: _tower,
    Do.SORT_BY_COLOUR: _sorted_by,
    Do.SORT_BY_KIND: _sorted_by,
    Do.SWAP: _swap,
    Do.PUSH: _push,
    Do.PICK: _pick,
}
