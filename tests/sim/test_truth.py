"""What is really so: a cube has no upright, a cup has."""

import math
from dataclasses import replace

import pybullet as p
import pytest

from sim.demos.judge import hopeless, look
from sim.demos.tasks import Kind, Task
from sim.layout import resolve
from sim.scene import ObjectSpec, SceneSpec
from sim.truth import read_truth
from sim.world import World
from vla_low_level.nouns import Category, Side


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


@pytest.mark.parametrize(("category", "given_up"), [(Category.CUBE, False), (Category.PLATE, True)])
def test_what_tips_is_given_up_unless_it_comes_to_stand_again(category: Category, given_up: bool) -> None:
    world = World(resolve(SceneSpec(objects=(ObjectSpec(category=category),)), 3))
    try:
        now = look(world)
        item = now.scene.objects[0]
        task = Task(Kind.PUSH, item.id, side=Side.LEFT)
        assert not hopeless(task, now)
        tipped = now.scene.model_copy(update={"objects": (item.model_copy(update={"fallen": True}),)})
        assert hopeless(task, replace(now, scene=tipped)) is given_up
    finally:
        world.close()
