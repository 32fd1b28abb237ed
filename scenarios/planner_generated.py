"""Generated instructions on scenes that nobody has seen: is the goal reached that the label stands for?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from agent.planner.embedded import EmbeddedPlanner
from agent.planner.generate import Example
from agent.planner.grounder import ground
from agent.planner.protocol import Plan, Question, Refusal
from scenarios.statistics import wilson
from skills.predicates import State
from skills.scene import PlaceRegion, Scene, SceneObject, SeenDrawer, SeenLamp
from skills.search import shortest
from skills.verify import Proof, prove
from vla_low_level.nouns import Category, Colour, Place

Decision = Plan | Question | Refusal


def random_scene(seed: int) -> Scene:
    """Three to ten objects, some in fixtures; every fixture, a drawer and a lamp."""
    rng = np.random.default_rng([seed, 77])
    count: Counter[str] = Counter()
    objects = []
    for _ in range(int(rng.integers(3, 11))):
        colour, category = Colour(str(rng.choice(list(Colour)))), Category(str(rng.choice(list(Category))))
        count[f"{colour}_{category}"] += 1
        objects.append(
            SceneObject(
                id=f"{colour}_{category}_{count[f'{colour}_{category}']}",
                category=category,
                colour=colour,
                position_m=(float(rng.uniform(0.36, 0.61)), float(rng.uniform(-0.21, 0.21)), 0.0),
                place=Place(str(rng.choice(list(Place)))) if rng.random() < 0.3 else None,
            )
        )
    return Scene(
        objects=tuple(objects),
        places=tuple(PlaceRegion(place=p, centre_m=(0.5, 0.4, 0), half_extent_m=(0.1, 0.1)) for p in Place),
        drawer=SeenDrawer(handle_m=(0.6, 0.2, 0.05), opening_m=0.1 * float(rng.random() < 0.5)),
        lamp=SeenLamp(button_m=(0.6, -0.2, 0.02), lit=bool(rng.random() < 0.5)),
    )


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
    steps = least = 0
    for number, item in enumerate(examples):
        scene = random_scene(number)
        wanted = outcome(ground(item.form, scene, ()), scene)
        decision = planner.plan(item.instruction, scene, ())
        got = outcome(decision, scene)
        right = wanted == got
        count[
            "right" if right else "acts on something else" if _moves(decision, got) else f"{got[0]} instead"
        ] += 1
        if right and isinstance(decision, Plan) and not _ordered(item):
            best = shortest(scene, decision.goal)
            if best is not None:
                steps, least = steps + len(decision.graph.nodes), least + len(best)
    n = sum(count.values())
    told: dict[str, object] = {"n": n} | {name: str(wilson(k, n)) for name, k in count.most_common()}
    return told | {"steps of right plans / of the shortest": f"{steps}/{least}"}


def _moves(decision: Decision, got: tuple[str, State | str | None]) -> bool:
    return got[0] == "plan" and isinstance(decision, Plan) and bool(decision.graph)


def _ordered(item: Example) -> bool:
    """An order that is asked for may need more steps than the goal alone."""
    return ">" in item.sketch
