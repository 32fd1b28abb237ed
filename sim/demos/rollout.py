"""A policy on trial: the tasks that demonstrations are drawn from, done by a policy, judged by the truth."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.demos.chain import TASKS, TRIES, draw_stage, draw_tasks, reachable, scatter
from sim.demos.episode import EXPIRY_S, MAX_ROWS, Stage
from sim.demos.judge import Situation, hopeless, look, succeeded
from sim.demos.phrases import Split, wording
from sim.demos.tasks import Kind, Task
from sim.demos.teacher import Teacher
from traces.errors import TandemError
from vla_low_level.guard import ChunkHeader
from vla_low_level.nouns import Category
from vla_low_level.observation import Observation
from vla_low_level.policy import Instruction, Policy, PolicyOutput

# Time to notice that it is done, and to say so.
GRACE_ROWS = 30

# What a policy is told of a task, given the words for it; asked before the hand goes to where it begins.
Tell = Callable[[Stage, Task, str], Instruction]


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one task.

    Attributes:
        task: What was to be done.
        text: What was said.
        arm: Who was told.
        category: Of the object it is about; None when it is about none.
        reached: Row at which the simulator first agreed that it was done; None when it never did.
        said: Row at which the policy said that it was; None when it never did.
        kept: Whether it was still so when the trial ended.
        start: The truth before the first row.
        end: The truth after the last.
    """

    task: Task
    text: str
    arm: str
    category: Category | None
    reached: int | None
    said: int | None
    kept: bool
    start: Situation
    end: Situation

    @property
    def succeeded(self) -> bool:
        """Done in truth, not abandoned before, and not undone again."""
        return self.kept


def feasible(stage: Stage, task: Task) -> None:
    """Raises LookupError when even one who knows everything finds no way, e.g. no room for the fingers."""
    Teacher(task, stage.placed, look(stage.world), stage.body.observe().proprioception)


def words_alone(_stage: Stage, _task: Task, text: str) -> Instruction:
    """Nothing but the words."""
    return Instruction(text)


def answer(policy: Policy, observation: Observation, told: Instruction) -> PolicyOutput | None:
    """The policy's next chunk; None when it does not understand the words, which is no mistake of ours."""
    try:
        return policy.act(observation, told)
    except TandemError as error:
        if error.code != "SUBGOAL_UNCLEAR":
            raise
        return None


def attempt(stage: Stage, task: Task, told: Instruction, policy: Policy) -> Trial:
    """Let a policy try one task until it says that it is done, as in a command.

    Where it is done and does not say so, it has `GRACE_ROWS` more to say it.
    """
    policy.reset()
    stage.body.reset()
    start = now = look(stage.world)
    reached, said, so = None, None, False
    rows = chunks = 0
    while said is None and rows < MAX_ROWS[task.kind] and not hopeless(task, now):
        output = answer(policy, stage.body.observe(policy.cameras), told)
        if output is None:
            break
        if output.progress >= 1.0:
            said = rows
        actions = output.chunk.actions[: policy.replan_rows]
        header = ChunkHeader(output.chunk.rate_hz, stage.world.time_s + EXPIRY_S, chunks)
        if stage.body.execute(actions, header).latched:
            break
        rows, chunks = rows + len(actions), chunks + 1
        now = look(stage.world)
        x, y, z = (float(v) for v in stage.body.observe().proprioception.ee_position_m)
        so = succeeded(task, now, start, (x, y, z))
        if reached is None and so:
            reached = rows
        if reached is not None and rows - reached >= GRACE_ROWS:
            break
    category = start.get(task.object).category if task.object else None
    return Trial(task, told.text, stage.placed.arm, category, reached, said, so, start, now)


def trials(
    seed: int,
    policy_for: Callable[[str], Policy],
    *,
    arm: str | None = None,
    split: Split = "train",
    only: Kind | None = None,
    tell: Tell = words_alone,
) -> Iterator[Trial]:
    """Tasks in one scene, one after the other, until something stands in the way of another.

    None is tried twice: a second try at what has failed in this scene would tell little new.

    Args:
        seed: Of scene, tasks and words.
        policy_for: The policy of an arm, by the arm's name.
        arm: Whose; drawn when None.
        split: Which wordings.
        only: Try this skill alone, and the pick before it; all of them when None.
        tell: What the policy is told beside the words.
    """
    stage, rng = draw_stage(seed, arm, only)
    if stage is None:
        return
    try:
        policy, tried = policy_for(stage.placed.arm), set[Task]()
        for _ in range(TASKS if only is None else TRIES * TASKS):
            tasks = draw_tasks(stage, rng)
            if tried.intersection(tasks) or (only is not None and only not in {t.kind for t in tasks}):
                continue
            for task in tasks:
                tried.add(task)
                try:
                    told = tell(stage, task, wording(task, look(stage.world).scene.objects, rng, split))
                    if task.object is None or look(stage.world).held is None:
                        scatter(stage, task, rng)
                    feasible(stage, task)
                except LookupError:
                    return
                trial = attempt(stage, task, told, policy)
                yield trial
                if not trial.succeeded:
                    break
            now = look(stage.world)
            fallen = any(item.fallen or item.on_floor for item in now.scene.objects)
            if fallen or now.held is not None or stage.body.latched:
                return
    finally:
        stage.close()


def named_instead(
    seed: int, policy_for: Callable[[str], Policy], *, arm: str | None = None, split: Split = "train"
) -> Iterator[Trial]:
    """One scene and start twice, two objects named in turn; it succeeds when the hand goes to the named one.

    Where it goes is the object that it holds, else the one nearest to the fingers in the end. Nothing is
    yielded for scenes that have no two objects within reach.
    """
    for which in (0, 1):
        stage, rng = draw_stage(seed, arm)
        if stage is None:
            return
        try:
            table = [o for o in look(stage.world).scene.objects if reachable(o, stage)]
            if len(table) < 2:
                return
            pair = [table[int(k)] for k in rng.permutation(len(table))[:2]]
            task = Task(Kind.PICK, pair[which].id)
            text = wording(task, table, rng, split)
            scatter(stage, Task(Kind.PICK, pair[0].id), rng)
            feasible(stage, task)
            trial = attempt(stage, task, Instruction(text), policy_for(stage.placed.arm))
            hand = stage.body.observe().proprioception.ee_position_m
            yield replace(trial, kept=_goes_to(trial.end, hand) == task.object)
        except LookupError:
            return
        finally:
            stage.close()


def _goes_to(now: Situation, hand_m: NDArray[np.float64]) -> str:
    """Id of the object that is held, else of the nearest to the hand."""
    if now.held is not None:
        return now.held
    return min(now.scene.objects, key=lambda o: math.dist(o.position_m[:2], hand_m[:2])).id
