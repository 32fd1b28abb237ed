"""Glances: moments of episodes that nobody plays, each with what the teacher would do there.

A whole episode shows one subgoal in many pictures that are alike. A glance is worked out on paper up to some
row, set up, and looked at once: it costs a picture, not an episode, so that ten times as many scenes are
seen. In the same picture something else is asked for as well: what words mean is learned from that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pybullet as p

from sim.demos.chain import (
    Demonstration,
    bases_for,
    draw_stage,
    draw_tasks,
    fitting,
    focus,
    scatter,
    task_options,
)
from sim.demos.episode import (
    BURST_CHANCE,
    BURST_ROWS,
    CAMERAS,
    MAX_ROWS,
    REST_ROWS,
    Frames,
    Stage,
    noisy,
    note,
)
from sim.demos.imagined import Imagined, ahead, done, imagined
from sim.demos.judge import Situation, look
from sim.demos.phrases import wording
from sim.demos.tasks import Kind, Task
from sim.demos.teacher import Teacher
from vla_low_level.observation import Observation
from vla_low_level.rotations import yaw_of

# Chains of tasks imagined in a scene, moments looked at in each task, and what else is asked there at most.
CHAINS, MOMENTS, ASIDES = 5, 3, 3
# Close to where it ends a moment is chosen so many times more often.
NEAR_M, NEAR_WEIGHT = 0.10, 3.0
# A hand that cannot be put where it was imagined, or that would stand in something, is not looked at, m.
OFF_M, INSIDE_M = 0.002, 0.004

Asked = Iterator[tuple[Task, str, Frames]]


def draw_glances(seed: int, *, arm: str | None = None, only: Kind | None = None) -> Iterator[Demonstration]:
    """Moments of what could be done in one scene, each an episode of one frame.

    Args:
        seed: The same gives the same bytes.
        arm: Whose; drawn when None.
        only: Show this skill alone; when None, every skill has its share of the scenes.
    """
    about = only or focus(seed)
    stage, rng = draw_stage(seed, arm, about)
    if stage is None:
        return
    try:
        number = 0
        for _ in range(CHAINS):
            for task, text, frames in _chain(stage, rng, about):
                if only in (None, task.kind):
                    yield Demonstration(task, (text,), stage.placed.arm, seed, number, frames)
                    number += 1
    finally:
        stage.close()


def _chain(stage: Stage, rng: np.random.Generator, about: Kind | None) -> Asked:
    """What is done next in the scene, from some pose of the arm; the scene is as before in the end."""
    tasks = draw_tasks(stage, rng, about) or draw_tasks(stage, rng)
    if not tasks:
        return
    setting = _Setting(stage)
    try:
        scatter(stage, tasks[0], rng)
        now, body = look(stage.world), stage.body.observe().proprioception
        for task in tasks:
            text, teacher = wording(task, now.scene.objects, rng), Teacher(task, stage.placed, now, body)
            path = _path(imagined(teacher, now, body, stage.placed.places), teacher, now, rng)
            if not done(path[-1], now):
                return
            for at in _chosen(path, rng):
                seen = setting.look(at)
                if seen is not None:
                    yield task, text, _frame(seen, teacher, at, now)
                    yield from _asides(stage, task, at, seen, rng)
            now, body = path[-1].now, path[-1].body
    except LookupError:
        return
    finally:
        setting.restore()


def _path(at: Imagined, teacher: Teacher, start: Situation, rng: np.random.Generator) -> list[Imagined]:
    """Every instant of a task with bursts of noise, and a few of the rest afterwards."""
    path, burst, rest = [at], 0, 0
    for _ in range(MAX_ROWS[at.task.kind]):
        row, _ = teacher.row(at.now, at.body)
        if done(at, start):
            row[:6] = 0.0
            rest += 1
            if rest > REST_ROWS:
                break
        elif burst or rng.random() < BURST_CHANCE:
            burst = burst - 1 if burst else int(rng.integers(BURST_ROWS))
            row = noisy(row, at.task, rng)
        at = at.after(row)
        path.append(at)
    return path


def _chosen(path: list[Imagined], rng: np.random.Generator) -> list[Imagined]:
    """Moments to look at, in order."""
    near = [np.linalg.norm(at.body.ee_position_m - at.point_m) < NEAR_M for at in path]
    weights = np.where(near, NEAR_WEIGHT, 1.0)
    chosen = rng.choice(len(path), min(MOMENTS, len(path)), replace=False, p=weights / weights.sum())
    return [path[int(k)] for k in sorted(chosen)]


def _asides(stage: Stage, task: Task, at: Imagined, seen: Observation, rng: np.random.Generator) -> Asked:
    """The same picture, and something else to do from there."""
    now, body = at.now, at.body
    if now.held:
        item = now.get(now.held)
        others = [Task(Kind.PLACE_IN, item.id, place=place) for place in fitting(item)]
        others += [Task(Kind.PLACE_ON, item.id, base=base.id) for base in bases_for(item, stage, now)]
    elif not body.contact_force_n:
        others = list(dict.fromkeys(tasks[0] for _, tasks in task_options(stage, rng, now)))
    else:
        return
    others = [other for other in others if other != task]
    for k in rng.permutation(len(others))[:ASIDES]:
        try:
            teacher = Teacher(others[k], stage.placed, now, body)
            text = wording(others[k], now.scene.objects, rng)
        except LookupError:
            continue
        aside = imagined(teacher, now, body, stage.placed.places)
        yield others[k], text, _frame(seen, teacher, replace(aside, drift_m=at.drift_m), now)


def _frame(seen: Observation, teacher: Teacher, at: Imagined, start: Situation) -> Frames:
    frames, aim = Frames(), teacher.aim(at.now, at.body)
    note(frames, seen, ahead(teacher, at, start), aim, done=done(at, start), followed=False)
    return frames


class _Setting:
    """Sets imagined moments up in a scene, and puts everything back."""

    def __init__(self, stage: Stage) -> None:
        self._stage, world = stage, stage.world
        self._was = look(world)
        self._poses = {
            name: p.getBasePositionAndOrientation(body, physicsClientId=world.client)
            for name, body in world.objects.items()
        }
        self._arm = stage.body.observe().proprioception

    def look(self, at: Imagined) -> Observation | None:
        """What the cameras would see; None where the hand cannot be, or would stand in something."""
        stage, body = self._stage, at.body
        stage.pose(body.ee_position_m, yaw_of(body.ee_rotation), body.gripper_opening)
        self._arrange(at.now)
        there = stage.body.observe().proprioception.ee_position_m
        if np.linalg.norm(there - body.ee_position_m) > OFF_M or self._inside(at):
            return None
        return Observation(stage.world.capture(CAMERAS), body, stage.world.time_s, 0)

    def restore(self) -> None:
        """Everything where it was."""
        body = self._arm
        self._stage.pose(body.ee_position_m, yaw_of(body.ee_rotation), body.gripper_opening)
        self._arrange(self._was)

    def _arrange(self, now: Situation) -> None:
        """Things where they would be."""
        world = self._stage.world
        for item in now.scene.objects:
            (x, y, z), turn = self._poses[item.id]
            was = self._was.get(item.id)
            if item is not was:
                x, y, z = item.centre_m
                about = p.getQuaternionFromEuler([0.0, 0.0, item.yaw_rad - was.yaw_rad])
                _, turn = p.multiplyTransforms([0, 0, 0], about, [0, 0, 0], turn)
            p.resetBasePositionAndOrientation(
                world.objects[item.id], [x, y, z], turn, physicsClientId=world.client
            )
        if world.drawer and now.opening_m is not None:
            world.drawer.put(now.opening_m)
        if world.lamp and now.lit is not None and now.lit is not world.lamp.lit:
            world.lamp.put(lit=now.lit)

    def _inside(self, at: Imagined) -> bool:
        """Whether the arm stands in something that it does not hold, pull or press."""
        world, task = self._stage.world, at.task
        p.performCollisionDetection(physicsClientId=world.client)
        touched = {world.objects[name] for name in (at.now.held, task.object) if name}
        touched |= {item.body for item in (world.drawer,) if item} | {
            item.button for item in (world.lamp,) if item
        }
        contacts = p.getContactPoints(bodyA=world.arm.body, physicsClientId=world.client)
        return any(c[8] < -INSIDE_M and c[2] not in touched and c[2] != world.arm.body for c in contacts)
