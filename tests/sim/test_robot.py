import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pybullet as p
import pytest

from sim.arms import embodiment
from sim.layout import resolve
from sim.robot import SimRobot
from sim.scene import ObjectSpec, PlacedScene, SceneSpec
from sim.world import World
from traces.errors import TandemError
from vla_low_level.action import ActionChunk
from vla_low_level.body import Body
from vla_low_level.guard import ChunkHeader
from vla_low_level.nouns import Category
from vla_low_level.robot import Decision
from vla_low_level.rotations import rotation_vector

PLACED: PlacedScene = resolve(SceneSpec(objects=(ObjectSpec(category=Category.CUBE),)), 1)


def chunk(*move: float, number: int = 0, count: int = 4, expires_s: float = 50.0) -> ActionChunk:
    actions = np.zeros((count, 7), np.float32)
    actions[:, : len(move)] = move
    actions[:, 6] = 1.0
    return ActionChunk(actions, 20.0, expires_s, number, "test", 0)


@pytest.fixture
def robot():
    with SimRobot.start(PLACED) as started:
        yield started


def test_the_same_chunks_give_the_same_state_in_another_process():
    def run() -> list[str]:
        with SimRobot.start(PLACED) as robot:
            moves = [(0.01, 0.0, -0.01), (0.0, 0.01, -0.01, 0, 0, 0.02), (0, 0, 0)]
            return [robot.execute(chunk(*move, number=k)).state_hash for k, move in enumerate(moves)]

    first = run()
    assert len(set(first)) == 3
    assert first == run()


def test_looking_does_not_change_what_happens(robot):
    with SimRobot.start(PLACED) as other:
        robot.execute(chunk(0.01))
        robot.observe(("overhead", "wrist"))
        robot.hold()
        other.execute(chunk(0.01))
        ours, theirs = (r.execute(chunk(0, 0.01, number=1)).state_hash for r in (robot, other))
    assert ours == theirs


def test_an_observation_arrives_whole(robot):
    seen = robot.observe(("overhead",))
    assert set(seen.images) == {"overhead"}
    assert seen.images["overhead"].rgb.dtype == np.uint8
    assert seen.images["overhead"].depth_m.shape == seen.images["overhead"].rgb.shape[:2]
    assert (seen.sequence, robot.observe().sequence) == (0, 1)
    np.testing.assert_allclose(seen.proprioception.ee_rotation[:, 2], [0, 0, -1], atol=1e-3)


def test_the_arm_goes_where_its_rows_say(robot):
    begin = robot.observe().proprioception.ee_position_m
    for k in range(4):
        robot.execute(chunk(0.005, -0.005, -0.005, number=k))
    robot.execute(chunk(0, count=16, number=4))
    end = robot.observe().proprioception
    np.testing.assert_allclose(end.ee_position_m - begin, [0.08, -0.08, -0.08], atol=1e-3)


def test_kinematics_agree_with_the_simulator():
    world, kinematics = World(PLACED), embodiment("panda").kinematics()
    rng = np.random.default_rng([5, 1])
    links = [p.getJointInfo(world.arm.body, j, physicsClientId=world.client)[12].decode() for j in range(12)]
    for _ in range(10):
        joint = rng.uniform(-1.5, 1.5, 7)
        for k, angle in enumerate(joint):
            p.resetJointState(world.arm.body, k, angle, physicsClientId=world.client)
        state = p.getLinkState(
            world.arm.body,
            links.index(embodiment("panda").tool_link),
            computeForwardKinematics=1,
            physicsClientId=world.client,
        )
        position, rotation, _ = kinematics.forward(joint)
        np.testing.assert_allclose(position, state[4], atol=1e-5)
        turned = np.array(p.getMatrixFromQuaternion(state[5])).reshape(3, 3)
        assert np.linalg.norm(rotation_vector(rotation @ turned.T)) < 1e-4
    world.close()


def test_a_bad_chunk_is_a_verdict_not_an_exception(robot):
    report = robot.execute(chunk(float("nan")))
    assert (report.verdict.decision, report.verdict.limit) == (Decision.HOLD, "finite")
    assert np.isnan(report.verdict.value)
    assert robot.execute(chunk(0.001, number=1)).rows_executed == 4


def test_an_unknown_camera_has_a_name_for_its_error(robot):
    with pytest.raises(TandemError, match="CAMERA_UNKNOWN"):
        robot.observe(("x-ray",))
    assert robot.observe().images == {}


def test_truth_needs_privilege(robot):
    with pytest.raises(TandemError, match="TRUTH_FORBIDDEN"):
        robot.truth()
    robot.privileged = True
    with pytest.raises(TandemError, match="TRUTH_FORBIDDEN"):
        robot.truth()
    with SimRobot.start(PLACED, privileged=True) as insider:
        assert [o.category for o in insider.truth().objects] == [Category.CUBE]


def test_a_stop_before_a_chunk_keeps_it_from_moving_until_reset(robot):
    before = robot.observe().proprioception.joint_position_rad
    robot.stop("test")
    report = robot.execute(chunk(0.01))
    assert (report.verdict.decision, report.latched, report.steps_executed) == (Decision.STOP, True, 0)
    np.testing.assert_array_equal(robot.observe().proprioception.joint_position_rad, before)
    robot.reset("test")
    assert robot.execute(chunk(0.01)).rows_executed == 4
    assert robot.stopped_at_s is not None


def test_a_recorded_stop_replays_to_the_same_state(robot):
    recorded = robot.execute(chunk(0.01), max_steps=17)
    robot.reset("go on")
    after = robot.execute(chunk(0, 0.01, number=1))
    with SimRobot.start(PLACED) as twin:
        assert twin.execute(chunk(0.01), max_steps=recorded.steps_executed) == recorded
        twin.reset("go on")
        assert twin.execute(chunk(0, 0.01, number=1)) == after


@pytest.mark.parametrize("call", ["observe", "execute", "hold", "reset"])
def test_a_killed_body_is_lost_with_a_name(call):
    with SimRobot.start(PLACED) as robot:
        robot.observe()
        os.kill(robot.process_id, signal.SIGKILL)
        calls = {"execute": lambda: robot.execute(chunk(0.01)), "reset": lambda: robot.reset("x")}
        with pytest.raises(TandemError, match="BODY_LOST"):
            calls.get(call, getattr(robot, call))()
        robot.stop("too late")
        with pytest.raises(TandemError, match="BODY_LOST"):
            robot.observe()


def test_a_body_that_cannot_start_is_lost_with_its_last_words():
    broken = PLACED.model_copy(update={"light": "nowhere"})
    with (
        pytest.warns(UserWarning, match="serializer"),
        SimRobot.start(broken) as robot,
        pytest.raises(TandemError, match=r"BODY_LOST.*last words"),
    ):
        robot.observe()


def test_closing_twice_ends_the_process_once():
    robot = SimRobot.start(PLACED)
    robot.close()
    robot.close()
    with pytest.raises(ProcessLookupError):
        os.kill(robot.process_id, 0)


ORPHAN = """
import os, sys
from sim.robot import SimRobot
from sim.layout import resolve
from sim.scene import SceneSpec
robot = SimRobot.start(resolve(SceneSpec(), 1), clock=sys.argv[1])
robot.observe()
os.write(1, f"{robot.process_id}\\n".encode())
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("clock", ["lockstep", "realtime"])
def test_the_body_dies_with_its_mind(clock):
    mind = subprocess.run(
        [sys.executable, "-c", ORPHAN, clock], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
    )
    body = int(mind.stdout.split()[-1])
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _alive(body):
        time.sleep(0.02)
    assert not _alive(body)


def _alive(process_id: int) -> bool:
    """Runs, and is not a zombie that nobody has collected."""
    with contextlib.suppress(FileNotFoundError), open(f"/proc/{process_id}/stat") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def test_ctrl_c_is_left_to_the_mind(robot):
    robot.observe()
    os.kill(robot.process_id, signal.SIGINT)
    assert robot.execute(chunk(0.001)).rows_executed == 4


@pytest.mark.parametrize(
    ("side", "never"), [("sim.process", {"torch", "opentelemetry"}), ("sim.robot", {"torch"})]
)
def test_neither_side_of_the_door_loads_torch_nor_the_body_traces(side, never):
    code = f"import sys, {side}; sys.exit(bool({never} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", code], stderr=subprocess.DEVNULL, check=False)
    assert ended.returncode == 0


@pytest.fixture(scope="module")
def live():
    with SimRobot.start(PLACED, clock="realtime") as started:
        started.observe()
        yield started


def fresh(*move: float, count: int = 4) -> ActionChunk:
    return chunk(*move, count=count, expires_s=time.monotonic() + 1.0)


def test_in_real_time_a_chunk_takes_its_time(live):
    live.reset("test")
    begin_s = time.monotonic()
    report = live.execute(fresh(0.002, count=6))
    assert report.rows_executed == 6
    # A body that was held up may catch up by a few steps.
    assert time.monotonic() - begin_s > 0.25


def test_in_real_time_a_late_chunk_is_dropped(live):
    live.reset("test")
    before = live.observe().proprioception.target_position_m
    report = live.execute(chunk(0.01, expires_s=time.monotonic() - 0.001))
    assert (report.verdict.limit, report.rows_executed) == ("expired", 0)
    np.testing.assert_allclose(live.observe().proprioception.target_position_m, before, atol=1e-4)


def test_in_real_time_time_passes_and_the_arm_holds_without_a_chunk(live):
    live.reset("test")
    first = live.observe()
    live.execute(fresh(0))
    second = live.observe()
    assert second.time_s > first.time_s
    np.testing.assert_allclose(
        first.proprioception.ee_position_m, second.proprioception.ee_position_m, atol=1e-3
    )


def test_an_arm_at_speed_stays_where_stops_meet_it():
    world = World(PLACED)
    body = Body(world, world.embodiment.kinematics(), world.embodiment.limits, world.embodiment.home_rad)
    rows = np.zeros((12, 7), np.float32)
    rows[:, 1] = 0.012
    body.begin(rows, ChunkHeader(20.0, world.time_s + 10.0, 0))
    for _ in range(60):
        body.tick()
    for _ in range(10):
        body.stop("again and again")
        for _ in range(12):
            body.tick()
    world.close()
    assert 0.0 < body.stop_travel_m < 0.001


def test_a_stop_from_another_thread_ends_a_chunk_at_once(live):
    live.reset("test")
    reports = []
    mover = threading.Thread(target=lambda: reports.append(live.execute(fresh(0.001, count=60))))
    mover.start()
    time.sleep(0.1)
    live.stop("test")
    mover.join(20)
    assert (reports[0].verdict.decision, reports[0].latched) == (Decision.STOP, True)
    assert reports[0].rows_executed < 60
    assert live.execute(fresh(0.01)).steps_executed == 0
    time.sleep(0.3)
    live.observe()
    assert 0.0 < live.stop_travel_m < 0.001
    live.reset("test")
    assert live.execute(fresh(0.002)).rows_executed == 4
