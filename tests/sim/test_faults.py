"""Each fault of the body does what the catalogue says, from its onset on, for its duration, and no longer."""

from collections.abc import Iterator

import numpy as np
import pybullet as p
import pytest

from sim.faults.catalogue import CATALOGUE
from sim.faults.effects import EFFECTS
from sim.faults.kinds import Site
from sim.faults.plant import FaultyPlant
from sim.faults.spec import Injection
from sim.layout import resolve
from sim.scene import ObjectSpec, PlacedScene, SceneSpec
from sim.world import World
from vla_low_level.body import Body
from vla_low_level.guard import ChunkHeader
from vla_low_level.nouns import Category
from vla_low_level.observation import CameraImage
from vla_low_level.robot import Decision, ExecutionReport
from vla_low_level.rotations import rotation_vector

CUBE = SceneSpec(objects=(ObjectSpec(category=Category.CUBE, position=(0.45, 0.0), yaw=0.0),))
PLACED: PlacedScene = resolve(CUBE, 1)
BEFOREHAND = ("start_pose", "resized")
STILL = (0.0,) * 6


class Rig:
    """A body around a faulty plant, in this process."""

    def __init__(self, *faults: str, seed: int = 5) -> None:
        self.world = World(PLACED)
        self.plant = FaultyPlant(self.world, Injection.parse(faults, seed))
        arm = self.world.embodiment
        self.kinematics = arm.kinematics()
        self.body = Body(self.plant, self.kinematics, arm.limits, arm.home_rad)
        self.chunks = 0

    def move(self, *row: float, rows: int = 4, fingers: float = 1.0) -> ExecutionReport:
        actions = np.tile(np.array([*[*row, *STILL][:6], fingers], np.float32), (rows, 1))
        header = ChunkHeader(20.0, self.plant.time_s + 1.0, self.chunks)
        self.chunks += 1
        return self.body.execute(*self.plant.chunk(actions, header))

    def look(self, view: str = "overhead") -> CameraImage:
        return self.plant.capture((view,))[view]

    def tool(self) -> np.ndarray:
        """Where the tool really is."""
        return self.kinematics.forward(self.world.read().joint_position_rad)[0].copy()

    def cube(self) -> np.ndarray:
        return np.array(p.getBasePositionAndOrientation(self._cube, physicsClientId=self.world.client)[0])

    @property
    def _cube(self) -> int:
        return next(iter(self.world.objects.values()))

    def grasp(self) -> None:
        """Have the cube in the hand, up in the air."""
        turn = p.getLinkState(self.world.arm.body, self.world.arm.hand, physicsClientId=self.world.client)[5]
        for _ in range(6):
            p.resetBasePositionAndOrientation(
                self._cube, self.tool().tolist(), turn, physicsClientId=self.world.client
            )
            p.resetBaseVelocity(self._cube, [0] * 3, [0] * 3, physicsClientId=self.world.client)
            self.move(rows=1, fingers=0.0)
        self.move(rows=4, fingers=0.0)


@pytest.fixture
def rig() -> Iterator[type[Rig]]:
    made: list[Rig] = []

    def make(*faults: str, **more: int) -> Rig:
        made.append(Rig(*faults, **more))
        return made[-1]

    yield make  # type: ignore[misc]
    for item in made:
        item.world.close()


def differ(one: CameraImage, other: CameraImage) -> float:
    return float(np.abs(one.rgb.astype(float) - other.rgb).mean())


def test_every_number_is_there_and_every_kind_of_the_body_has_an_effect() -> None:
    assert {kind.number for kind in CATALOGUE.values()} == set(range(1, 25))
    assert set(EFFECTS) == {name for name, kind in CATALOGUE.items() if kind.site is Site.BODY}
    for kind in CATALOGUE.values():
        assert kind.size.low <= kind.size.default <= kind.size.high
        assert kind.meaning.endswith(".")


@pytest.mark.parametrize(
    "fault",
    [
        *("occlusion", "black_frame", "glare", "picture_noise", "sensor_noise", "blur", "dark", "brightness"),
        *("colour_cast", "white_balance", "light_turn", "camera_shift", "camera_turn", "camera_jitter"),
        *("distractor", "tablecloth"),
    ],
)
def test_a_picture_is_spoilt_while_the_fault_lasts_and_its_calibration_is_the_old_one(rig, fault) -> None:
    clean, spoilt = rig(), rig(f"{fault}@0.2s+0.2s")
    for item in (clean, spoilt):
        item.plant.awake()
    changes = []
    for _ in range(3):
        one, other = clean.look(), spoilt.look()
        np.testing.assert_array_equal(one.pose, other.pose)
        np.testing.assert_array_equal(one.intrinsics, other.intrinsics)
        changes.append(differ(one, other))
        assert clean.move(0.001).state_hash == spoilt.move(0.001).state_hash
    assert changes[0] == changes[2] == 0.0
    assert changes[1] > 0.05
    told = [(h.phase, round(h.time_s, 2)) for h in spoilt.plant.happened]
    assert told == [("begin", 0.2), ("end", 0.4)]


def test_magnitudes_are_what_they_say(rig) -> None:
    assert (rig("occlusion:0.25").look().depth_m == np.float32(0.05)).mean() == pytest.approx(0.25, abs=0.01)
    assert not rig("black_frame").look().rgb.any()
    clean = rig().look()
    noise = rig("picture_noise:20").look().rgb.astype(float) - clean.rgb
    assert noise[clean.rgb == 128].std() == pytest.approx(20.0, rel=0.3) or noise.std() > 12.0
    assert rig("dark:0.3").look().rgb.mean() == pytest.approx(0.3 * clean.rgb.mean(), rel=0.02)


def test_a_camera_is_aimed_at_by_name_and_a_fixed_view_moves_with_its_twin(rig) -> None:
    clean = rig()
    for fault, moved in (("camera_shift", (True, True, False)), ("camera_shift/wrist", (False, False, True))):
        shifted = rig(fault)
        views = ("overhead", "table", "wrist")
        assert tuple(differ(clean.look(v), shifted.look(v)) > 0 for v in views) == moved
    assert differ(clean.look("front"), rig("black_frame").look("front")) == 0.0


def test_a_shifted_camera_sees_things_so_far_from_where_they_are(rig) -> None:
    fine, wrong = rig().look().points(), rig("camera_shift:0.05").look().points()
    top = fine[..., 2] > 0.03
    top &= np.hypot(fine[..., 0] - 0.45, fine[..., 1]) < 0.04
    also = (wrong[..., 2] > 0.03) & (np.hypot(wrong[..., 0] - 0.45, wrong[..., 1]) < 0.12)
    assert np.linalg.norm(fine[top][:, :2].mean(0) - wrong[also][:, :2].mean(0)) == pytest.approx(
        0.05, abs=0.01
    )


def test_a_frozen_camera_repeats_the_last_picture_before_and_tells_the_present_pose(rig) -> None:
    frozen = rig("frame_freeze@0.2s+0.4s")
    first = frozen.look("wrist")
    frozen.move(0.01)
    still = frozen.look("wrist")
    np.testing.assert_array_equal(first.rgb, still.rgb)
    assert np.linalg.norm(still.pose[:3, 3] - first.pose[:3, 3]) > 0.01
    frozen.move(0.01, rows=8)
    assert differ(first, frozen.look("wrist")) > 0


def test_a_lagging_camera_shows_what_was_so_long_ago(rig) -> None:
    clean, late = rig(), rig("frame_lag/wrist:0.4")
    was = []
    for _ in range(4):
        was.append(clean.look("wrist"))
        seen = late.look("wrist")
        clean.move(0.005)
        late.move(0.005)
    np.testing.assert_array_equal(seen.rgb, was[1].rgb)


def test_encoders_that_are_off_move_the_arm_and_hide_it(rig) -> None:
    clean, off = rig(), rig("encoder_bias:0.02")
    for item in (clean, off):
        item.look()
        item.move(rows=8)
    felt = [item.body.observe().proprioception.ee_position_m for item in (clean, off)]
    assert np.linalg.norm(felt[0] - felt[1]) < 0.004
    assert np.linalg.norm(clean.tool() - off.tool()) > 0.008
    believed = off.look("wrist").pose[:3, 3] - off.body.observe().proprioception.ee_position_m
    right = clean.look("wrist").pose[:3, 3] - clean.body.observe().proprioception.ee_position_m
    np.testing.assert_allclose(believed, right, atol=2e-3)


@pytest.mark.parametrize("turn", [0.0, 0.02])
def test_a_hand_that_is_mounted_aside_is_off_by_as_much_in_every_pose_and_does_not_feel_it(rig, turn) -> None:
    clean, off = rig(), rig("tool_offset:0.02")
    for item in (clean, off):
        item.look()
        item.move(0.004, 0.004, -0.004, 0, 0, turn, rows=8)
        item.move(rows=8)
    felt = [item.body.observe().proprioception.ee_position_m for item in (clean, off)]
    assert np.linalg.norm(felt[0] - felt[1]) < 0.003
    assert np.linalg.norm(clean.tool() - off.tool()) == pytest.approx(0.02, abs=0.004)
    assert abs(clean.tool() - off.tool())[2] < 0.004
    believed = off.look("wrist").pose[:3, 3] - off.body.observe().proprioception.ee_position_m
    right = clean.look("wrist").pose[:3, 3] - clean.body.observe().proprioception.ee_position_m
    np.testing.assert_allclose(believed, right, atol=3e-3)


def test_a_chunk_that_is_anchored_in_the_past_jumps_back_first(rig) -> None:
    clean, late = rig(), rig("stale_anchor:0.1")
    ends = []
    for item in (clean, late):
        start = item.tool()
        for _ in range(3):
            item.move(0.005, rows=4)
        item.move(rows=4)
        ends.append(item.tool()[0] - start[0])
    # Three seams, and at each the last two rows of 5 mm are gone back over.
    assert ends[0] - ends[1] == pytest.approx(0.03, abs=0.003)
    first = np.full((4, 7), 0.005, np.float32)
    rows, _ = rig("stale_anchor:0.1").plant.chunk(first, ChunkHeader(20.0, 1.0, 0))
    np.testing.assert_array_equal(rows, first)


def test_things_are_of_another_size_before_anybody_looks(rig) -> None:
    clean, small = rig(), rig("resized:0.5@100s")
    low, high = p.getAABB(small._cube, physicsClientId=small.world.client)
    was = np.subtract(*reversed(p.getAABB(clean._cube, physicsClientId=clean.world.client)))
    np.testing.assert_allclose(np.subtract(high, low), was / 2, atol=2e-3)
    assert differ(clean.look(), small.look()) > 0.05
    small.move(rows=8)
    assert small.cube()[2] == pytest.approx(clean.cube()[2] / 2, abs=2e-3)
    assert np.linalg.norm(small.cube()[:2] - clean.cube()[:2]) < 2e-3
    small.grasp()
    assert small.cube()[2] > 0.1


def test_gain_units_and_frame(rig) -> None:
    way = {}
    for fault in ("", "gain:0.5", "wrong_frame:1.5707963"):
        item = rig(*([fault] if fault else []))
        start = item.tool()
        item.move(0.005)
        item.move(rows=8)
        way[fault] = item.tool() - start
    np.testing.assert_allclose(way["gain:0.5"], 0.5 * way[""], atol=1e-3)
    np.testing.assert_allclose(way["wrong_frame:1.5707963"][:2], [-way[""][1], way[""][0]], atol=1.5e-3)
    refused = rig("wrong_units").move(0, 0, 0, 0, 0, 0.02)
    assert (refused.verdict.decision, refused.verdict.limit) == (Decision.HOLD, "ee_turn")


def test_rate_and_tail_change_how_long_a_chunk_lasts(rig) -> None:
    assert rig().move(0.002).steps_executed == 48
    assert rig("wrong_rate:2").move(0.002).steps_executed == 24
    assert rig("wrong_rate:0.5").move(0.002).steps_executed == 96
    assert rig("dropped_tail:0.5").move(0.002).rows_executed == 2


def test_weak_late_and_sticky_motors_lag_behind(rig) -> None:
    def error(*faults: str) -> float:
        item = rig(*faults)
        return max(item.move(0.01, rows=8).tracking_error_m for _ in range(2))

    good = error()
    assert error("weak_motors:0.02") > 3 * good
    assert error("motor_delay:0.15") > 3 * good
    assert error("sticky_joints:400") > 2 * good


def test_what_is_held_slips_out_and_only_then(rig) -> None:
    slips, holds = rig("slip@0s"), rig()
    for item in (slips, holds):
        item.grasp()
        item.move(rows=12, fingers=0.0)
    assert [h.phase for h in slips.plant.happened] == ["begin", "end"]
    assert slips.cube()[2] < 0.1 < holds.cube()[2]
    empty = rig("slip@0s")
    empty.move(rows=8)
    assert not empty.plant.happened


def test_fingers_without_force_drop_it_and_stuck_ones_do_not_let_go(rig) -> None:
    weak, stuck = rig("gripper_weak@0.6s"), rig("stuck_fingers@0.6s")
    for item in (weak, stuck):
        item.grasp()
        item.move(rows=20, fingers=0.0)
    stuck.move(rows=12, fingers=1.0)
    assert weak.cube()[2] < 0.1 < stuck.cube()[2]


def test_fingers_come_late_and_feel_what_is_not_there(rig) -> None:
    late, false = rig("grip_delay:0.5"), rig("false_grip:0.2")
    for item in (late, false):
        item.move(rows=6, fingers=1.0)
        item.move(rows=8, fingers=0.0)
    assert late.world.read().gripper_opening > 0.9
    assert false.world.read().gripper_opening < 0.05
    assert false.body.observe().proprioception.gripper_opening == pytest.approx(0.2)
    late.move(rows=12, fingers=0.0)
    assert late.world.read().gripper_opening < 0.1


def test_an_object_is_moved_when_the_hand_comes_and_the_hand_alone_makes_it_so(rig) -> None:
    item, before = rig("object_moved:0.06@0s"), None
    far = item.tool() - item.cube()
    for _ in range(40):
        before = item.cube()
        step = np.clip(item.cube() + np.array([0, 0, 0.05]) - item.tool(), -0.01, 0.01)
        item.move(*step, rows=2)
        if item.plant.happened:
            break
    assert np.linalg.norm(far) > 0.15
    assert [h.phase for h in item.plant.happened] == ["begin", "end"]
    assert np.linalg.norm(item.tool() - before) < 0.12
    assert np.linalg.norm(item.cube()[:2] - before[:2]) == pytest.approx(0.06, abs=0.005)


def test_an_object_is_pulled_away_for_as_long_as_it_is_said(rig) -> None:
    item = rig("object_pulled/" + PLACED.objects[0].id + ":0.05@0s+0.4s")
    item.plant.awake()
    start = item.cube()
    for _ in range(45):
        item.move(rows=4)
    assert [h.phase for h in item.plant.happened] == ["begin", "end"]
    assert item.plant.happened[0].time_s > 7.9
    assert np.linalg.norm(item.cube()[:2] - start[:2]) == pytest.approx(0.02, abs=0.004)


@pytest.mark.parametrize(
    ("fault", "which", "value"),
    [
        ("slippery:0.1", 1, 0.1),
        ("friction_shift:0.9", 1, 0.9),
        ("heavy:15", 0, 0.9),
        ("mass_shift:1.2", 0, 0.072),
    ],
)
def test_surfaces_and_weights_change_and_come_back(rig, fault, which, value) -> None:
    item = rig(f"{fault}@0.1s+0.1s")

    def now() -> float:
        return p.getDynamicsInfo(item._cube, -1, physicsClientId=item.world.client)[which]

    before = now()
    item.move(rows=3)
    assert now() == pytest.approx(value)
    item.move(rows=3)
    assert now() == pytest.approx(before)


def test_an_obstacle_stands_in_the_way_and_goes(rig) -> None:
    item = rig("obstacle:0.05@0s+3s")
    bodies = p.getNumBodies(physicsClientId=item.world.client)
    worst = max(item.move(0, 0.008, rows=4).verdict.value for _ in range(8))
    assert p.getNumBodies(physicsClientId=item.world.client) == bodies + 1
    assert worst > 20.0
    for _ in range(15):
        item.move(rows=4)
    assert p.getNumBodies(physicsClientId=item.world.client) == bodies


def test_a_push_is_felt_and_ends(rig) -> None:
    item, clean = rig("push:100@0.1s"), rig()
    pushed = max(item.move(rows=4).tracking_error_m for _ in range(3))
    calm = max(clean.move(rows=4).tracking_error_m for _ in range(3))
    assert pushed > calm + 0.01
    for _ in range(6):
        item.move(rows=4)
    assert [h.phase for h in item.plant.happened] == ["begin", "end"]
    assert np.abs(item.world.read().joint_velocity_rad_s).max() < 0.01


def test_the_arm_begins_elsewhere_at_rest(rig) -> None:
    off, clean = rig("start_pose:0.06"), rig()
    away = off.world.read().joint_position_rad - clean.world.read().joint_position_rad
    assert 0.01 < np.abs(away).max() < 0.065
    assert off.move(rows=8).tracking_error_m < 0.004


def test_faults_go_together_and_leave_each_others_noise_alone(rig) -> None:
    alone, both = (
        rig("picture_noise/overhead:30"),
        rig("black_frame/wrist", "gain:0.5", "picture_noise/overhead:30"),
    )
    np.testing.assert_array_equal(alone.look().rgb, both.look().rgb)
    assert not both.look("wrist").rgb.any()
    start = both.tool()
    both.move(0.005)
    both.move(rows=6)
    assert np.linalg.norm(both.tool() - start) == pytest.approx(0.01, abs=1.5e-3)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(rig) -> None:
    def run(seed: int) -> tuple[bytes, str]:
        item = rig("picture_noise", "object_moved@0s", "push@0.1s", "start_pose", seed=seed)
        report = item.move(0.01, 0.0, -0.01, rows=12)
        return item.look().rgb.tobytes(), report.state_hash

    assert run(5) == run(5)
    assert all(one != other for one, other in zip(run(5), run(6), strict=True))


def test_a_fault_that_has_not_begun_changes_nothing(rig) -> None:
    every = [name for name, kind in CATALOGUE.items() if kind.site is Site.BODY and name not in BEFOREHAND]
    for k in range(0, len(every), 13):
        clean, waiting = rig(), rig(*(f"{name}@100s" for name in every[k : k + 13]))
        np.testing.assert_array_equal(clean.look().rgb, waiting.look().rgb)
        assert clean.move(0.01).state_hash == waiting.move(0.01).state_hash


def test_what_is_no_chunk_is_left_to_the_guard(rig) -> None:
    item = rig("gain:0.5", "wrong_rate:2", "dropped_tail:0.5")
    for bad in ("text", np.zeros((2, 3), np.float32), np.zeros((2, 7))):
        header = ChunkHeader(20.0, 1.0, 0)
        assert item.plant.chunk(bad, header) == (bad, header)
    rotated = rotation_vector(np.eye(3))
    assert not rotated.any()
