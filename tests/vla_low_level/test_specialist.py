import math

import numpy as np
import pytest

from vla_low_level.observation import Observation, Proprioception
from vla_low_level.policies.specialist import RATE_HZ, SpecialistPolicy, preferred_yaw
from vla_low_level.policies.waypoints import Profile
from vla_low_level.policy import GraspTarget, Instruction, ReleaseTarget, RetreatTarget
from vla_low_level.rotations import rotation_matrix, tool_down, wrap, yaw_of


class FreeHand:
    """A hand without a body: goes exactly where the chunk says."""

    def __init__(self) -> None:
        self.position = np.array([0.30, 0.0, 0.50])
        self.rotation = tool_down(math.pi / 2)
        self.last = np.array([0, 0, 0, 0, 0, 0, 1.0])
        self.path: list[tuple[np.ndarray, float]] = []
        self.sequence = 0

    def observe(self) -> Observation:
        self.sequence += 1
        zeros = np.zeros(7)
        body = Proprioception(
            joint_position_rad=zeros,
            joint_velocity_rad_s=zeros.copy(),
            ee_position_m=self.position.copy(),
            ee_rotation=self.rotation.copy(),
            target_position_m=self.position.copy(),
            target_rotation=self.rotation.copy(),
            gripper_opening=float(self.last[6]),
            last_command=self.last.copy(),
            contact_force_n=0.0,
        )
        return Observation(images={}, proprioception=body, time_s=0.0, sequence=self.sequence)

    def play(self, actions: np.ndarray, rows: int | None = None) -> None:
        for row in actions.astype(np.float64)[:rows]:
            self.position = self.position + row[:3]
            self.rotation = rotation_matrix(row[3:6]) @ self.rotation
            self.last = row
            self.path.append((self.position.copy(), float(row[6])))


def run(hand: FreeHand, instruction: Instruction, *, cut: int | None = None) -> None:
    policy = SpecialistPolicy()
    for k in range(80):
        output = policy.act(hand.observe(), instruction)
        hand.play(output.chunk.actions, cut if k == 3 else None)
        if output.progress >= 1.0:
            return
    pytest.fail("never finished")


GRASP = GraspTarget(np.array([0.55, -0.15, 0.02]), yaw_rad=0.4, height_m=0.3)


@pytest.mark.parametrize("cut", [None, 0, 3])
def test_a_grasp_comes_from_above_closes_there_and_lifts(cut: int | None) -> None:
    hand = FreeHand()
    run(hand, Instruction("pick up", GRASP), cut=cut)
    closing = next(i for i, (_, gripper) in enumerate(hand.path) if gripper < 0.5)
    np.testing.assert_allclose(hand.path[closing][0], GRASP.position_m, atol=2e-3)
    for position, _ in hand.path[:closing]:
        sideways = np.linalg.norm(position[:2] - GRASP.position_m[:2])
        assert sideways < 5e-3 or position[2] > 0.29
    assert hand.path[-1][1] == 0.0
    assert hand.position[2] == pytest.approx(0.3, abs=5e-3)
    assert abs(wrap(yaw_of(hand.rotation) - 0.4)) < 0.01


def test_no_row_is_faster_than_the_profile() -> None:
    hand, profile = FreeHand(), Profile()
    run(hand, Instruction("pick up", GRASP))
    run(hand, Instruction("place", ReleaseTarget(np.array([0.5, 0.4, 0.03]), 1.0, 0.3)))
    points = np.array([p for p, _ in hand.path])
    velocity = np.diff(points, axis=0) * RATE_HZ
    assert np.linalg.norm(velocity, axis=1).max() <= profile.speed_m_s + 1e-3
    speeding_up = np.diff(np.linalg.norm(velocity, axis=1)) * RATE_HZ
    assert speeding_up.max() <= profile.acceleration_m_s2 + 0.05


def test_a_release_opens_only_at_the_target() -> None:
    hand = FreeHand()
    hand.last = np.array([0, 0, 0, 0, 0, 0, 0.0])
    target = ReleaseTarget(np.array([0.5, 0.4, 0.03]), yaw_rad=1.0, height_m=0.3)
    run(hand, Instruction("place", target))
    opening = next(i for i, (_, gripper) in enumerate(hand.path) if gripper > 0.5)
    np.testing.assert_allclose(hand.path[opening][0], target.position_m, atol=2e-3)
    assert hand.path[-1][1] == 1.0


def test_a_retreat_keeps_the_fingers_as_they_are() -> None:
    hand = FreeHand()
    hand.position = np.array([0.5, 0.3, 0.05])
    hand.last = np.array([0, 0, 0, 0, 0, 0, 0.0])
    run(hand, Instruction("retreat", RetreatTarget(0.4)))
    assert {gripper for _, gripper in hand.path} == {0.0}
    np.testing.assert_allclose(hand.position, [0.3, 0.0, 0.4], atol=5e-3)


def test_a_retreat_opens_the_fingers_on_the_way_if_it_is_told_to() -> None:
    hand = FreeHand()
    hand.position = np.array([0.5, 0.3, 0.2])
    hand.last = np.array([0, 0, 0, 0, 0, 0, 0.8])
    run(hand, Instruction("retreat", RetreatTarget(0.4, 1.0)))
    assert {gripper for _, gripper in hand.path} == {1.0}


class FarOut(FreeHand):
    """A hand that is too far out to rise: it stops where the arm is straight."""

    def play(self, actions: np.ndarray, rows: int | None = None) -> None:
        for row in actions.astype(np.float64)[:rows]:
            before = self.position
            super().play(row[None])
            if np.linalg.norm(self.position) > 0.80:
                self.position = before


def test_a_retreat_from_far_out_rises_as_far_as_it_can() -> None:
    hand = FarOut()
    hand.position = np.array([0.76, 0.0, 0.05])
    run(hand, Instruction("retreat", RetreatTarget(0.4)))
    np.testing.assert_allclose(hand.position, [0.3, 0.0, 0.4], atol=5e-3)
    assert all(position[0] > 0.74 for position, _ in hand.path if position[2] < 0.18)


def test_a_retreat_does_not_wind_the_wrist_up() -> None:
    hand = FreeHand()
    hand.position = np.array([0.2, -0.4, 0.1])
    wrist = yaw_of(hand.rotation) - math.atan2(hand.position[1], hand.position[0])
    run(hand, Instruction("retreat", RetreatTarget(0.4)))
    assert abs(wrap(yaw_of(hand.rotation) - math.atan2(hand.position[1], hand.position[0]) - wrist)) < 0.02


def test_a_specialist_without_a_perceived_target_says_so() -> None:
    with pytest.raises(ValueError, match="pick up the red cup"):
        SpecialistPolicy().act(FreeHand().observe(), Instruction("pick up the red cup"))


@pytest.mark.parametrize("yaw", np.linspace(-3, 3, 7))
@pytest.mark.parametrize("bearing", [-1.0, 0.0, 1.0])
def test_the_preferred_yaw_is_the_same_grasp_within_a_quarter_turn_of_the_wrist(
    yaw: float, bearing: float
) -> None:
    at = np.array([math.cos(bearing), math.sin(bearing), 0.0])
    chosen = preferred_yaw(yaw, at, math.pi / 2)
    assert abs(math.sin(chosen - yaw)) < 1e-9
    assert abs(chosen - bearing - math.pi / 2) <= math.pi / 2 + 1e-9
