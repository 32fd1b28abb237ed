"""Joints of chunks: what they conserve, how smooth they are, and what the body does at them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from sim.arms import embodiment
from vla_low_level.action import ActionChunk
from vla_low_level.audit import MotionAudit
from vla_low_level.chunk_executor import ChunkExecutor
from vla_low_level.ideal_plant import IdealPlant
from vla_low_level.observation import Observation
from vla_low_level.plant import CONTROL_HZ
from vla_low_level.policy import Instruction, PolicyOutput
from vla_low_level.robot import Decision, Ended, Seam
from vla_low_level.rotations import rotation_matrix, rotation_vector
from vla_low_level.seams import SMOOTH, Blend, Path, gripper_after, smooth_weights, splice
from vla_low_level.stepped_robot import SteppedRobot, TimedInference

ARM = embodiment("panda")
KINEMATICS = ARM.kinematics()
RATE_HZ = 10.0
HARD = Blend(smooth_weights, 0)

ROWS = nps.arrays(np.float64, st.tuples(st.integers(1, 16), st.just(7)), elements=st.floats(-0.05, 0.05))
OLD_ROWS = nps.arrays(np.float64, st.tuples(st.integers(0, 8), st.just(7)), elements=st.floats(-0.05, 0.05))


def path(rows: np.ndarray, start_m: np.ndarray | None = None) -> Path:
    return Path.along(np.zeros(3) if start_m is None else start_m, np.eye(3), rows)


@settings(max_examples=60, deadline=None)
@given(ROWS, OLD_ROWS, st.floats(0.0, 0.999), st.integers(0, 8))
def test_a_joint_ends_where_the_new_plan_means_to_end(new_rows, old_rows, share, window):
    plan = path(new_rows, np.array([0.01, -0.02, 0.0]))
    phase = share * len(new_rows)
    rows = splice(path(old_rows), plan.after(phase), Blend(smooth_weights, window))
    joined = path(np.hstack([rows, np.zeros((len(rows), 1))]))
    np.testing.assert_allclose(joined.position_m[-1], plan.position_m[-1], atol=1e-9)
    assert np.linalg.norm(rotation_vector(joined.rotation[-1] @ plan.rotation[-1].T)) < 1e-6


def test_without_a_running_chunk_and_without_a_difference_nothing_is_changed():
    rows = np.random.default_rng([1]).normal(0, 0.01, (16, 7))
    np.testing.assert_allclose(splice(path(rows[:0]), path(rows), SMOOTH), rows[:, :6], atol=1e-12)


def test_rows_that_have_passed_are_left_out_even_within_a_row():
    plan = path(np.tile([0.01, 0, 0, 0, 0, 0.1, 1.0], (4, 1)))
    left = plan.after(1.5)
    np.testing.assert_allclose(left.position_m[:, 0], [0.015, 0.025, 0.035, 0.04])
    turned = [np.linalg.norm(rotation_vector(r)) for r in left.rotation]
    np.testing.assert_allclose(turned, [0.15, 0.25, 0.35, 0.40])


def test_a_turn_is_accumulated_about_the_worlds_axes():
    rows = np.array([[0, 0, 0, 0.3, 0, 0, 1], [0, 0, 0, 0, 0.4, 0, 1]], float)
    wanted = rotation_matrix(np.array([0, 0.4, 0])) @ rotation_matrix(np.array([0.3, 0, 0]))
    np.testing.assert_allclose(path(rows).rotation[-1], wanted, atol=1e-12)


def test_the_gripper_is_that_of_the_row_that_covers_most():
    rows = np.zeros((4, 7))
    rows[:, 6] = [1, 1, 0, 0]
    assert gripper_after(rows, 0.0, 4).tolist() == [1, 1, 0, 0]
    assert gripper_after(rows, 1.4, 3).tolist() == [1, 0, 0]
    assert gripper_after(rows, 1.6, 3).tolist() == [0, 0, 0]


def test_the_new_plans_share_grows_from_nothing_to_all():
    share = np.concatenate([[0.0], smooth_weights(6), [1.0]])
    assert (np.diff(share) > 0).all()
    assert np.diff(share)[0] < np.diff(share)[3] / 2


class Wavering:
    """Goes one way; every other plan leans to the other side."""

    policy_id, cameras, replan_rows = "wavering", (), 8

    def __init__(self) -> None:
        self._asked = 0

    def reset(self) -> None: ...

    def act(self, observation: Observation, instruction: Instruction) -> PolicyOutput:
        self._asked += 1
        rows = np.zeros((16, 7), np.float32)
        rows[:, 0], rows[:, 1], rows[:, 6] = -0.003, 0.001 * (-1) ** self._asked, 1.0
        expires_s = observation.time_s + 1.0
        return PolicyOutput(ActionChunk(rows, RATE_HZ, expires_s, 0, "wavering", observation.sequence), 0.0)


def peak_m_s2(blend: Blend, delay_s: float) -> float:
    """Largest acceleration of the commanded tool after the start, over 50 ms."""
    plant = IdealPlant(ARM.home_rad)
    robot = SteppedRobot(plant, ARM)
    driver = ChunkExecutor(
        robot, Wavering(), "realtime", blend=blend, inference=TimedInference.on(robot, delay_s)
    )
    run = driver.run(Instruction("go"))
    done = list(itertools.islice(run, 5))
    tool = np.array([KINEMATICS.forward(joint)[0] for joint in robot.trail_rad])
    tool = tool[round((done[0].began_s + 0.3) * CONTROL_HZ) :]
    run.close()
    audit = MotionAudit(KINEMATICS, ARM.limits)
    audit.add(ARM.home_rad, plant.commands)
    assert sum(audit.breaches.values()) == 0
    window = round(0.05 * CONTROL_HZ)
    speed = (tool[window:] - tool[:-window]) / 0.05
    return float(np.linalg.norm(speed[window:] - speed[:-window], axis=1).max() / 0.05)


@pytest.mark.parametrize("delay_s", [0.05, 0.3])
def test_a_joint_is_smooth_where_a_hard_switch_is_not(delay_s):
    smooth, hard = peak_m_s2(SMOOTH, delay_s), peak_m_s2(HARD, delay_s)
    # The plans differ by 0.02 m/s and, at 0.3 s of age, by 7 mm; a switch within one row is 1.7 m/s2.
    assert smooth < 0.65
    assert smooth < 0.5 * hard


def chunk(number: int, *move: float, count: int = 8, expires_s: float = 50.0) -> ActionChunk:
    rows = np.zeros((count, 7), np.float32)
    rows[:, : len(move)] = move
    rows[:, 6] = 1.0
    return ActionChunk(rows, RATE_HZ, expires_s, number, "test", 0)


@pytest.fixture
def robot() -> SteppedRobot:
    return SteppedRobot(IdealPlant(ARM.home_rad), ARM)


def over(robot: SteppedRobot, wait_s: float = 0.0) -> dict[int, Ended]:
    if wait_s:
        robot.pass_time(wait_s)
    return {ended.chunk_id: ended for ended in robot.progress().ended}


def test_a_chunk_takes_over_at_the_end_of_a_row_never_within_one(robot):
    begin_m = robot.observe().proprioception.target_position_m
    robot.stream(chunk(0, 0.005))
    robot.pass_time(0.23)
    robot.stream(chunk(1, 0.0, 0.005))
    assert robot.progress().chunk_id == 0
    ended = over(robot, 0.08)
    assert ended[0].report.rows_executed == 3
    assert robot.progress().chunk_id == 1
    ended = over(robot, 1.0)
    assert ended[1].report.rows_executed == 8
    goal_m = robot.progress().goal_m
    np.testing.assert_allclose(goal_m - begin_m, [0.015, 0.04, 0], atol=1e-6)


def test_a_chunk_waits_for_its_seam(robot):
    robot.stream(chunk(0, 0.005))
    robot.pass_time(0.13)
    robot.stream(chunk(1, 0.0, 0.005), Seam(0, 5))
    assert over(robot, 0.3) == {}
    assert over(robot, 0.1)[0].report.rows_executed == 5


def test_a_chunk_that_misses_its_seam_leaves_out_the_rows_that_have_passed(robot):
    robot.stream(chunk(0, 0.005))
    robot.pass_time(0.37)
    robot.stream(chunk(1, 0.0, 0.005), Seam(0, 2))
    ended = over(robot, 2.0)
    assert (ended[1].rows_skipped, ended[1].report.rows_executed) == (2, 6)
    assert ended[1].report.verdict.decision is Decision.PASS


def test_a_chunk_that_comes_after_all_of_its_rows_is_late_and_leaves_the_running_one_alone(robot):
    robot.stream(chunk(0, 0.005))
    robot.pass_time(0.37)
    robot.stream(chunk(1, 0.0, 0.005, count=2), Seam(0, 1))
    ended = over(robot, 2.0)
    assert (ended[1].report.verdict.limit, ended[1].report.rows_executed) == ("late", 0)
    assert ended[0].report.rows_executed == 8


def test_a_chunk_that_expires_while_it_waits_never_starts(robot):
    robot.stream(chunk(0, 0.005))
    robot.pass_time(0.13)
    robot.stream(chunk(1, 0.0, 0.005, expires_s=0.3), Seam(0, 5))
    ended = over(robot, 2.0)
    assert ended[1].report.verdict.limit == "expired"
    assert np.isnan(ended[1].began_s)
    assert ended[0].report.rows_executed == 8


def test_a_newer_chunk_supersedes_the_one_that_waits(robot):
    robot.stream(chunk(0, 0.005))
    robot.pass_time(0.13)
    robot.stream(chunk(1, 0.0, 0.005))
    superseded = robot.stream(chunk(2, 0.0, -0.005)).ended
    assert [(one.chunk_id, one.report.verdict.limit) for one in superseded] == [(1, "superseded")]
    ended = over(robot, 2.0)
    assert (ended[0].report.rows_executed, ended[2].report.rows_executed) == (2, 8)


@pytest.mark.parametrize("limit", ["sequence", "finite", "age"])
def test_the_guard_judges_streamed_chunks_and_a_refused_one_leaves_the_running_one_alone(robot, limit):
    bad = {
        "sequence": chunk(3, 0.001),
        "finite": chunk(4, float("nan")),
        "age": chunk(4, 0.001, expires_s=1e6),
    }
    robot.stream(chunk(3, 0.005))
    robot.pass_time(0.13)
    refused = robot.stream(bad[limit]).ended
    assert [ended.report.verdict.limit for ended in refused] == [limit]
    assert over(robot, 2.0)[3].report.rows_executed == 8


@pytest.mark.parametrize("way", ["hold", "stop"])
def test_hold_and_stop_end_what_runs_and_what_waits(robot, way):
    robot.stream(chunk(0, 0.005))
    robot.pass_time(0.13)
    robot.stream(chunk(1, 0.0, 0.005), Seam(0, 5))
    robot.hold() if way == "hold" else robot.stop("button")
    ended = over(robot, 0.5)
    assert (ended[0].report.rows_executed, ended[1].report.rows_executed) == (1, 0)
    assert ended[0].report.latched == (way == "stop")
    assert not robot.progress().moving
    assert np.isfinite(ended[0].began_s)
    later = robot.stream(chunk(2, 0.001)).ended
    assert [one.report.verdict.limit for one in later] == (["latched"] if way == "stop" else [])


def test_contact_holds_and_drops_what_waits():
    plant = IdealPlant(ARM.home_rad)
    robot = SteppedRobot(plant, ARM)
    robot.stream(chunk(0, 0.005))
    robot.pass_time(0.13)
    robot.stream(chunk(1, 0.0, 0.005), Seam(0, 5))
    plant.contact_force_n = 80.0
    robot.pass_time(1 / CONTROL_HZ)
    plant.contact_force_n = 0.0
    ended = over(robot, 0.5)
    assert (ended[0].report.verdict.decision, ended[0].report.verdict.limit) == (
        Decision.HOLD,
        "contact_force",
    )
    assert ended[1].report.verdict.limit == "held"


def test_what_is_seen_within_a_row_is_where_the_row_has_led_so_far(robot):
    begin_m = robot.observe().proprioception.target_position_m
    robot.stream(chunk(0, 0.006))
    robot.pass_time(0.25)
    moved = robot.observe().proprioception.target_position_m - begin_m
    np.testing.assert_allclose(moved, [0.015, 0, 0], atol=1e-9)
    progress = robot.progress()
    assert (progress.rows_begun, progress.travelled_s) == (3, 0.25)
    assert progress.row_left_s == pytest.approx(0.05)
    np.testing.assert_allclose(progress.goal_m - begin_m, [0.018, 0, 0], atol=1e-9)
