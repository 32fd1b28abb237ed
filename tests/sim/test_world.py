import subprocess
import sys

import numpy as np
import pytest

from sim.arms import embodiment
from sim.layout import resolve
from sim.scene import SceneSpec
from sim.truth import read_truth
from sim.world import World
from traces.errors import TandemError
from vla_low_level.geometry import OBJECTS
from vla_low_level.nouns import Category, Place

HOME_RAD = embodiment("panda").home_rad

PROGRAM = """
import hashlib, os
from sim.layout import resolve
from sim.scene import SceneSpec
from sim.world import World
from sim.arms import embodiment

HOME_RAD = embodiment("panda").home_rad
world = World(resolve(SceneSpec.load("table"), 11))
lines = []
for k in range(240):
    world.command(HOME_RAD + [0.001 * k, 0.002 * k, 0, 0, 0, 0, 0], 1.0 - k / 240)
    world.step()
    if k % 80 == 0:
        lines.append(world.state_hash())
for name, image in world.capture(("overhead", "wrist")).items():
    lines.append(hashlib.sha256(image.rgb.tobytes() + image.depth_m.tobytes()).hexdigest())
lines.append(world.state_hash())
os.write(2, (":" + " ".join(lines)).encode())
"""


@pytest.fixture(scope="module")
def world():
    made = World(resolve(SceneSpec.load("one_of_each"), 3))
    yield made
    made.close()


def test_state_and_pictures_are_the_same_in_another_process():
    runs = [
        subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)
        .stderr.split(b":")[-1]
        .split()
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == len(runs[0]) == 6


@pytest.mark.parametrize("seed", range(6))
def test_objects_stand_where_they_were_put(seed):
    world = World(resolve(SceneSpec.load("table"), seed))
    for _ in range(240):
        world.command(HOME_RAD, 1.0)
        world.step()
    for item, true in zip(world.placed.objects, read_truth(world).objects, strict=True):
        assert (true.id, true.fallen, true.place, true.on_floor) == (item.id, False, None, False)
        np.testing.assert_allclose(true.position_m[:2], item.position_m[:2], atol=2e-3)
        assert abs(true.position_m[2]) < 2e-3
        assert abs(np.sin(true.yaw_rad - item.yaw_rad)) < 0.02
    assert world.read().contact_force_n == 0.0
    world.close()


@pytest.mark.parametrize("place", list(Place))
def test_an_object_put_in_a_place_is_truly_there(place):
    spec = SceneSpec.model_validate({"objects": [{"category": "cube", "place": place.value}]})
    world = World(resolve(spec, 2))
    assert [o.place for o in read_truth(world).objects] == [place]
    world.close()


def test_the_arm_follows_its_command():
    world = World(resolve(SceneSpec.load("cubes"), 1))
    goal = HOME_RAD + np.array([0.2, 0.1, -0.1, 0.1, 0, 0.1, 0.3])
    for k in range(480):
        world.command(HOME_RAD + (goal - HOME_RAD) * min(1.0, k / 240), 0.5)
        world.step()
    state = world.read()
    np.testing.assert_allclose(state.joint_position_rad, goal, atol=2e-3)
    assert state.gripper_opening == pytest.approx(0.5, abs=0.02)
    assert world.time_s == pytest.approx(2.0)
    world.close()


def test_pressing_on_the_table_is_felt():
    world = World(resolve(SceneSpec.load("cubes"), 1))
    forces = []
    for k in range(480):
        # Shoulder forward: the hand goes down onto the table.
        world.command(HOME_RAD + np.array([0, 1.8, 0, 0.2, 0, 0, 0]) * min(1.0, k / 400), 0.0)
        world.step()
        forces.append(world.read().contact_force_n)
    assert forces[0] == 0.0
    assert max(forces) > 20.0
    world.close()


def deprojected_top(world: World, category: Category) -> np.ndarray:
    """Mean of what the overhead camera sees of an object's top face."""
    item = next(o for o in read_truth(world).objects if o.category is category)
    points = world.capture(("overhead",))["overhead"].points().reshape(-1, 3)
    top = item.position_m[2] + OBJECTS[category].height_m
    near = np.linalg.norm(points[:, :2] - item.position_m[:2], axis=1) < 0.05
    return points[near & (np.abs(points[:, 2] - top) < 0.006)].mean(axis=0) - (*item.position_m[:2], top)


@pytest.mark.parametrize("seed", range(4))
def test_depth_and_calibration_find_the_top_of_a_cube(seed):
    world = World(resolve(SceneSpec.load("one_of_each"), seed))
    error = deprojected_top(world, Category.CUBE)
    world.close()
    assert np.linalg.norm(error) < 3e-3


def test_the_overhead_camera_sees_every_place_and_object(world):
    image = world.capture(("overhead",))["overhead"]
    wanted = [o.centre_m for o in read_truth(world).objects]
    wanted += [(*fixture.position_m, 0.005) for fixture in world.placed.places]
    seen = image.points()
    height, width = image.depth_m.shape
    for point in wanted:
        camera = np.linalg.inv(image.pose) @ [*point, 1.0]
        u, v, _ = image.intrinsics @ (camera[:3] / camera[2])
        assert 0 <= u < width
        assert 0 <= v < height
        # Nothing, the arm least of all, stands in between.
        assert np.linalg.norm(seen[int(v), int(u)] - point) < 0.09


@pytest.mark.parametrize(
    ("name", "shape"), [("overhead", (240, 320)), ("wrist", (96, 96)), ("front", (320, 480))]
)
def test_cameras_have_their_sizes_and_show_something(world, name, shape):
    image = world.capture((name,))[name]
    assert image.depth_m.shape == shape
    assert image.rgb.std() > 10
    assert (image.depth_m > 0.01).all()


def test_an_unknown_camera_is_named(world):
    with pytest.raises(TandemError, match=r"CAMERA_UNKNOWN.*x-ray"):
        world.capture(("x-ray",))


def test_closing_twice_does_no_harm():
    world = World(resolve(SceneSpec.load("cubes"), 1))
    world.close()
    world.close()
