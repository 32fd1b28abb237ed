"""Figures about the body: `python -m scenarios.bench_body guard|stop|cost`. Prints one JSON object."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from scenarios.fuzz_chunks import Fuzzer
from sim.arms import embodiment
from sim.layout import resolve
from sim.raw_cost import raw_render_s, raw_step_s
from sim.robot import SimRobot
from sim.scene import SceneSpec
from sim.world import World
from traces.errors import TandemError
from vla_low_level.action import ActionChunk
from vla_low_level.audit import MotionAudit
from vla_low_level.body import Body
from vla_low_level.guard import ChunkHeader
from vla_low_level.ideal_plant import IdealPlant
from vla_low_level.kinematics import Kinematics
from vla_low_level.limits import PANDA
from vla_low_level.plant import CONTROL_HZ

HOME_RAD = embodiment("panda").home_rad

F64 = NDArray[np.float64]

app = typer.Typer(add_completion=False)
RATE_HZ = 20.0
CHUNKS_PER_ARM = 60
BLOCK_STEPS = 960
FRAMES = 30

Count = Annotated[int, typer.Option(min=1)]


@app.command()
def guard(count: Count = 100_000, seed: int = 0) -> None:
    """Random chunks of every family on an ideal arm; counts 240 Hz targets outside a limit."""
    kinematics = embodiment("panda").kinematics()
    rng = np.random.default_rng([seed, 0xF0221])
    fuzzer, audit = Fuzzer(rng), MotionAudit(kinematics, PANDA)
    verdicts: Counter[str] = Counter()
    clamps, began_s = 0, time.monotonic()
    for first in range(0, count, CHUNKS_PER_ARM):
        start = _start(kinematics, rng)
        plant = IdealPlant(start)
        body = Body(plant, kinematics, PANDA, HOME_RAD)
        for k in range(min(CHUNKS_PER_ARM, count - first)):
            chunk = fuzzer.draw(k, plant.time_s)
            report = body.execute(chunk.actions, chunk.header)
            clamps += report.clamps
            verdicts[f"{report.verdict.decision.value}:{report.verdict.limit}".rstrip(":")] += 1
        audit.add(start, plant.commands)
    _show(
        chunks=count,
        steps=audit.steps,
        out_of_limit=sum(audit.breaches.values()),
        by_limit=dict(audit.breaches),
        largest_share_of_limit={name: round(share, 6) for name, share in audit.largest.items()},
        clamped_steps=clamps,
        verdicts=dict(verdicts.most_common()),
        wall_s=round(time.monotonic() - began_s, 1),
    )


@app.command()
def stop(tries: Count = 1000, seed: int = 0) -> None:
    """Time from a stop request to the hold targets being written, while two threads keep Python busy."""
    rng = np.random.default_rng([seed, 0x5709])
    over = threading.Event()
    delays_s: list[float] = []
    with SimRobot.start(resolve(SceneSpec(), 7), clock="realtime") as robot:
        robot.observe()
        workers = [
            threading.Thread(target=work, args=args, daemon=True)
            for work, args in ((_think, (over,)), (_infer, (over,)), (_move, (over, robot)))
        ]
        for worker in workers:
            worker.start()
        for _ in range(tries):
            time.sleep(float(rng.uniform(0.005, 0.030)))
            asked_s = time.monotonic()
            robot.stop("bench")
            robot.reset("bench")
            if robot.stopped_at_s is None or robot.stopped_at_s < asked_s:
                raise TandemError("BENCH", "a stop request was not answered by a stop")
            delays_s.append(robot.stopped_at_s - asked_s)
        over.set()
        for worker in workers:
            worker.join()
    p50, p99 = np.percentile(delays_s, [50, 99])
    _show(
        tries=tries,
        p50_ms=round(1000 * float(p50), 3),
        p99_ms=round(1000 * float(p99), 3),
        max_ms=round(1000 * max(delays_s), 3),
        control_period_ms=round(1000 / CONTROL_HZ, 3),
    )


@app.command()
def cost(blocks: Count = 5, seed: int = 7) -> None:
    """A whole 240 Hz step, and a picture, against bare PyBullet on the same world."""
    world = World(resolve(SceneSpec(), seed))
    body = Body(world, embodiment("panda").kinematics(), PANDA, HOME_RAD)
    raw, whole, raw_frame, frame = [], [], [], []
    for block in range(blocks):
        raw.append(raw_step_s(world, BLOCK_STEPS))
        whole.append(_body_step_s(body, world, block))
        raw_frame.append(raw_render_s(world, FRAMES))
        began_s = time.perf_counter()
        for _ in range(FRAMES):
            world.capture(("overhead",))
        frame.append((time.perf_counter() - began_s) / FRAMES)
    world.close()
    _show(
        raw_step_ms=round(1000 * min(raw), 4),
        body_step_ms=round(1000 * min(whole), 4),
        step_ratio=round(min(whole) / min(raw), 2),
        times_real_time=round(1 / CONTROL_HZ / min(whole), 1),
        raw_render_ms=round(1000 * min(raw_frame), 2),
        render_ms=round(1000 * min(frame), 2),
        render_ratio=round(min(frame) / min(raw_frame), 2),
    )


def _start(kinematics: Kinematics, rng: np.random.Generator) -> F64:
    """Joint angles somewhere inside the workspace box."""
    while True:
        joint = HOME_RAD + rng.uniform(-0.5, 0.5, 7)
        position, _, _ = kinematics.forward(joint)
        if (position > PANDA.box_low_m + 0.01).all() and (position < PANDA.box_high_m - 0.01).all():
            return np.asarray(joint)


def _body_step_s(body: Body, world: World, block: int) -> float:
    """Mean wall time of one guarded control step of a small motion there and back, s."""
    rows = np.zeros((8, 7), np.float32)
    began_s = time.perf_counter()
    for k in range(BLOCK_STEPS // 96):
        rows[:, 1] = 0.008 * (1 if k % 2 else -1)
        number = block * BLOCK_STEPS + k
        body.execute(rows, ChunkHeader(RATE_HZ, world.time_s + 1.0, number))
    return (time.perf_counter() - began_s) / BLOCK_STEPS


def _think(over: threading.Event) -> None:
    """A planner's stand-in: pure Python that never lets go of the interpreter by itself."""
    while not over.is_set():
        sum(k * k for k in range(20_000))


def _infer(over: threading.Event) -> None:
    """A policy's stand-in: matrix products."""
    matrix = np.ones((256, 256), np.float32)
    while not over.is_set():
        for _ in range(8):
            matrix = np.tanh(matrix @ matrix)


def _move(over: threading.Event, robot: SimRobot) -> None:
    """Keep the arm moving, whatever stops it."""
    rows = np.zeros((8, 7), np.float32)
    number = 0
    while not over.is_set():
        rows[:, 1] = 0.008 * (1 if number % 2 else -1)
        with contextlib.suppress(TandemError):
            expires_s = time.monotonic() + 1.0
            robot.execute(ActionChunk(rows.copy(), RATE_HZ, expires_s, 0, "bench", 0))
        number += 1


def _show(**figures: Any) -> None:
    typer.echo(json.dumps(figures, indent=2))


if __name__ == "__main__":
    app()
