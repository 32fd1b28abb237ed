"""Glances: one look at a scene, and for everything that could be asked there what the teacher would do first.

A whole episode shows one subgoal in many pictures that are alike. What words mean is learned from many scenes
and many subgoals instead, and a glance costs a picture, not an episode.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sim.demos.chain import Demonstration, bases_for, draw_stage, fitting, scatter, task_options
from sim.demos.episode import CAMERAS, MAX_ROWS, Frames, Stage, note
from sim.demos.judge import Situation, look, succeeded
from sim.demos.phrases import wordings
from sim.demos.tasks import Kind, Task
from sim.demos.teacher import Teacher
from vla_low_level.observation import Observation

# Poses of the arm that a scene is looked at from, before something is lifted to ask where it shall go.
POSES = 3
# Rows that something is carried before the glance.
MOST_CARRIED = 30

Asked = Iterator[tuple[Task, str, Frames]]


def draw_glances(seed: int, *, arm: str | None = None, only: Kind | None = None) -> Iterator[Demonstration]:
    """Every first row that could be shown in one scene, each an episode of one frame.

    Args:
        seed: The same gives the same bytes.
        arm: Whose; drawn when None.
        only: Ask for this skill alone; for all of them when None.
    """
    stage, rng = draw_stage(seed, arm, only)
    if stage is None:
        return
    try:
        number = 0
        carried = only in (None, Kind.PLACE_IN, Kind.PLACE_ON)
        for glance in [_with_empty_hand] * POSES + [_carrying] * carried:
            for task, text, frames in glance(stage, rng):
                if only in (None, task.kind):
                    yield Demonstration(task, (text,), stage.placed.arm, seed, number, frames)
                    number += 1
    finally:
        stage.close()


def _with_empty_hand(stage: Stage, rng: np.random.Generator) -> Asked:
    """The arm somewhere, and every task from there."""
    tasks = list(dict.fromkeys(tasks[0] for _, tasks in task_options(stage, rng)))
    if tasks:
        scatter(stage, tasks[int(rng.integers(len(tasks)))], rng)
        yield from _ask(stage, tasks, rng)


def _carrying(stage: Stage, rng: np.random.Generator) -> Asked:
    """Something in the hand, on its way, and every place where it could go."""
    now = look(stage.world)
    picks = [tasks[0] for _, tasks in task_options(stage, rng) if tasks[0].kind is Kind.PICK]
    if not picks:
        return
    pick = picks[int(rng.integers(len(picks)))]
    if not _done(stage, pick, MAX_ROWS[Kind.PICK]):
        return
    item = now.get(pick.object)
    tasks = [Task(Kind.PLACE_IN, item.id, place=place) for place in fitting(item)]
    tasks += [Task(Kind.PLACE_ON, item.id, base=base.id) for base in bases_for(item, stage, now)]
    way = tasks[int(rng.integers(len(tasks)))]
    _done(stage, way, int(rng.integers(MOST_CARRIED)))
    if look(stage.world).held == item.id:
        yield from _ask(stage, tasks, rng)


def _done(stage: Stage, task: Task, rows: int) -> bool:
    """Let the teacher work for so many rows; whether it was done by then."""
    start = look(stage.world)
    try:
        teacher = Teacher(task, stage.placed, start, stage.body.observe().proprioception)
    except LookupError:
        return False
    for _ in range(rows):
        body, now = stage.body.observe().proprioception, look(stage.world)
        x, y, z = (float(v) for v in body.ee_position_m)
        if succeeded(task, now, start, (x, y, z)):
            return True
        stage.do(teacher.row(now, body)[0])
    return False


def _ask(stage: Stage, tasks: list[Task], rng: np.random.Generator) -> Asked:
    """One picture, and what the teacher would do next for each of these."""
    seen, now = stage.body.observe(CAMERAS), look(stage.world)
    for task in tasks:
        try:
            said = wordings(task, now.scene.objects)
            yield task, said[int(rng.integers(len(said)))], _first_row(stage, task, now, seen)
        except LookupError:
            continue


def _first_row(stage: Stage, task: Task, now: Situation, seen: Observation) -> Frames:
    """What the teacher would do now. Raises LookupError when there is no way."""
    teacher, frames = Teacher(task, stage.placed, now, seen.proprioception), Frames()
    row, aim = teacher.row(now, seen.proprioception)
    # Nobody follows it: there are no rows to come.
    note(frames, seen, row, aim, done=False, followed=False)
    return frames
