"""R1: rebuild the world from the record, repeat every motion, compare the physical state at each chunk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from replay.motion import ChunkMotion, Motion, recorded_motion
from replay.recorded import LOCKSTEP, check_repeatable, path_of, recorded_scene, run_facts
from sim.faults.record import recorded_injection
from sim.robot import SimRobot
from sim.scene import PlacedScene
from sim.world import World, movable
from traces import names
from traces.reader import read_run
from traces.run import Run
from vla_low_level.recording import read_marks
from vla_low_level.robot import ExecutionReport

START: Final = "start"

Progress = Callable[[int, int], None]
"""Told after every chunk that was equal: how many are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the replay and the record part.

    Attributes:
        label: Where the chunk stands in the run, or `start` before any motion.
        recorded: State hash then.
        replayed: State hash now.
        time_s: The body's clock in the replay after that chunk, s.
        step: The first control step of the chunk that differs; None where the record does not say.
        bodies: What differs after that step: `arm`, ids of objects, `drawer`, `lamp`.
    """

    label: str
    recorded: str
    replayed: str
    time_s: float
    step: int | None = None
    bodies: tuple[str, ...] = ()

    def __str__(self) -> str:
        bodies = ", ".join(self.bodies) or "it ends there in one of them"
        where = f", first in control step {self.step}: {bodies}" if self.step is not None else ""
        return f"{self.label}{where}; state {self.recorded[:12]} is now {self.replayed[:12]}"


@dataclass(frozen=True, slots=True)
class PhysicsReport:
    """What a physics replay found.

    Attributes:
        chunks: Chunks whose state was compared and equal.
        recorded: Chunks on record.
        difference: The first one; None when every comparison was equal.
        sim_s: Simulated time that was repeated, s.
    """

    chunks: int
    recorded: int
    difference: Difference | None
    sim_s: float

    @property
    def equal(self) -> bool:
        """Whether nothing differed. The chunk in which a run was killed has no state to compare."""
        return self.difference is None


def replay_physics(folder: Path, progress: Progress = lambda _done, _of: None) -> PhysicsReport:
    """Repeat a lockstep run's motion in a fresh world, up to the first difference.

    Raises:
        TandemError: `RUN_NOT_FOUND`, `TRACE_CORRUPT`, `BLOB_MISSING`, `BLOB_CORRUPT`, `REPLAY_REAL_TIME`
            or `REPLAY_USED_WORLD` for a run that cannot be repeated, `REPLAY_INCOMPLETE` when the record
            lacks what this needs, `BODY_LOST`.
    """
    run = read_run(folder)
    facts = run_facts(run)
    check_repeatable(run)
    motions = recorded_motion(run)
    scene = recorded_scene(run)
    recorded = sum(isinstance(motion, ChunkMotion) for motion in motions)
    initial = facts.get(names.STATE_HASH_INITIAL)
    if isinstance(initial, str) and (now := _start_hash(scene)) != initial:
        return PhysicsReport(0, recorded, Difference(START, initial, now, 0.0), 0.0)
    with SimRobot.start(scene, clock=LOCKSTEP, faults=recorded_injection(run)) as robot:
        return _repeat(robot, run, motions, lambda done: progress(done, recorded))


def _start_hash(scene: PlacedScene) -> str:
    """The physical state before any motion."""
    world = World(scene)
    try:
        return world.state_hash()
    finally:
        world.close()


def _repeat(
    robot: SimRobot, run: Run, motions: tuple[Motion, ...], progress: Callable[[int], None]
) -> PhysicsReport:
    recorded = sum(isinstance(motion, ChunkMotion) for motion in motions)
    done, time_s = 0, 0.0
    for motion in motions:
        if not isinstance(motion, ChunkMotion):
            repeat_other(robot, motion.name, motion.reason)
            continue
        if not motion.state_hash:
            break
        report = robot.execute(motion.chunk, motion.max_steps)
        time_s = report.time_s
        if report.state_hash != motion.state_hash:
            return PhysicsReport(done, recorded, _difference(run, motion, report), time_s)
        done += 1
        progress(done)
    return PhysicsReport(done, recorded, None, time_s)


def repeat_other(robot: SimRobot, name: str, reason: str) -> None:
    """Hold, stop or reset, as the log's name says."""
    if name == names.BODY_HOLD:
        robot.hold()
    elif name == names.BODY_STOP:
        robot.stop(reason)
    else:
        robot.reset(reason)


def _difference(run: Run, motion: ChunkMotion, report: ExecutionReport) -> Difference:
    step, bodies = _first_step(run, motion, report)
    label = path_of(run, motion.span)
    return Difference(label, motion.state_hash, report.state_hash, report.time_s, step, bodies)


def _first_step(run: Run, motion: ChunkMotion, report: ExecutionReport) -> tuple[int | None, tuple[str, ...]]:
    """The first control step after which a pose differs, and whose; None where no mark tells."""
    ref, bodies = motion.span.attributes.get(names.STATE_MARKS_REF), movable(recorded_scene(run))
    then = run.blobs.get_arrays(ref).get("marks") if isinstance(ref, str) else None
    if then is None or then.ndim != 2 or then.shape[1] != len(bodies) or not report.marks:
        return None, ()
    now = read_marks(report)
    both = min(len(then), len(now))
    differs = then[:both] != now[:both]
    if not differs.any():
        return (None, ()) if len(then) == len(now) else (both, ())
    step = int(differs.any(1).argmax())
    return step, tuple(name for name, other in zip(bodies, differs[step], strict=True) if other)
