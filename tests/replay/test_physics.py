"""A recorded run can be repeated bit for bit, and a run that was not so is caught at the right chunk."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pybullet as p
import pytest

from replay.physics import PhysicsReport, replay_physics
from sim.arms import embodiment
from sim.layout import resolve
from sim.robot import SimRobot
from sim.scene import SceneSpec
from sim.world import World
from traces import names
from traces.errors import TandemError
from traces.reader import read_run
from traces.recorder import Recorder
from vla_low_level.action import ActionChunk
from vla_low_level.body import Body
from vla_low_level.guard import ChunkHeader
from vla_low_level.limits import PANDA
from vla_low_level.recorded_robot import RecordedRobot
from vla_low_level.recording import marks_ref

HOME_RAD = embodiment("panda").home_rad

SEED = 3


@dataclass
class Script:
    """What happens to chunk k: steps after which it is stopped, what comes before it, a lie about it.

    A push moves an object by a hair before a step of a chunk.
    """

    chunks: int = 4
    stops: dict[int, int] = field(default_factory=dict)
    holds: tuple[int, ...] = ()
    stops_before: tuple[int, ...] = ()
    lies: tuple[int, ...] = ()
    forget_resets: bool = False
    facts: dict[str, object] = field(default_factory=dict)
    die_in: int = -1
    push: tuple[int, int, str] | None = None


def _rows(k: int) -> np.ndarray:
    rows = np.random.default_rng([SEED, k]).uniform(-0.004, 0.004, (6, 7)).astype(np.float32)
    rows[:, 2] = -0.008
    rows[:, 6] = k % 2
    return rows


def record(folder: Path, script: Script) -> Path:
    placed = resolve(SceneSpec(count=(4, 4)), SEED)
    world = World(placed)
    kinematics = embodiment("panda").kinematics()
    body = Body(world, kinematics, PANDA, HOME_RAD)
    recorder = Recorder.open(folder, {names.CLOCK: "lockstep"})
    with recorder, recorder.span(names.COMMAND) as root:
        root.set(names.SCENE_REF, recorder.json(placed.model_dump(mode="json")))
        root.set(names.STATE_HASH_INITIAL, world.state_hash())
        root.update(script.facts)
        for k in range(script.chunks):
            if k in script.holds:
                body.hold()
                recorder.log(names.BODY_HOLD)
            if k in script.stops_before:
                body.stop("between")
                recorder.log(names.BODY_STOP, {names.REASON: "between"})
            if body.latched:
                body.reset()
                if not script.forget_resets:
                    recorder.log(names.BODY_RESET, {names.REASON: "test"})
            _record_chunk(recorder, body, k, script, _pusher(world, k, script))
    world.close()
    return folder


def _pusher(world: World, k: int, script: Script) -> Callable[[], bool]:
    """Asked before every step whether to stop; never does, but pushes when its time has come."""
    steps = itertools.count()

    def never() -> bool:
        if script.push and (k, next(steps)) == script.push[:2]:
            at = world.objects[script.push[2]]
            p.resetBaseVelocity(at, (1e-6, 0, 0), physicsClientId=world.client)
        return False

    return never


def _record_chunk(recorder: Recorder, body: Body, k: int, script: Script, never: Callable[[], bool]) -> None:
    facts = {
        names.CHUNK_ID: k,
        names.CHUNK_RATE_HZ: 20.0,
        names.CHUNK_EXPIRES_S: body.observe().time_s + 1.0,
        names.CHUNK_REF: recorder.arrays(actions=_rows(k)),
    }
    with recorder.span(names.CHUNK.format(k=k), facts) as span:
        if k == script.die_in:
            return
        header = ChunkHeader(20.0, body.observe().time_s + 1.0, k)
        report = body.execute(_rows(k), header, stop_requested=never, max_steps=script.stops.get(k))
        span.set(names.GUARD_DECISION, report.verdict.decision)
        span.set(names.CHUNK_STEPS_EXECUTED, report.steps_executed)
        span.set(names.BODY_TIME_S, report.time_s)
        span.set(names.STATE_HASH, "0" * 64 if k in script.lies else report.state_hash)
        span.set(names.STATE_MARKS_REF, marks_ref(recorder, report))
        span.set(names.STATE_MARKS_REF, marks_ref(recorder, report))


def test_every_chunk_is_equal_in_another_process(tmp_path: Path) -> None:
    report = replay_physics(record(tmp_path / "run", Script()))
    assert report == PhysicsReport(4, 4, difference=None, sim_s=pytest.approx(4 * 72 / 240))
    assert report.equal


def test_stops_holds_and_resets_are_repeated(tmp_path: Path) -> None:
    folder = record(tmp_path / "run", Script(chunks=5, stops={1: 17}, holds=(3,), stops_before=(4,)))
    report = replay_physics(folder)
    assert report.difference is None
    assert (report.chunks, report.recorded) == (5, 5)
    assert report.sim_s == pytest.approx((4 * 72 + 17) / 240)


def test_a_reset_that_is_not_on_record_is_noticed(tmp_path: Path) -> None:
    report = replay_physics(record(tmp_path / "run", Script(stops={1: 17}, forget_resets=True)))
    assert report.difference is not None
    assert (report.difference.label, report.chunks) == ("chunk 2", 2)


def test_the_first_chunk_that_differs_is_named(tmp_path: Path) -> None:
    seen = []
    report = replay_physics(
        record(tmp_path / "run", Script(lies=(2, 3))), lambda done, of: seen.append((done, of))
    )
    assert report.difference is not None
    assert (report.difference.label, report.difference.recorded) == ("chunk 2", "0" * 64)
    assert (report.chunks, report.recorded, report.equal) == (2, 4, False)
    assert seen == [(1, 4), (2, 4)]


def test_the_first_step_and_body_that_differ_are_named(tmp_path: Path) -> None:
    thing = resolve(SceneSpec(count=(4, 4)), SEED).objects[2].id
    report = replay_physics(record(tmp_path / "run", Script(push=(1, 40, thing))))
    assert report.difference is not None
    assert (report.difference.label, report.difference.step) == ("chunk 1", 40)
    assert report.difference.bodies == (thing,)
    assert f"chunk 1, first in control step 40: {thing};" in str(report.difference)


def test_a_chunk_that_went_on_for_longer_then_is_told_by_its_step(tmp_path: Path) -> None:
    folder = record(tmp_path / "run", Script(chunks=2, stops={1: 17}, facts={}))
    log = folder / "trace.wal"
    run = read_run(folder)
    log.unlink()
    facts = [dict(span.attributes) for span in run.named(names.CHUNK)]
    facts[1][names.GUARD_DECISION] = "pass"
    with Recorder.open(folder, run.attributes) as recorder, recorder.span(names.COMMAND) as root:
        root.update(run.roots[0].attributes)
        for k, told in enumerate(facts):
            with recorder.span(names.CHUNK.format(k=k), told):
                pass
    difference = replay_physics(folder).difference
    assert difference is not None
    assert (difference.label, difference.step, difference.bodies) == ("chunk 1", 17, ())


def test_another_start_is_noticed_before_anything_moves(tmp_path: Path) -> None:
    report = replay_physics(record(tmp_path / "run", Script(facts={names.STATE_HASH_INITIAL: "1" * 64})))
    assert report.difference is not None
    assert (report.difference.label, report.chunks, report.sim_s) == ("start", 0, 0.0)


def test_a_killed_run_is_compared_up_to_its_death(tmp_path: Path) -> None:
    report = replay_physics(record(tmp_path / "run", Script(die_in=3)))
    assert report == PhysicsReport(3, 4, difference=None, sim_s=report.sim_s)


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({names.CLOCK: "realtime"}, "REPLAY_REAL_TIME"),
        ({names.WORLD_USED: True}, "REPLAY_USED_WORLD"),
        ({names.SCENE_REF: "0" * 64}, "BLOB_MISSING"),
        ({names.SCENE_REF: 7}, "REPLAY_INCOMPLETE"),
    ],
)
def test_what_cannot_be_repeated_is_named(tmp_path: Path, facts: dict[str, object], code: str) -> None:
    folder = record(tmp_path / "run", Script(chunks=1, facts=facts))
    with pytest.raises(TandemError, match=code):
        replay_physics(folder)


def test_a_chunk_without_its_actions_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with Recorder.open(folder, {}) as recorder, recorder.span(names.CHUNK.format(k=0)) as span:
        span.set(names.CHUNK_REF, recorder.arrays(wrong=np.zeros(3)))
    with pytest.raises(TandemError, match=r"REPLAY_INCOMPLETE.*chunk 0"):
        replay_physics(folder)


def test_a_stop_from_another_thread_is_repeated_at_its_step(tmp_path: Path) -> None:
    placed = resolve(SceneSpec(count=(4, 4)), SEED)
    rows = np.tile(_rows(1), (10, 1))
    rows[:, :3] *= np.where(np.arange(len(rows)) % 12 < 6, 1, -1)[:, None]
    recorder = Recorder.open(tmp_path / "run", {names.CLOCK: "lockstep"})
    recorder.update({names.SCENE_REF: recorder.json(placed.model_dump(mode="json"))})
    with SimRobot.start(placed) as body, recorder, recorder.span(names.COMMAND):
        robot = RecordedRobot(body, recorder)
        robot.observe()
        stopper = threading.Timer(0.1, robot.stop, ("button",))
        for k in range(3):
            chunk = ActionChunk(rows, 20.0, robot.observe().time_s + 1.0, k, "test", k)
            facts = {
                names.CHUNK_ID: k,
                names.CHUNK_RATE_HZ: chunk.rate_hz,
                names.CHUNK_EXPIRES_S: chunk.expires_s,
                names.CHUNK_REF: recorder.arrays(actions=rows),
            }
            with recorder.span(names.CHUNK.format(k=k), facts) as span:
                if k == 1:
                    stopper.start()
                report = robot.execute(chunk)
                span.set(names.GUARD_DECISION, report.verdict.decision)
                span.set(names.CHUNK_STEPS_EXECUTED, report.steps_executed)
                span.set(names.STATE_HASH, report.state_hash)
            if k == 1:
                stopper.join()
                robot.reset("test")
    report = replay_physics(tmp_path / "run")
    assert report.difference is None
    assert report.chunks == 3
