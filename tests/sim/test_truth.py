"""What is really so: a cube has no upright, a cup has."""

import math

import pybullet as p
import pytest

from sim.layout import resolve
from sim.scene import ObjectSpec, SceneSpec
from sim.truth import read_truth
from sim.world import World
from vla_low_level.nouns import Category


@pytest.mark.parametrize(
    "turn", [(math.pi / 2, 0, 0.3), (0, math.pi / 2, 0.3), (math.pi, 0, 0.3), (0, 0, 0.3)]
)
@pytest.mark.parametrize(("category", "stands"), [(Category.CUBE, True), (Category.CUP, False)])
def test_a_cube_stands_on_any_face(category: Category, stands: bool, turn: tuple[float, ...]) -> None:
    world = World(resolve(SceneSpec(objects=(ObjectSpec(category=category),)), 3))
    try:
        was = read_truth(world).objects[0]
        assert not was.fallen
        tipped = p.getQuaternionFromEuler([turn[0], turn[1], 0])
        about = p.getQuaternionFromEuler([0, 0, turn[2]])
        _, turned = p.multiplyTransforms([0, 0, 0], about, [0, 0, 0], tipped)
        body = next(iter(world.objects.values()))
        p.resetBasePositionAndOrientation(body, was.centre_m, turned, physicsClientId=world.client)
        now = read_truth(world).objects[0]
        upright = turn[:2] == (0, 0)
        assert now.fallen is not (stands or upright)
        if stands:
            assert now.position_m[2] == pytest.approx(was.position_m[2], abs=1e-6)
            # A quarter turn looks the same.
            off = (now.yaw_rad - turn[2]) % (math.pi / 2)
            assert min(off, math.pi / 2 - off) < 1e-6
    finally:
        world.close()
