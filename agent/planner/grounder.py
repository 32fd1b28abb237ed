"""From what was meant to what is there: selectors become objects, goals become a skill graph.

Deterministic. No match is a refusal that names what is missing, several for one are a question, and what
is so already is left alone, so that grounding the same form on a later scene gives what is left to do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from agent.planner.describe import whereabouts
from agent.planner.logical_form import Goal, Intent, LogicalForm, Quantity, Why
from agent.planner.protocol import Answer, Failure, History, Plan, Question, Refusal
from skills.graph import SkillGraph, SkillNode
from skills.library import Pick, Put
from skills.predicates import In
from skills.scene import Scene, SceneObject
from vla_low_level.nouns import Category, Colour, Place

DEFAULT_PLACE = {
    Category.PLATE: Place.DISH_RACK,
    Category.CUP: Place.SINK,
    Category.SPOON: Place.UTENSIL_HOLDER,
    Category.BOTTLE: Place.BIN,
    Category.CUBE: Place.TRAY,
}
SORTING_PLACES = (Place.SINK, Place.DISH_RACK, Place.BIN, Place.TRAY)

_SMALL = frozenset({"the", "a", "one", "on", "in", "at", "please", "that", "this", "to"})
_WHY = {
    Why.OBJECT: (
        "UNKNOWN_OBJECT",
        "I do not know such an object",
        "name a cup, plate, spoon, bottle or cube",
    ),
    Why.PLACE: (
        "UNKNOWN_PLACE",
        "I do not know such a place",
        "name the sink, dish rack, utensil holder, bin or tray",
    ),
    Why.HARMFUL: ("HARMFUL", "I will not do anything that could hurt somebody", ""),
    Why.UNSUPPORTED: (
        "UNSUPPORTED",
        "I cannot do that",
        "ask me to clear the table, to put things somewhere, or to sort them by colour",
    ),
}


@dataclass(frozen=True, slots=True)
class _Move:
    """An object and where it goes."""

    item: SceneObject
    place: Place


@dataclass
class _Draft:
    """The graph as it grows, goal by goal."""

    nodes: list[SkillNode] = field(default_factory=list)
    edges: list[tuple[str, str]] = field(default_factory=list)
    last: tuple[str, ...] = ()


def ground(form: LogicalForm, scene: Scene, history: Sequence[History]) -> Plan | Question | Refusal:
    """Ground every goal, in order; the first that cannot be grounded decides."""
    troubled = {h.object for h in history if isinstance(h, Failure)}
    stages: list[list[_Move]] = []
    for goal in form.goals:
        moves = _moves(goal, scene, history)
        if isinstance(moves, Question | Refusal):
            return moves
        stages.append(sorted(moves, key=lambda m: m.item.id in troubled))
    final = {move.item.id: move.place for stage in stages for move in stage}
    draft = _Draft()
    for stage in stages:
        _add(draft, stage, scene, final)
    graph = SkillGraph(nodes=tuple(draft.nodes), edges=tuple(draft.edges))
    return Plan(graph, tuple(In(item, place) for item, place in final.items()), form)


def _moves(goal: Goal, scene: Scene, history: Sequence[History]) -> list[_Move] | Question | Refusal:
    if goal.intent is Intent.UNKNOWN:
        return Refusal(*_WHY[goal.why if goal.why is not Why.NONE else Why.UNSUPPORTED])
    found = [o for o in scene.objects if _matches(goal, o)]
    if goal.intent is Intent.CLEAR:
        loose = [o for o in found if o.place is None or o.id == scene.held]
        return _checked([_Move(o, DEFAULT_PLACE[o.category]) for o in loose], scene)
    if not found:
        return _nothing(goal, scene)
    if goal.intent is Intent.SORT:
        return _sorted_by_colour(found, scene)
    if goal.quantity is Quantity.ONE:
        chosen = _one(goal, found, scene, history)
        if isinstance(chosen, Question):
            return chosen
        found = [chosen]
    return _checked([_Move(o, _target(goal, o)) for o in found], scene)


def _matches(goal: Goal, item: SceneObject) -> bool:
    kind, hue = goal.kind.value, goal.hue.value
    return kind in ("any", item.category.value) and hue in ("any", item.colour.value)


def _target(goal: Goal, item: SceneObject) -> Place:
    return DEFAULT_PLACE[item.category] if goal.where.value == "default" else Place(goal.where.value)


def _one(
    goal: Goal, found: list[SceneObject], scene: Scene, history: Sequence[History]
) -> SceneObject | Question:
    """The one that is meant: the only one, the one a person chose, the held one, or one already there."""
    chosen = {name for h in history if isinstance(h, Answer) for name in _chosen(h)}
    for item in found:
        if item.id in chosen or item.id == scene.held:
            return item
    there = [o for o in found if o.place is _target(goal, o)]
    if len(found) == 1 or there:
        return (there or found)[0]
    labels = whereabouts(found)
    phrase = _phrase(goal)
    return Question(f"Which {phrase} do you mean?", labels, "AMBIGUOUS", tuple(o.id for o in found))


def _chosen(answer: Answer) -> tuple[str, ...]:
    """Ids that an answer picks out: by option, by number, by id, or by words that one option alone has."""
    said = answer.answer.strip().lower()
    options = [option.lower() for option in answer.question.options]
    ids = answer.question.objects
    for number, (option, name) in enumerate(zip(options, ids, strict=False), start=1):
        if said in (option, str(number), name):
            return (name,)
    words = set(re.findall(r"\w+", said)) - _SMALL
    fits = [
        name for option, name in zip(options, ids, strict=False) if words <= set(re.findall(r"\w+", option))
    ]
    return (fits[0],) if words and len(fits) == 1 else ()


def _nothing(goal: Goal, scene: Scene) -> Refusal:
    seen = ", ".join(sorted({o.phrase for o in scene.objects})) or "nothing"
    return Refusal(
        "NO_SUCH_OBJECT", f"I see no {_phrase(goal)}; I see {seen}", "name something that is there"
    )


def _phrase(goal: Goal) -> str:
    """The selector as it is said: `red cup`, `cup`, `red object`."""
    words = [goal.hue.value] if goal.hue.value != "any" else []
    return " ".join([*words, goal.kind.value if goal.kind.value != "any" else "object"])


def _sorted_by_colour(found: list[SceneObject], scene: Scene) -> list[_Move] | Refusal:
    """One place per colour. Colours keep the place that holds most of them, so that a second look agrees."""
    colours = [c for c in Colour if any(o.colour is c for o in found)]
    free = [p for p in SORTING_PLACES if scene.region(p) is not None]
    if len(colours) > len(free):
        return Refusal(
            "TOO_MANY_COLOURS",
            f"there are {len(colours)} colours and only {len(free)} places to sort them into",
            "sort one kind of thing, for example the cubes",
        )
    return [_Move(o, place) for o in found for c, place in _places_of(colours, free, found) if o.colour is c]


def _places_of(
    colours: list[Colour], free: list[Place], found: list[SceneObject]
) -> list[tuple[Colour, Place]]:
    """Pairs of colour and place: the largest groups that lie together already choose first."""
    count = {(c, p): sum(o.colour is c and o.place is p for o in found) for c in colours for p in free}
    ranked = sorted(count, key=lambda pair: (-count[pair], colours.index(pair[0]), free.index(pair[1])))
    pairs: dict[Colour, Place] = {}
    for colour, place in ranked:
        if colour not in pairs and place not in pairs.values():
            pairs[colour] = place
    return list(pairs.items())


def _checked(moves: list[_Move], scene: Scene) -> list[_Move] | Refusal:
    for move in moves:
        if scene.region(move.place) is None:
            return Refusal("NO_SUCH_PLACE", f"I see no {move.place.phrase}", "put it in the camera's view")
    return moves


def _add(draft: _Draft, moves: list[_Move], scene: Scene, final: dict[str, Place]) -> None:
    """Two nodes a move, after everything that an earlier goal needs.

    What lies where the last goal wants it needs none: it has been there before, or was there all along.
    """
    before, ends = draft.last, []
    for move in moves:
        item = move.item
        moved = sum(n.skill.subject == item.id for n in draft.nodes)
        if item.id != scene.held and not moved and item.place in (move.place, final[item.id]):
            continue
        suffix = f"_{moved}" if moved else ""
        pick = SkillNode(id=f"pick_{item.id}{suffix}", skill=Pick(object=item.id))
        put = SkillNode(id=f"place_{item.id}{suffix}", skill=Put(object=item.id, place=move.place))
        steps = [put] if item.id == scene.held and not moved else [pick, put]
        draft.nodes += steps
        draft.edges += [(a.id, b.id) for a, b in pairwise(steps)]
        draft.edges += [(earlier, steps[0].id) for earlier in before]
        ends.append(put.id)
    draft.last = tuple(ends) or before
