"""The shipped detector on rendered scenes, through its public interface."""

import math

import numpy as np
import pytest

from agent.perception.detector import Detector
from sim.layout import resolve
from sim.scene import SceneSpec
from sim.truth import read_truth
from sim.world import World
from vla_low_level.geometry import OBJECTS
from vla_low_level.nouns import Furniture, Place
from vla_low_level.observation import CameraImage


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.from_pretrained()


@pytest.fixture
def world(request):
    world = World(resolve(SceneSpec.load("table"), request.param))
    yield world
    world.close()


@pytest.mark.parametrize("world", [1_000_001, 1_000_007, 1_000_023], indirect=True)
def test_it_sees_what_is_there(detector, world):
    found = detector.detect(world.capture(["overhead"])["overhead"])
    truth = read_truth(world).objects
    assert sorted((o.category, o.colour) for o in found.objects) == sorted(
        (o.category, o.colour) for o in truth
    )
    assert {p.place for p in found.places} == set(Place)
    for item in found.objects:
        alike = [o for o in truth if (o.category, o.colour) == (item.category, item.colour)]
        real = min(alike, key=lambda o: math.dist(o.position_m, item.position_m))
        assert math.dist(real.position_m, item.position_m) < 0.010
        symmetry = OBJECTS[item.category].symmetry
        if symmetry:
            off = math.remainder(item.yaw_rad - real.yaw_rad, 2 * math.pi / symmetry)
            assert abs(math.degrees(off)) < 8


@pytest.mark.parametrize("world", [1_000_001], indirect=True)
def test_the_same_frame_gives_the_same_answer(detector, world):
    image = world.capture(["overhead"])["overhead"]
    assert detector.detect(image) == detector.detect(image)


def test_an_empty_picture_shows_nothing(detector):
    pose = np.eye(4)
    pose[:3, :3], pose[2, 3] = np.diag([1.0, -1.0, -1.0]), 1.2
    intrinsics = np.array([[270.0, 0.0, 160.5], [0.0, 270.0, 119.5], [0.0, 0.0, 1.0]])
    grey = np.full((240, 320, 3), 190, np.uint8)
    found = detector.detect(CameraImage(grey, np.full((240, 320), 1.2, np.float32), intrinsics, pose))
    assert found.objects == ()


@pytest.mark.parametrize("arm", ["panda", "kuka_iiwa", "xarm6"])
@pytest.mark.parametrize(("opening_m", "lit"), [(0.0, True), (0.05, False), (0.12, True)])
def test_it_sees_how_drawer_and_lamp_are(detector, arm, opening_m, lit):
    world = World(resolve(SceneSpec.load("kitchen"), 1_000_003).model_copy(update={"arm": arm}))
    world.drawer.put(opening_m)
    world.lamp.put(lit=lit)
    found = detector.detect(world.capture(["overhead"])["overhead"])
    assert sorted((o.category, o.colour) for o in found.objects) == sorted(
        (o.category, o.colour) for o in read_truth(world).objects
    )
    seen = {item.kind: item for item in found.furniture}
    assert seen[Furniture.DRAWER].state == pytest.approx(opening_m, abs=0.010)
    assert (seen[Furniture.LAMP].state > 0.5) is lit
    handle = np.array(world.placed.drawer.handle_m) - [opening_m, 0.0, 0.0]
    assert math.dist(seen[Furniture.DRAWER].point_m, handle) < 0.012
    world.close()
