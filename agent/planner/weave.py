"""Goals become a skill graph: each goal its steps, and only those edges that something needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from pydantic import ValidationError

from agent.planner.protocol import Refusal
from skills.graph import SkillGraph, SkillNode
from skills.library import CloseDrawer, OpenDrawer, Pick, Press, Push, Put, Skill, Stack
from skills.predicates import AtSide, DrawerIs, Held, In, LampIs, On, Predicate, State, Truth, apply
from skills.scene import Scene
from vla_low_level.nouns import Opening

Stage = tuple[Sequence[Predicate], bool]


@dataclass
class _Draft:
    """The graph as it grows, and the state after it."""

    state: State
    nodes: list[SkillNode] = field(default_factory=list)
    edges: list[tuple[str, str]] = field(default_factory=list)
    latest: dict[str, str] = field(default_factory=dict)
    barrier: tuple[str, ...] = ()
    ends: list[str] = field(default_factory=list)


def weave(
    stages: Sequence[Stage], scene: Scene, done: frozenset[str], troubled: frozenset[str]
) -> tuple[SkillGraph, tuple[Predicate, ...]] | Refusal:
    """The graph that makes every goal true, and the goals that hold at its end.

    A stage is goals, and whether they come only after all before. What is true already needs no step; nor
    does what is in `done` and is only passed through. Goals about `troubled` objects come last in a stage.
    """
    final = _final(stages)
    draft = _Draft(State.of(scene))
    for goals, then in stages:
        if then:
            draft.barrier = tuple(draft.ends) or draft.barrier
            draft.ends = []
        for goal in _in_order(goals, draft.state, troubled):
            passed = str(goal) in done and goal not in final
            if passed or goal.evaluate(draft.state) is Truth.TRUE:
                continue
            refusal = _add(draft, goal, scene)
            if refusal is not None:
                return refusal
    try:
        return SkillGraph(nodes=tuple(draft.nodes), edges=tuple(dict.fromkeys(draft.edges))), final
    except ValidationError as error:
        why = error.errors()[0]["msg"].removeprefix("Value error, ")
        return Refusal("PLAN_TOO_LARGE", f"that is too much for one plan: {why}", "ask for a part of it")


def _final(stages: Sequence[Stage]) -> tuple[Predicate, ...]:
    """The last goal about each object or piece of furniture."""
    latest: dict[str, Predicate] = {}
    for goals, _ in stages:
        for goal in goals:
            latest.pop(subject(goal), None)
            latest[subject(goal)] = goal
    return tuple(latest.values())


def subject(goal: Predicate) -> str:
    """What a goal is about."""
    match goal:
        case In(object=name) | On(object=name) | AtSide(object=name) | Held(object=name):
            return name
        case DrawerIs():
            return "drawer"
    return "lamp"


def _in_order(goals: Sequence[Predicate], state: State, troubled: frozenset[str]) -> list[Predicate]:
    """What is in the hand comes first, what stands on something before it; towers keep their order."""
    below = set(state.on.values())

    def late(goal: Predicate) -> tuple[bool, bool, bool]:
        name = subject(goal)
        return name != state.held, not isinstance(goal, On) and name in below, name in troubled

    return sorted(goals, key=late)


def _add(draft: _Draft, goal: Predicate, scene: Scene) -> Refusal | None:
    name = subject(goal)
    on_it = [top for top, base in draft.state.on.items() if base == name and not isinstance(goal, AtSide)]
    if on_it:
        return _blocked(on_it[0], name, scene)
    needs = [draft.latest[name]] if name in draft.latest else []
    needs += [draft.latest[top] for top in _stood_on(name, scene) if top in draft.latest]
    if isinstance(goal, On):
        occupied = [top for top, base in draft.state.on.items() if base == goal.base]
        if occupied:
            return _blocked(occupied[0], goal.base, scene)
        needs += [draft.latest[x] for x in (goal.base, *_stood_on(goal.base, scene)) if x in draft.latest]
    steps = [_node(draft, skill, k) for k, skill in enumerate(_skills(goal, draft.state))]
    draft.nodes += steps
    draft.edges += [(a.id, b.id) for a, b in pairwise(steps)]
    draft.edges += [(earlier, steps[0].id) for earlier in dict.fromkeys((*needs, *draft.barrier))]
    for step in steps:
        draft.state = apply(step.skill.effects(), draft.state)
    draft.latest[name] = steps[-1].id
    if isinstance(goal, On):
        draft.latest[goal.base] = steps[-1].id
    draft.ends.append(steps[-1].id)
    return None


def _stood_on(name: str, scene: Scene) -> list[str]:
    return [o.id for o in scene.objects if o.on == name]


def _skills(goal: Predicate, state: State) -> list[Skill]:
    """The skills that make a goal true."""
    match goal:
        case In(object=name, place=place) if place is not None:
            return [*_picked(name, state), Put(object=name, place=place)]
        case On(object=name, base=base):
            return [*_picked(name, state), Stack(object=name, base=base)]
        case AtSide(object=name, side=side):
            return [Push(object=name, side=side)]
        case Held(object=name):
            return [Pick(object=name)]
        case DrawerIs(opening=opening):
            return [OpenDrawer() if opening is Opening.OPEN else CloseDrawer()]
        case LampIs(switch=switch):
            return [Press(switch=switch)]
    raise ValueError(f"no skill makes {goal} true")


def _picked(name: str, state: State) -> list[Skill]:
    return [] if state.held == name else [Pick(object=name)]


def _node(draft: _Draft, skill: Skill, _number: int) -> SkillNode:
    stem = f"{skill.name}_{skill.subject}" if skill.subject else skill.name
    again = sum(node.id == stem or node.id.startswith(f"{stem}_again") for node in draft.nodes)
    return SkillNode(id=stem if not again else f"{stem}_again{again}", skill=skill)


def _blocked(top: str, base: str, scene: Scene) -> Refusal:
    names = [(found.phrase if (found := scene.get(i)) else i) for i in (top, base)]
    return Refusal(
        "BLOCKED", f"the {names[0]} stands on the {names[1]}", f"say first where the {names[0]} goes"
    )
