"""The shortest plan for a goal, found by search over the same skills and predicates that proofs use.

A test oracle: plans of language models are compared with it. It is no planner of the robot's, and never
stands in for one that has failed.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import count

from skills.library import CloseDrawer, OpenDrawer, Pick, Press, Push, Put, Skill, Stack
from skills.predicates import (
    AtSide,
    DrawerIs,
    Held,
    In,
    LampIs,
    On,
    Predicate,
    State,
    Truth,
    apply,
    first_unmet,
)
from skills.scene import Scene
from vla_low_level.nouns import Opening, Place

MAX_EXPANSIONS = 20_000
Key = tuple[object, ...]
_Entry = tuple[int, int, int, State, tuple[Skill, ...]]


def shortest(
    scene: Scene, goal: Sequence[Predicate], max_expansions: int = MAX_EXPANSIONS
) -> tuple[Skill, ...] | None:
    """A shortest sequence of skills after which every goal holds; None when none is found within bounds.

    A* (Hart, Nilsson and Raphael 1968); the estimate counts the steps that each unmet goal needs at least.
    """
    start, order = State.of(scene), count()
    queue: list[_Entry] = [(_estimate(start, goal), 0, next(order), start, ())]
    best: dict[Key, int] = {}
    for _ in range(max_expansions):
        if not queue:
            return None
        _, minus_depth, _, state, done = heapq.heappop(queue)
        if first_unmet(goal, state) is None:
            return done
        key = _key(state)
        if best.get(key, len(done) + 1) <= len(done):
            continue
        best[key] = len(done)
        for skill in _moves(state, goal):
            if first_unmet(skill.preconditions(), state) is None:
                after = apply(skill.effects(), state)
                steps = (*done, skill)
                total = len(steps) + _estimate(after, goal)
                heapq.heappush(queue, (total, minus_depth - 1, next(order), after, steps))
    return None


def _estimate(state: State, goal: Sequence[Predicate]) -> int:
    """Steps that are still needed at least."""
    steps = 0
    for predicate in goal:
        if predicate.evaluate(state) is not Truth.TRUE:
            carried = isinstance(predicate, In | On) and state.held != predicate.object
            steps += 2 if carried else 1
    return steps


def _moves(state: State, goal: Sequence[Predicate]) -> Iterator[Skill]:
    """What could help: the goals' own skills, and putting aside what stands in the way."""
    for predicate in goal:
        match predicate:
            case In(object=name, place=place) if place is not None:
                yield from _clear(name, state)
                yield Pick(object=name)
                yield Put(object=name, place=place)
            case On(object=name, base=base):
                yield from _clear(name, state)
                yield from _clear(base, state)
                yield Pick(object=name)
                yield Stack(object=name, base=base)
            case Held(object=name):
                yield Pick(object=name)
            case AtSide(object=name, side=side):
                yield Push(object=name, side=side)
            case DrawerIs(opening=opening):
                yield OpenDrawer() if opening is Opening.OPEN else CloseDrawer()
            case LampIs(switch=switch):
                yield Press(switch=switch)


def _clear(base: str, state: State) -> Iterator[Skill]:
    """Take what stands on it somewhere else."""
    for top, below in state.on.items():
        if below == base:
            yield Pick(object=top)
    if state.held is not None:
        yield Put(object=state.held, place=Place.TRAY)


def _key(state: State) -> Key:
    return (
        tuple(sorted((k, str(v)) for k, v in state.location.items())),
        state.held,
        tuple(sorted(state.on.items())),
        tuple(sorted((k, str(v)) for k, v in state.side.items())),
        state.drawer,
        state.lamp,
    )
