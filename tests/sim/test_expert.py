import numpy as np
import pytest

from sim import expert
from sim.arms import embodiment
from sim.layout import resolve
from sim.scene import SceneSpec
from sim.truth import read_truth
from sim.world import World
from vla_low_level.body import Body
from vla_low_level.guard import ChunkHeader
from vla_low_level.limits import PANDA
from vla_low_level.nouns import Category, Place
from vla_low_level.policies.specialist import SpecialistPolicy
from vla_low_level.policy import Instruction, RetreatTarget, Target

HOME_RAD = embodiment("panda").home_rad

TASKS = [
    (Category.PLATE, Place.DISH_RACK),
    (Category.CUP, Place.SINK),
    (Category.SPOON, Place.UTENSIL_HOLDER),
    (Category.BOTTLE, Place.BIN),
    (Category.CUBE, Place.TRAY),
]
KINEMATICS = embodiment("panda").kinematics()


class Driver:
    """Sends targets through the specialist and the body, as a command does."""

    def __init__(self, world: World) -> None:
        self._body = Body(world, KINEMATICS, PANDA, HOME_RAD)
        self._chunks = 0

    def go(self, target: Target) -> None:
        policy, instruction = SpecialistPolicy(), Instruction("test", target)
        for _ in range(90):
            out = policy.act(self._body.observe(), instruction)
            self._body.execute(out.chunk.actions, ChunkHeader(20.0, out.chunk.expires_s, self._chunks))
            self._chunks += 1
            if out.progress >= 1:
                return
        pytest.fail("the target was not reached")


def make(category: Category, seed: int, **more) -> World:
    spec = {"objects": [{"category": category.value, **more}]}
    return World(resolve(SceneSpec.model_validate(spec), seed))


@pytest.mark.parametrize(("category", "place"), TASKS)
@pytest.mark.parametrize("seed", [1])
def test_the_expert_puts_each_kind_of_object_away(category, place, seed):
    world = make(category, seed)
    driver = Driver(world)
    places = world.placed.places
    fixture = next(f for f in places if f.place is place)
    held = expert.grasp(read_truth(world), places, world.placed.objects[0].id)
    driver.go(held.grasp)
    lifted = read_truth(world).objects[0]
    assert lifted.centre_m[2] > 0.15
    target = expert.release(read_truth(world), places, held, fixture)
    driver.go(target)
    driver.go(RetreatTarget(0.4))
    (item,) = read_truth(world).objects
    assert (item.place, item.fallen) == (place, False)
    world.close()


def test_a_fallen_or_crowded_object_has_no_grasp():
    world = make(Category.CUP, 1)
    truth = read_truth(world)
    (cup,) = truth.objects
    fallen = truth.model_copy(update={"objects": (cup.model_copy(update={"fallen": True}),)})
    assert expert.grasp(truth, world.placed.places, cup.id) is not None
    assert expert.grasp(fallen, world.placed.places, cup.id) is None
    x, y, z = cup.position_m
    ring = [
        cup.model_copy(
            update={"id": f"c{k}", "position_m": (x + 0.065 * np.cos(a), y + 0.065 * np.sin(a), z)}
        )
        for k, a in enumerate(np.linspace(0, 2 * np.pi, 7)[:-1])
    ]
    crowd = truth.model_copy(update={"objects": (cup, *ring)})
    assert expert.grasp(crowd, world.placed.places, cup.id) is None
    world.close()


def test_a_full_place_has_no_release():
    world = make(Category.PLATE, 1)
    truth = read_truth(world)
    (plate,) = truth.objects
    rack = next(f for f in world.placed.places if f.place is Place.DISH_RACK)
    held = expert.grasp(truth, world.placed.places, plate.id)
    x, y = rack.position_m
    full = [
        plate.model_copy(update={"id": f"p{k}", "position_m": (x + dx, y, 0.004)})
        for k, dx in enumerate((-0.07, 0.07))
    ]
    filled = truth.model_copy(update={"objects": (plate, *full)})
    assert expert.release(filled, world.placed.places, held, rack) is None
    assert expert.release(truth, world.placed.places, held, rack) is not None
    world.close()
