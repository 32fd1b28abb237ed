"""How well chunks are joined: `python -m scenarios.bench_chunks stepped|live|vla`. Prints a table.

A scripted policy goes round and round as a learned one would: at each look it plans from where the arm is
commanded to be, and each plan bends a little differently.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from scenarios.seam_metrics import Noted, Sampler, Smoothness, smoothness
from sim.arms import embodiment
from sim.layout import resolve
from sim.robot import SimRobot
from sim.scene import ObjectSpec, SceneSpec
from sim.world import World
from vla_low_level.action import ActionChunk
from vla_low_level.chunk_executor import ChunkExecutor
from vla_low_level.flight import Executed
from vla_low_level.ideal_plant import IdealPlant
from vla_low_level.inference import Inference, ThreadInference
from vla_low_level.nouns import Category, Colour
from vla_low_level.observation import Observation
from vla_low_level.plant import CONTROL_HZ
from vla_low_level.policy import Instruction, Policy, PolicyOutput
from vla_low_level.robot import StreamingRobot
from vla_low_level.seams import SMOOTH, Blend, smooth_weights
from vla_low_level.stepped_robot import SteppedRobot, TimedInference

F64 = NDArray[np.float64]

app = typer.Typer(add_completion=False)
console = Console(width=150)

RATE_HZ, ROWS, REPLAN_ROWS = 10.0, 16, 8
BEND_M = 0.010
# How much of the way off the round is left after a row.
RETURN = 0.8
POINTS, STEP = 6400, 96
_ANGLE = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
ROUND_M = np.stack(
    [0.47 + 0.08 * np.cos(_ANGLE), 0.14 * np.sin(_ANGLE), 0.28 + 0.04 * np.cos(_ANGLE)], axis=1
)
"""One round in 6.7 s, 0.1 m/s: [POINTS, 3], world, m."""
TOLD = Instruction("pick up the red cube")
LIFTED_M = 0.05
DELAYS_MS = (20, 100, 300)


def linear_weights(window: int) -> F64:
    """Evenly from one plan to the other."""
    return np.arange(1, window + 1) / (window + 1)


def soft_weights(window: int) -> F64:
    """The mask of real-time chunking (Black et al. 2025): the old plan's hold fades, fast at first."""
    left = np.arange(window, 0, -1) / (window + 1)
    return np.asarray(1.0 - left * np.expm1(left) / math.expm1(1.0))


WAYS: dict[str, Blend | None] = {
    "blocking": None,
    "hard": Blend(linear_weights, 0),
    "linear 3": Blend(linear_weights, 3),
    "soft 4": Blend(soft_weights, 4),
    "soft 6": Blend(soft_weights, 6),
    "smooth 3": SMOOTH,
    "smooth 5": Blend(smooth_weights, 5),
}

Seconds = Annotated[float, typer.Option(min=1.0)]


class Rounds:
    """Round and round at an even speed, each plan bent by noise of its own."""

    policy_id, cameras, replan_rows = "bench", (), REPLAN_ROWS

    def __init__(self, delay_s: float = 0.0, seed: int = 0) -> None:
        """`delay_s` is spent in `act`, asleep."""
        self._delay_s, self._seed, self._asked = delay_s, seed, 0

    def reset(self) -> None:
        """Nothing to forget."""

    def act(self, observation: Observation, instruction: Instruction) -> PolicyOutput:  # noqa: ARG002
        """Plan from the commanded pose back to the round and along it."""
        at = observation.proprioception.target_position_m
        nearest = int(np.argmin(np.linalg.norm(ROUND_M - at, axis=1)))
        along = (nearest + STEP * np.arange(ROWS + 1)) % len(ROUND_M)
        back = RETURN ** np.arange(ROWS + 1)[:, None] * (at - ROUND_M[nearest])
        rng = np.random.default_rng([self._seed, 0xBE7D, self._asked])
        self._asked += 1
        bend = np.sin(np.linspace(0, np.pi / 2, ROWS + 1))[:, None] * rng.normal(0, BEND_M, 3)
        plan = ROUND_M[along] + back + bend
        rows = np.zeros((ROWS, 7), np.float32)
        rows[:, :3] = np.diff(plan, axis=0)
        rows[:, 6] = 1.0
        time.sleep(self._delay_s)
        expires_s = observation.time_s + 5.0
        chunk = ActionChunk(rows, RATE_HZ, expires_s, 0, self.policy_id, observation.sequence)
        return PolicyOutput(chunk, 0.0)


@app.command()
def stepped(seconds: Seconds = 60.0, seed: int = 0, *, panda: bool = False) -> None:
    """Compare ways to join chunks on an ideal arm, or on the simulated Panda: the same every time."""
    arm = embodiment("panda")
    table = _table(f"{'simulated Panda' if panda else 'ideal arm'}, stepped, {seconds:.0f} s of motion")
    for delay_ms, (name, blend) in itertools.product(DELAYS_MS, WAYS.items()):
        world = World(resolve(SceneSpec(), 7)) if panda else None
        robot = SteppedRobot(world or IdealPlant(arm.home_rad), arm)
        policy, began_s, delay_s = Noted(Rounds(seed=seed)), robot.progress().time_s, delay_ms / 1000
        inference = TimedInference.on(robot, delay_s)
        run = _Run(robot, policy, blend, seconds)
        done = run.executed(inference) if blend else run.blocked(robot.pass_time, delay_s)
        tool_m = np.array([arm.kinematics().forward(joint)[0] for joint in robot.trail_rad])
        time_s = began_s + np.arange(1, len(tool_m) + 1) / CONTROL_HZ
        _add(table, [str(delay_ms), name], smoothness(time_s, tool_m, policy, done), run, done)
        if world:
            world.close()
    console.print(table)


@app.command()
def live(seconds: Seconds = 20.0, seed: int = 0) -> None:
    """The simulated Panda in real time. Noisy on a busy machine."""
    table = _table(f"simulated Panda, real time, {seconds:.0f} s of motion")
    for delay_ms, name in itertools.product(DELAYS_MS, ("blocking", "hard", "smooth 3")):
        with SimRobot.start(resolve(SceneSpec(), 7), clock="realtime") as robot:
            policy = Noted(Rounds(delay_ms / 1000, seed))
            _measure_live(table, [str(delay_ms), name], robot, policy, seconds)
    console.print(table)


@app.command()
def vla(seeds: int = 5, seconds: Seconds = 12.0, first: int = 7) -> None:
    """The shipped VLA in real time, picking up a red cube; a row for each scene."""
    import torch

    from vla_low_level.vla.policy import VLAPolicy

    torch.set_num_threads(1)
    table = _table("VLA on the simulated Panda, real time, until it believes to be done")
    scene = SceneSpec(objects=(ObjectSpec(category=Category.CUBE, colour=Colour.RED),))
    for name, seed in itertools.product(("blocking", "hard", "smooth 3"), range(first, first + seeds)):
        with SimRobot.start(resolve(scene, seed), clock="realtime", privileged=True) as robot:
            policy = Noted(VLAPolicy.from_pretrained())
            _measure_live(table, ["own", name], robot, policy, seconds)
    console.print(table)


class _Run:
    """One policy on one robot for so many seconds."""

    def __init__(self, robot: StreamingRobot, policy: Policy, blend: Blend | None, seconds: float) -> None:
        self._robot, self._policy, self._blend, self._seconds = robot, policy, blend, seconds
        self.tally = ""

    def executed(self, inference: Callable[[Policy], Inference] = ThreadInference) -> list[Executed]:
        """By the executor."""
        blend = self._blend or SMOOTH
        driver = ChunkExecutor(self._robot, self._policy, "realtime", blend=blend, inference=inference)
        done = self._some(driver.run(TOLD))
        dropped = ", ".join(f"{count} {drop}" for drop, count in driver.dropped.items())
        self.tally = f"{driver.starved} starved" + (f", {dropped}" if dropped else "")
        return done

    def blocked(self, wait: Callable[[float], None], delay_s: float = 0.0) -> list[Executed]:
        """Without an executor: the arm waits while the policy thinks, the policy while the arm moves."""
        return self._some(self._in_turns(wait, delay_s))

    def _some(self, run: Iterator[Executed]) -> list[Executed]:
        done: list[Executed] = []
        for one in run:
            done.append(one)
            if one.output.progress >= 1.0 or one.report.time_s - done[0].observation.time_s > self._seconds:
                break
        return done

    def _in_turns(self, wait: Callable[[float], None], delay_s: float) -> Iterator[Executed]:
        robot, policy = self._robot, self._policy
        for number in itertools.count():
            seen = robot.observe(policy.cameras)
            output = policy.act(seen, TOLD)
            if delay_s:
                wait(delay_s)
            rows = output.chunk.actions[: policy.replan_rows]
            chunk = replace(output.chunk, actions=rows, chunk_id=number)
            over = robot.stream(chunk).ended
            while not over:
                wait(1 / CONTROL_HZ)
                over = robot.progress().ended
            age_s = over[0].began_s - seen.time_s
            yield Executed(seen, replace(output, chunk=chunk), over[0].report, age_s, over[0].began_s, 0)


def _measure_live(table: Table, labels: list[str], robot: SimRobot, policy: Noted, seconds: float) -> None:
    # The first pictures and the first forward pass take longer than any other.
    policy.act(robot.observe(policy.cameras), TOLD)
    blend = WAYS[labels[-1]]
    run = _Run(robot, policy, blend, seconds)
    with Sampler(robot) as sampler:
        done = run.executed() if blend else run.blocked(time.sleep)
    if robot.privileged:
        lifted = any(thing.position_m[2] > LIFTED_M for thing in robot.truth().objects)
        took_s = done[-1].report.time_s - done[0].began_s
        run.tally += f" {'lifted' if lifted else 'not lifted'} in {took_s:.1f} s"
    _add(table, labels, smoothness(*sampler.trail(), policy, done), run, done)


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for name in ("delay ms", "joint"):
        table.add_column(name)
    for name in (
        "seam m/s2",
        "worst",
        "inside",
        "seam m/s3",
        "inside",
        "aside mm",
        "track mm",
        "age ms",
        "duty %",
    ):
        table.add_column(name, justify="right")
    table.add_column("")
    return table


def _add(table: Table, labels: list[str], found: Smoothness, run: _Run, done: list[Executed]) -> None:
    rates = (found.seam_m_s2, found.worst_m_s2, found.inside_m_s2, found.seam_m_s3, found.inside_m_s3)
    tracking_mm = 1000 * float(np.mean([one.report.tracking_error_m for one in done]))
    age_ms = 1000 * float(np.median([one.age_s for one in done]))
    numbers = [*(f"{rate:.2f}" for rate in rates), f"{1000 * found.aside_m:.2f}", f"{tracking_mm:.2f}"]
    table.add_row(*labels, *numbers, f"{age_ms:.0f}", f"{100 * found.duty:.1f}", run.tally)


if __name__ == "__main__":
    app()
