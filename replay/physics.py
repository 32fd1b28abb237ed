"""R1: rebuild the world from the record, repeat every motion, compare the physical state at each chunk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from replay.motion import ChunkMotion, Motion, recorded_motion
from sim.arm import HOME_RAD, TOOL_LINK, source_urdf
from sim.scene import PlacedScene
from sim.world import World
from traces import names
from traces.errors import TandemError
from traces.reader import read_run
from traces.run import Run
from vla_low_level.body import Body
from vla_low_level.guard import ChunkHeader
from vla_low_level.kinematics import Kinematics
from vla_low_level.limits import PANDA

LOCKSTEP = "lockstep"

Progress = Callable[[int, int], None]
"""Told after every chunk: how many are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the replay and the record part.

    Attributes:
        label: The chunk's span name, or `start` before any motion.
        recorded: State hash then.
        replayed: State hash now.
        time_s: The body's clock in the replay, s.
    """

    label: str
    recorded: str
    replayed: str
    time_s: float


@dataclass(frozen=True, slots=True)
class PhysicsReport:
    """What a physics replay found.

    Attributes:
        chunks: Chunks whose state was compared and equal.
        recorded: Chunks on record.
        start_compared: Whether the state before any motion was on record too.
        difference: The first one; None when every comparison was equal.
        sim_s: Simulated time that was repeated, s.
    """

    chunks: int
    recorded: int
    start_compared: bool
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
            for a run on the real-time clock, `REPLAY_INCOMPLETE` when the record lacks what this needs.
    """
    run = read_run(folder)
    facts = _facts(run)
    if facts.get(names.CLOCK, LOCKSTEP) != LOCKSTEP:
        raise TandemError(
            "REPLAY_REAL_TIME",
            "this run was made on the real-time clock, and how long the arm waited is not on record",
            fix="physics replay is for lockstep runs; `--level view` shows any run",
        )
    motions = recorded_motion(run)
    world = World(_scene(run, facts.get(names.SCENE_REF)))
    try:
        return _repeat(world, motions, facts.get(names.STATE_HASH_INITIAL), progress)
    finally:
        world.close()


def _facts(run: Run) -> dict[str, object]:
    """What the run's first record and its root spans say."""
    facts = dict(run.attributes)
    for root in run.roots:
        facts.update(root.attributes)
    return facts


def _scene(run: Run, ref: object) -> PlacedScene:
    if not isinstance(ref, str):
        raise TandemError("REPLAY_INCOMPLETE", f"{run.folder} does not say in which scene it took place")
    try:
        return PlacedScene.model_validate(run.blobs.get_json(ref))
    except ValidationError as cause:
        raise TandemError("REPLAY_INCOMPLETE", f"the recorded scene cannot be built: {cause}") from cause


def _repeat(world: World, motions: tuple[Motion, ...], initial: object, progress: Progress) -> PhysicsReport:
    kinematics = Kinematics.from_urdf(source_urdf().read_text(encoding="utf-8"), TOOL_LINK)
    body = Body(world, kinematics, PANDA, HOME_RAD)
    recorded = sum(isinstance(motion, ChunkMotion) for motion in motions)
    compared = bool(initial)
    difference = _compare("start", str(initial or ""), world)
    done = 0
    for motion in motions:
        if difference is not None:
            break
        _apply(body, motion)
        if isinstance(motion, ChunkMotion):
            if not motion.state_hash:
                break
            difference = _compare(motion.label, motion.state_hash, world)
            done += difference is None
            progress(done, recorded)
    return PhysicsReport(done, recorded, compared, difference, world.time_s)


def _apply(body: Body, motion: Motion) -> None:
    if isinstance(motion, ChunkMotion):
        header = ChunkHeader(motion.chunk.rate_hz, motion.chunk.expires_s, motion.chunk.chunk_id)
        body.execute(motion.chunk.actions, header, max_steps=motion.max_steps)
    elif motion.name == names.BODY_HOLD:
        body.hold()
    elif motion.name == names.BODY_STOP:
        body.stop(motion.reason)
    else:
        body.reset()


def _compare(label: str, recorded: str, world: World) -> Difference | None:
    """The difference at this point, if the record says what the state was."""
    now = world.state_hash()
    return Difference(label, recorded, now, world.time_s) if recorded and now != recorded else None
