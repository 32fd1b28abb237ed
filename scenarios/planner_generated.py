"""Generated instructions on scenes that nobody has seen: is the goal reached that the label stands for?

What a label comes to is what a planner comes to that is sure of it: where it leaves open which object is
meant and none of them would do, that is a refusal and no question.

A scene holds what its instruction names, nine times of ten; otherwise most would end with the same refusal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum

import numpy as np

from agent.planner.candidates import Proposal
from agent.planner.embedded import EmbeddedPlanner
from agent.planner.generate import Example
from agent.planner.logical_form import At, Hue, Kind, LogicalForm, Selector, Which
from agent.planner.prediction_set import decide
from agent.planner.protocol import Plan, Question, Refusal
from scenarios.planner_length import Length, against_oracle, length
from scenarios.statistics import wilson
from skills.predicates import State
from skills.scene import PlaceRegion, Scene, SceneObject, SeenDrawer, SeenLamp
from skills.verify import Proof, prove
from vla_low_level.nouns import Category, Colour, Place

Decision = Plan | Question | Refusal
# How often what is named is there, and how often an object lies in a fixture.
NAMED, IN_FIXTURE = 0.9, 0.2
MAX_OBJECTS = 16


def scene_for(form: LogicalForm, seed: int) -> Scene:
    """Two to six objects anywhere, and what the form names; every fixture, a drawer and a lamp."""
    rng = np.random.default_rng([seed, 77])
    looks = [
        (Colour(_any(rng, Colour)), Category(_any(rng, Category)), _where(rng)) for _ in range(_few(rng))
    ]
    for selector in _named(form):
        if rng.random() < NAMED:
            many = selector.count + (selector.which is Which.ALL)
            looks += [_fitting(selector, rng) for _ in range(many)]
    count: Counter[str] = Counter()
    objects = []
    for colour, category, place in looks[:MAX_OBJECTS]:
        name = f"{colour}_{category}"
        count[name] += 1
        at = (float(rng.uniform(0.36, 0.61)), float(rng.uniform(-0.21, 0.21)), 0.0)
        found = SceneObject(
            id=f"{name}_{count[name]}", category=category, colour=colour, position_m=at, place=place
        )
        objects.append(found)
    return Scene(
        objects=tuple(objects),
        places=tuple(PlaceRegion(place=p, centre_m=(0.5, 0.4, 0), half_extent_m=(0.1, 0.1)) for p in Place),
        drawer=SeenDrawer(handle_m=(0.6, 0.2, 0.05), opening_m=0.1 * float(rng.random() < 0.5)),
        lamp=SeenLamp(button_m=(0.6, -0.2, 0.02), lit=bool(rng.random() < 0.5)),
    )


def _named(form: LogicalForm) -> Iterator[Selector]:
    """Every selector that does not lean on another one."""
    for step in form.steps:
        for selector in (*step.what, *([step.on] if step.on else [])):
            if selector.which in (Which.THE, Which.ANY, Which.ALL):
                yield selector
        if step.only_if is not None and step.only_if.there_is is not None:
            yield Selector(**step.only_if.there_is.model_dump())


def _fitting(selector: Selector, rng: np.random.Generator) -> tuple[Colour, Category, Place | None]:
    """Looks and place of an object that a selector means."""
    hue = Colour(_any(rng, Colour) if selector.hue is Hue("any") else selector.hue.value)
    kind = Category(_any(rng, Category) if selector.kind is Kind("any") else selector.kind.value)
    if selector.at is At("anywhere"):
        return hue, kind, _where(rng)
    return hue, kind, None if selector.at is At("table") else Place(selector.at.value)


def _any(rng: np.random.Generator, kind: type[StrEnum]) -> str:
    return str(rng.choice([member.value for member in kind]))


def _where(rng: np.random.Generator) -> Place | None:
    return Place(_any(rng, Place)) if rng.random() < IN_FIXTURE else None


def _few(rng: np.random.Generator) -> int:
    return int(rng.integers(2, 7))


def outcome(decision: Decision, scene: Scene) -> tuple[str, State | str | None]:
    """What a decision comes to: the end of its plan, or how it declines."""
    match decision:
        case Plan(graph=graph, goal=goal):
            proof = prove(graph, scene, goal)
            return ("plan", proof.end) if isinstance(proof, Proof) else ("unproved", None)
        case Question():
            return "question", None
        case Refusal():
            return "refusal", None


def score(planner: EmbeddedPlanner, examples: Iterable[Example]) -> dict[str, object]:
    """How many reach the goal of their label, or decline as it does; and what the others do instead."""
    count: Counter[str] = Counter()
    plans = 0
    lengths: list[Length | None] = []
    for number, item in enumerate(examples):
        scene = scene_for(item.form, number)
        wanted = outcome(decide((Proposal(item.form, 1.0),), scene, (), planner.threshold), scene)
        decision = planner.plan(item.instruction, scene, ())
        got = outcome(decision, scene)
        right = wanted == got
        plans += wanted[0] == "plan"
        moves = isinstance(decision, Plan) and got[0] == "plan" and bool(decision.graph)
        count["right" if right else "acts on something else" if moves else f"{got[0]} instead"] += 1
        lengths.append(length(decision, scene) if right else None)
    n = sum(count.values())
    told: dict[str, object] = {"n": n, "a plan is wanted": plans}
    told |= {name: str(wilson(k, n)) for name, k in count.most_common()}
    return told | {"right plans": against_oracle(lengths)}
