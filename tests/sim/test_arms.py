"""Three arms, one kind of chunk."""

import numpy as np
import pybullet as p
import pytest

from sim.arms import ARMS, embodiment
from sim.demos.episode import Stage
from sim.layout import resolve
from sim.scene import SceneSpec
from vla_low_level.guard import ChunkHeader

pytestmark = pytest.mark.parametrize("arm", ARMS)


def stage(arm: str) -> Stage:
    return Stage(resolve(SceneSpec.load("kitchen"), 3).model_copy(update={"arm": arm}))


def test_forward_kinematics_agree_with_the_simulator(arm) -> None:
    here, body = stage(arm), embodiment(arm)
    rng = np.random.default_rng(0)
    for _ in range(10):
        joint = rng.uniform(body.limits.joint_low_rad, body.limits.joint_high_rad)
        for index, angle in zip(here.world.arm.joints, joint, strict=True):
            p.resetJointState(here.world.arm.body, index, angle, physicsClientId=here.world.client)
        names = {
            p.getJointInfo(here.world.arm.body, k, physicsClientId=here.world.client)[12].decode(): k
            for k in range(p.getNumJoints(here.world.arm.body, physicsClientId=here.world.client))
        }
        link = p.getLinkState(
            here.world.arm.body,
            names[body.tool_link],
            computeForwardKinematics=True,
            physicsClientId=here.world.client,
        )
        position, rotation, _ = body.kinematics().forward(joint)
        np.testing.assert_allclose(position, link[4], atol=1e-5)
        np.testing.assert_allclose(
            rotation, np.reshape(p.getMatrixFromQuaternion(link[5]), (3, 3)), atol=1e-5
        )
    here.close()


def test_the_same_chunk_moves_every_hand_alike(arm) -> None:
    here = stage(arm)
    before = here.body.observe().proprioception
    rows = np.zeros((12, 7), np.float32)
    rows[:, :3], rows[:, 5], rows[:, 6] = (0.008, 0.006, -0.010), 0.03, np.linspace(1, 0.2, 12)
    report = here.body.execute(rows, ChunkHeader(10.0, here.world.time_s + 1.0, 0))
    here.body.execute(
        np.tile(rows[-1:] * [0, 0, 0, 0, 0, 0, 1], (4, 1)).astype(np.float32),
        ChunkHeader(10.0, here.world.time_s + 1.0, 1),
    )
    after = here.body.observe().proprioception
    assert report.rows_executed == 12
    np.testing.assert_allclose(after.ee_position_m - before.ee_position_m, rows[:, :3].sum(0), atol=3e-3)
    turned = after.ee_rotation @ before.ee_rotation.T
    assert np.arctan2(turned[1, 0], turned[0, 0]) == pytest.approx(0.36, abs=0.02)
    assert after.gripper_opening == pytest.approx(0.2, abs=0.05)
    here.close()


def test_the_hand_at_home_points_down_and_is_out_of_the_way(arm) -> None:
    body = embodiment(arm)
    position, rotation, _ = body.kinematics().forward(body.home_rad)
    assert rotation[2, 2] < -0.99
    assert position[2] > 0.35
    assert (body.home_rad > body.limits.joint_low_rad).all()
    assert (body.home_rad < body.limits.joint_high_rad).all()
