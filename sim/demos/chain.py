"""What to demonstrate, drawn from a seed: a varied scene, an arm, and a chain of tasks in it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.demos.episode import Frames, Pilot, Stage, play
from sim.demos.judge import Situation, is_on, look
from sim.demos.phrases import wording
from sim.demos.tasks import PUSHABLE, STACKABLE, Kind, Task
from sim.layout import resolve
from sim.scene import BUTTON_M, CABINET_M, DrawerSpec, LampSpec, ObjectSpec, PlacedScene, SceneSpec, Variation
from sim.truth import TrueObject
from traces.errors import TandemError
from vla_low_level.geometry import DRAWER_TRAVEL_M, SIDE_Y_M
from vla_low_level.nouns import Category, Place, Side, Switch
from vla_low_level.policies.specialist import HOME_YAW_RAD

ARMS = (("panda", 0.5), ("kuka_iiwa", 0.25), ("xarm6", 0.25))
HOME_OF = {
    Category.PLATE: Place.DISH_RACK,
    Category.CUP: Place.SINK,
    Category.SPOON: Place.UTENSIL_HOLDER,
    Category.BOTTLE: Place.BIN,
    Category.CUBE: Place.TRAY,
}
# Thin things are the hardest to take: they are shown more often.
CATEGORY_WEIGHTS = {
    Category.SPOON: 0.28,
    Category.PLATE: 0.18,
    Category.CUBE: 0.20,
    Category.CUP: 0.17,
    Category.BOTTLE: 0.17,
}
# One skill alone is shown in so many scenes: else what needs room or furniture would be rare.
FOCUS: tuple[tuple[Kind | None, float], ...] = (
    (None, 0.36),
    (Kind.PLACE_ON, 0.24),
    (Kind.PUSH, 0.18),
    (Kind.OPEN_DRAWER, 0.08),
    (Kind.CLOSE_DRAWER, 0.07),
    (Kind.PRESS, 0.07),
)
# Share of the things that lie in their fixtures already, at most.
MOST_STORED = 0.6
TASKS = 4
# Draws for each of them, when one skill alone is wanted and may not come up.
TRIES = 4
# Ways to say a subgoal that a dataset remembers, at most: a policy shall learn words rather than sentences.
WORDINGS = 8
CORRIDOR_M = 0.085
FITS = {
    Place.UTENSIL_HOLDER: (Category.SPOON, Category.CUBE, Category.CUP, Category.BOTTLE),
    Place.SINK: tuple(Category),
    Place.DISH_RACK: tuple(Category),
    Place.BIN: tuple(Category),
    Place.TRAY: tuple(Category),
}


@dataclass(frozen=True)
class Demonstration:
    """An episode and what was said.

    Attributes:
        task: What was shown.
        texts: Ways to ask for it.
        arm: Who showed it.
        seed: Of the chain; with `number` it names the episode.
        number: Of the episode within the chain.
        frames: Every row of it.
    """

    task: Task
    texts: tuple[str, ...]
    arm: str
    seed: int
    number: int
    frames: Frames


def draw_scene(rng: np.random.Generator, seed: int, arm: str, only: Kind | None = None) -> PlacedScene:
    """A varied table: some things may lie in fixtures already, there may be a drawer and a lamp.

    Where one skill alone is wanted, the scene has what it needs, and room for it.
    """
    furnished = rng.random() < 0.55
    count = int(rng.integers(2, 5)) if furnished else int(rng.integers(3, 9))
    names, weights = list(CATEGORY_WEIGHTS), list(CATEGORY_WEIGHTS.values())
    if only is Kind.PUSH:
        furnished, count, names, weights = False, 1 + count // 4, list(PUSHABLE), [0.5, 0.5]
    elif only in (Kind.OPEN_DRAWER, Kind.CLOSE_DRAWER, Kind.PRESS):
        furnished, count = True, min(count, 4)
    objects = []
    # While a table is cleared, the fixtures fill up: what is put there must find room among other things.
    full = float(rng.uniform(0.0, MOST_STORED))
    for k in range(count):
        category = names[int(rng.choice(len(names), p=weights))]
        stored = HOME_OF[category] if k and rng.random() < full else None
        objects.append(ObjectSpec(category=category, place=stored))
    jitter = rng.uniform(-0.012, 0.012, 4)
    out = float(rng.uniform(0.6, 1.0)) * DRAWER_TRAVEL_M if rng.random() < 0.5 else 0.0
    opening = {Kind.OPEN_DRAWER: 0.0, Kind.CLOSE_DRAWER: out or DRAWER_TRAVEL_M}.get(only or Kind.PICK, out)
    spec = SceneSpec(
        objects=tuple(objects),
        drawer=DrawerSpec(
            position=(CABINET_M[0] + jitter[0], CABINET_M[1] + 0.4 * jitter[1]), opening=opening
        )
        if furnished
        else None,
        lamp=LampSpec(
            position=(BUTTON_M[0] + jitter[2], BUTTON_M[1] + jitter[3]), lit=bool(rng.random() < 0.5)
        )
        if furnished
        else None,
    )
    return resolve(spec, seed).model_copy(update={"arm": arm, "variation": draw_variation(rng)})


def draw_variation(rng: np.random.Generator) -> Variation:
    """Colours, friction and cameras as they differ from one real table to the next."""
    grey = rng.uniform(-0.10, 0.08)
    return Variation(
        friction=float(rng.uniform(0.7, 1.2)),
        table=_triple(np.array([0.83, 0.78, 0.70]) + grey + rng.uniform(-0.03, 0.03, 3)),
        tint=_triple(rng.uniform(-0.04, 0.04, 3)),
        camera_turn_rad=_triple(rng.normal(0, math.radians(0.12), 3)),
        camera_shift_m=_triple(rng.normal(0, 0.0015, 3)),
    )


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in values)
    return x, y, z


def draw_chain(
    seed: int, *, arm: str | None = None, only: Kind | None = None, pilot: Pilot | None = None
) -> Iterator[Demonstration]:
    """Every demonstration of one scene that succeeded.

    Args:
        seed: The same gives the same bytes.
        arm: Whose; drawn when None.
        only: Show this skill alone, and what it needs; all of them when None.
        pilot: A policy that leads astray and is corrected, or None.
    """
    stage, rng = draw_stage(seed, arm, only)
    if stage is None:
        return
    try:
        yield from _tasks(stage, rng, seed, only, pilot)
    finally:
        stage.close()


def draw_stage(
    seed: int, arm: str | None, only: Kind | None = None
) -> tuple[Stage | None, np.random.Generator]:
    """A scene with its body, or None when it has no room, and the stream that goes on from there."""
    rng = np.random.default_rng([seed, 0xDE305])
    drawn = str(rng.choice([name for name, _ in ARMS], p=[share for _, share in ARMS]))
    try:
        return Stage(draw_scene(rng, seed, arm or drawn, only)), rng
    except TandemError:
        return None, rng


def _tasks(
    stage: Stage, rng: np.random.Generator, seed: int, only: Kind | None, pilot: Pilot | None
) -> Iterator[Demonstration]:
    number = 0
    for _ in range(TASKS if only is None else TRIES * TASKS):
        tasks = draw_tasks(stage, rng)
        if only is not None and only not in {task.kind for task in tasks}:
            continue
        for task in tasks:
            try:
                objects = look(stage.world).scene.objects
                texts = tuple(dict.fromkeys(wording(task, objects, rng) for _ in range(WORDINGS)))
                if task.kind not in (Kind.PLACE_IN, Kind.PLACE_ON):
                    scatter(stage, task, rng)
                driver = pilot(stage.placed.arm, texts[0], rng) if pilot else None
                frames = play(stage, task, rng, driver=driver)
            except LookupError:
                frames, texts = None, ()
            if frames is None:
                return
            yield Demonstration(task, texts, stage.placed.arm, seed, number, frames)
            number += 1
            if not frames.done[-1]:
                return


def focus(seed: int) -> Kind | None:
    """The one skill that a scene is about, so that each gets its share; None for all of them."""
    rng = np.random.default_rng([seed, 0xF0C])
    return FOCUS[int(rng.choice(len(FOCUS), p=[share for _, share in FOCUS]))][0]


def draw_tasks(stage: Stage, rng: np.random.Generator, only: Kind | None = None) -> list[Task]:
    """The next thing to show, with `only` in it; a pick is followed by what becomes of the object."""
    options = [
        (weight, tasks)
        for weight, tasks in task_options(stage, rng)
        if only is None or only in {task.kind for task in tasks}
    ]
    if not options:
        return []
    weights = np.array([weight for weight, _ in options])
    return options[int(rng.choice(len(options), p=weights / weights.sum()))][1]


def task_options(
    stage: Stage, rng: np.random.Generator, now: Situation | None = None
) -> list[tuple[float, list[Task]]]:
    """All that could be shown next with an empty hand, and how often each shall be."""
    now = now or look(stage.world)
    options: list[tuple[float, list[Task]]] = []
    table = [o for o in now.scene.objects if reachable(o, stage)]
    options += [(0.5 * CATEGORY_WEIGHTS[o.category], [Task(Kind.PICK, o.id), _put_in(o, rng)]) for o in table]
    for item in table:
        options += [
            (0.18, [Task(Kind.PICK, item.id), Task(Kind.PLACE_ON, item.id, base=base.id)])
            for base in bases_for(item, stage, now)
        ]
        options += [
            (0.16, [Task(Kind.PUSH, item.id, side=side)]) for side in Side if _can_push(item, side, now)
        ]
    if now.opening_m is not None:
        kind = Kind.CLOSE_DRAWER if now.opening_m > DRAWER_TRAVEL_M / 2 else Kind.OPEN_DRAWER
        options.append((0.22, [Task(kind)]))
    if now.lit is not None:
        options.append((0.18, [Task(Kind.PRESS, switch=Switch.OFF if now.lit else Switch.ON)]))
    return options


def reachable(item: TrueObject, stage: Stage) -> bool:
    """Standing on the bare table, where this arm can take it."""
    far = math.hypot(*item.position_m[:2]) > stage.world.embodiment.inner_m + 0.025
    return item.place is None and not item.fallen and not item.on_floor and far and item.position_m[2] < 0.01


def _put_in(item: TrueObject, rng: np.random.Generator) -> Task:
    place = HOME_OF[item.category]
    if rng.random() < 0.45:
        able = fitting(item)
        place = able[int(rng.integers(len(able)))]
    return Task(Kind.PLACE_IN, item.id, place=place)


def fitting(item: TrueObject) -> list[Place]:
    """The fixtures that it can be put into."""
    return [place for place, kinds in FITS.items() if item.category in kinds]


def bases_for(item: TrueObject, stage: Stage, now: Situation) -> list[TrueObject]:
    """What it can be put on: nothing may stand there yet, as the skill has it too."""
    others = [o for o in now.scene.objects if o.id != item.id and reachable(o, stage)]
    clear = [o for o in others if not any(is_on(other, o) for other in now.scene.objects if other.id != o.id)]
    return [o for o in clear if (item.category, o.category) in STACKABLE]


def _can_push(item: TrueObject, side: Side, now: Situation) -> bool:
    """Far enough from that side, and nothing in its way or beside it."""
    x, y, _ = item.position_m
    start = y * side.sign
    # From far over on the other side the wrist cannot bear the whole way.
    if item.category not in PUSHABLE or not -0.10 < start < SIDE_Y_M - 0.05 or (now.furnished and x > 0.5):
        return False
    others = [o.position_m for o in now.scene.objects if o.id != item.id]
    ahead = [o for o in others if abs(o[0] - x) < CORRIDOR_M + 0.04 and (o[1] - y) * side.sign > -0.16]
    return not [o for o in ahead if o[1] * side.sign < SIDE_Y_M + 0.13]


def scatter(stage: Stage, task: Task, rng: np.random.Generator) -> None:
    """Begin anywhere: where the hand is, somewhere above the table, or about over the target."""
    kind = rng.random()
    if kind < 0.25:
        return
    middle, spread = np.array([0.44, 0.0, 0.31]), np.array([0.14, 0.28, 0.12])
    tool = middle + rng.uniform(-1, 1, 3) * spread
    if kind > 0.6:
        tool = near(stage, task) + rng.uniform(-1, 1, 3) * np.array([0.06, 0.06, 0.04])
    reach = math.hypot(tool[0], tool[1])
    tool[:2] *= max(1.0, (stage.world.embodiment.inner_m + 0.03) / reach)
    yaw = HOME_YAW_RAD + math.atan2(tool[1], tool[0]) + float(rng.uniform(-1.1, 1.1))
    stage.pose(tool, yaw, float(rng.choice([1.0, 1.0, 0.5, 0.0])))


def near(stage: Stage, task: Task) -> NDArray[np.float64]:
    """A point above what the task is about, high enough to hit nothing."""
    placed = stage.placed
    if task.object is not None:
        x, y, _ = look(stage.world).get(task.object).position_m
    elif task.kind is Kind.PRESS and placed.lamp:
        x, y = placed.lamp.position_m
    elif placed.drawer and stage.world.drawer:
        x, y = placed.drawer.handle_m[0] - stage.world.drawer.state[0], placed.drawer.position_m[1]
    else:
        x, y = 0.45, 0.0
    return np.array([x, y, 0.23])
