import numpy as np
import pytest

from vla_low_level.action import ActionChunk
from vla_low_level.monitor import UNSEEING, ChunkMonitor, Level, Thresholds, check_frame, worst
from vla_low_level.observation import CameraImage, Observation, Proprioception
from vla_low_level.policy import PolicyOutput, Whereabouts
from vla_low_level.robot import Decision, ExecutionReport, Verdict


def chunk(step_m: float = 0.01) -> ActionChunk:
    actions = np.zeros((8, 7), np.float32)
    actions[:, 0] = step_m
    return ActionChunk(actions, 20.0, 1.0, 0, "test", 0)


def report(**changes: object) -> ExecutionReport:
    facts: dict[str, object] = {
        "verdict": Verdict(Decision.PASS),
        "clamps": 0,
        "rows_executed": 8,
        "steps_executed": 96,
        "time_s": 1.0,
        "state_hash": "",
        "latched": False,
        "tracking_error_m": 0.001,
    }
    return ExecutionReport(**{**facts, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "name", "level"),
    [
        ({}, "time_s", Level.OK),
        ({"time_s": 21.0}, "time_s", Level.ALARM),
        ({"tracking_error_m": 0.02}, "tracking_m", Level.WARN),
        ({"tracking_error_m": 0.05}, "tracking_m", Level.ALARM),
        ({"clamps": 60}, "clamped_share", Level.WARN),
        ({"verdict": Verdict(Decision.HOLD, "contact_force", 80, 60)}, "guard_contact_force", Level.WARN),
        ({"verdict": Verdict(Decision.HOLD, "tracking", 0.05, 0.03)}, "guard_tracking", Level.ALARM),
    ],
)
def test_each_score_has_its_own_bound(changes: dict[str, object], name: str, level: Level) -> None:
    finding = worst(ChunkMonitor(0.0, 20.0).check(chunk(), report(**changes)))
    assert finding.level is level
    assert finding.name == name


def test_a_policy_that_does_nothing_is_stuck_after_three_seconds() -> None:
    monitor = ChunkMonitor(0.0, 100.0)
    levels = [worst(monitor.check(chunk(0.0), report())).level for _ in range(9)]
    assert levels[:7] == [Level.OK] * 7
    assert levels[-1] is Level.ALARM


@pytest.mark.parametrize(
    ("rgb", "depth", "level"),
    [
        (np.zeros((8, 8, 3), np.uint8), 1.0, Level.ALARM),
        (np.full((8, 8, 3), 255, np.uint8), 1.0, Level.ALARM),
        (np.arange(192, dtype=np.uint8).reshape(8, 8, 3), 1.0, Level.OK),
        (np.arange(192, dtype=np.uint8).reshape(8, 8, 3), np.nan, Level.ALARM),
    ],
)
def test_frames_that_show_nothing_raise_an_alarm(rgb: np.ndarray, depth: float, level: Level) -> None:
    image = CameraImage(rgb, np.full((8, 8), depth, np.float32), np.eye(3), np.eye(4))
    assert check_frame(image).level is level


PUSHED = {"verdict": Verdict(Decision.HOLD, "contact_force", 80, 60)}


@pytest.mark.parametrize(("bounds", "pushes"), [(Thresholds(), 4), (UNSEEING, 1)])
def test_who_looks_may_be_pushed_back_a_few_times(bounds, pushes):
    monitor = ChunkMonitor(0.0, 20.0, bounds)
    levels = [worst(monitor.check(chunk(), report(**PUSHED))).level for _ in range(pushes)]
    assert levels == [Level.WARN] * (pushes - 1) + [Level.ALARM]


def aiming(x_m: float, hand_m: tuple[float, float, float] = (0.3, 0.0, 0.4)):
    body = Proprioception(
        joint_position_rad=np.zeros(7),
        joint_velocity_rad_s=np.zeros(7),
        ee_position_m=np.array(hand_m),
        ee_rotation=np.eye(3),
        target_position_m=np.array(hand_m),
        target_rotation=np.eye(3),
        gripper_opening=1.0,
        last_command=np.zeros(7),
        contact_force_n=0.0,
    )
    features = {"target_m": np.array([x_m, 0.0, 0.0], np.float32)}
    return Observation({}, body, 0.0, 0), PolicyOutput(chunk(), 0.0, features)


def test_a_policy_that_aims_elsewhere_is_stopped_at_the_second_look():
    monitor, about = ChunkMonitor(0.0, 20.0), Whereabouts(np.array([0.6, 0.0]), 0.07)
    found = [monitor.check_aim(*aiming(x), about) for x in (0.5, 0.62, 0.5, 0.5)]
    assert [f.level for f in found if f] == [Level.WARN, Level.OK, Level.WARN, Level.ALARM]
    assert found[-1] is not None
    assert found[-1].score == pytest.approx(0.1)


def test_near_its_goal_the_hand_hides_what_a_policy_aims_at():
    monitor, about = ChunkMonitor(0.0, 20.0), Whereabouts(np.array([0.6, 0.0]), 0.07)
    assert monitor.check_aim(*aiming(0.2, hand_m=(0.58, 0.0, 0.1)), about) is None
    assert monitor.check_aim(*aiming(0.2), None) is None
