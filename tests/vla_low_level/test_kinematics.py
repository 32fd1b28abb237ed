import numpy as np
import pytest

from sim.arms import embodiment
from vla_low_level.kinematics import Kinematics
from vla_low_level.limits import PANDA
from vla_low_level.rotations import rotation_matrix, rotation_vector

HOME_RAD = embodiment("panda").home_rad


@pytest.fixture(scope="module")
def panda() -> Kinematics:
    return embodiment("panda").kinematics()


def some_joints(seed: int, count: int) -> np.ndarray:
    rng = np.random.default_rng([seed, 1])
    return rng.uniform(PANDA.joint_low_rad, PANDA.joint_high_rad, (count, 7))


def test_stretched_out_panda_is_where_its_datasheet_says(panda):
    position, rotation, _ = panda.forward(np.zeros(7))
    np.testing.assert_allclose(position, [0.088, 0, 0.333 + 0.316 + 0.384 - 0.107 - 0.105], atol=1e-9)
    np.testing.assert_allclose(rotation[:, 2], [0, 0, -1], atol=1e-9)


def test_hand_points_down_at_home(panda):
    _, rotation, _ = panda.forward(HOME_RAD)
    np.testing.assert_allclose(rotation[:, 2], [0, 0, -1], atol=1e-6)


@pytest.mark.parametrize("joint", some_joints(0, 20))
def test_jacobian_is_the_derivative_of_the_pose(panda, joint):
    _, _, jacobian = panda.forward(joint)
    small = 1e-6
    for k in range(7):
        step = np.eye(7)[k] * small
        ahead, turned_ahead, _ = panda.forward(joint + step)
        behind, turned_behind, _ = panda.forward(joint - step)
        np.testing.assert_allclose(jacobian[:3, k], (ahead - behind) / (2 * small), atol=1e-7)
        spin = rotation_vector(turned_ahead @ turned_behind.T) / (2 * small)
        np.testing.assert_allclose(jacobian[3:, k], spin, atol=1e-7)


def test_a_few_steps_reach_a_nearby_pose(panda):
    joint = HOME_RAD.copy()
    position, rotation, _ = panda.forward(joint)
    goal = position + np.array([0.03, -0.02, -0.04])
    turned = rotation_matrix(np.array([0.05, 0.02, 0.2])) @ rotation
    for _ in range(6):
        joint = joint + panda.step_towards(joint, goal, turned, HOME_RAD)
    reached, orientation, _ = panda.forward(joint)
    assert np.linalg.norm(reached - goal) < 3e-5
    assert np.linalg.norm(rotation_vector(turned @ orientation.T)) < 1e-4


def test_unknown_tip_and_sliding_joints_are_refused():
    with pytest.raises(ValueError, match="no link"):
        Kinematics.from_urdf(embodiment("panda").urdf, "elbow_of_a_stranger")
    with pytest.raises(ValueError, match="prismatic"):
        Kinematics.from_urdf(embodiment("panda").urdf, "panda_leftfinger")
