import math
from contextlib import closing

import numpy as np
import pybullet as p
import pytest

from sim.demos.chain import draw_stage
from sim.demos.tasks import Kind
from sim.layout import resolve
from sim.scene import AREA_X_M, AREA_Y_M, MAX_FILE_BYTES, ObjectSpec, SceneSpec, builtin_scenes
from traces.errors import TandemError
from vla_low_level.geometry import DRAWER_TRAVEL_M, OBJECTS, PLACES
from vla_low_level.nouns import Category, Colour, Place


@pytest.fixture
def load(tmp_path):
    def write(content: str | bytes) -> SceneSpec:
        path = tmp_path / "scene.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return SceneSpec.load(str(path))

    return write


@pytest.mark.parametrize("name", builtin_scenes())
@pytest.mark.parametrize("seed", range(10))
def test_a_builtin_scene_is_drawn_the_same_every_time(name, seed):
    one, other = (resolve(SceneSpec.load(name), seed) for _ in range(2))
    assert one == other
    assert one != resolve(SceneSpec.load(name), seed + 1000)
    assert type(one).model_validate_json(one.model_dump_json()) == one


@pytest.mark.parametrize("seed", range(60))
def test_the_default_scene_is_what_the_readme_says(seed):
    placed = resolve(SceneSpec.load("table"), seed)
    assert 4 <= len(placed.objects) <= 8
    assert {fixture.place for fixture in placed.places} == set(Place)
    assert len({item.id for item in placed.objects}) == len(placed.objects)
    for item in placed.objects:
        assert AREA_X_M[0] <= item.position_m[0] <= AREA_X_M[1]
        assert AREA_Y_M[0] <= item.position_m[1] <= AREA_Y_M[1]


@pytest.mark.parametrize("seed", range(60))
def test_round_objects_never_overlap(seed):
    items = [o for o in resolve(SceneSpec.load("table"), seed).objects if o.category is not Category.SPOON]
    for k, one in enumerate(items):
        for other in items[k + 1 :]:
            radii = sum(OBJECTS[o.category].footprint_radius_m for o in (one, other))
            assert math.dist(one.position_m[:2], other.position_m[:2]) > radii + 0.02


def test_what_the_file_says_is_kept(load):
    spec = load("objects: [{category: cube, colour: green, position: [0.5, 0.1], yaw: 0.3}]")
    (item,) = resolve(spec, 4).objects
    assert (item.category, item.colour, item.yaw_rad) == (Category.CUBE, Colour.GREEN, 0.3)
    assert item.position_m[:2] == (0.5, 0.1)


def test_an_empty_file_is_the_default_scene(load):
    assert load("") == SceneSpec.load("table")


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("objects: [{category: teapot}]", "objects.0.category"),
        ("objects: [{colour: red, category: cup, wheels: 4}]", "objects.0.wheels"),
        ("objects: [{category: cup, position: [.nan, 0]}]", "objects.0.position.0"),
        ("objects: [{category: cup, position: [9, 0]}]", "objects.0.position.0"),
        ("objects: 7", "objects"),
        ("- 1", "the file"),
        ("objects: [", "YAML"),
        ("!!python/object/apply:os.system ['true']", "YAML"),
        ("light: 2020-13-45", "YAML"),
        ("[" * 20_000, "YAML"),
        (b"\xff\xfe\x00", "YAML"),
        (b" " * (MAX_FILE_BYTES + 1), "larger"),
    ],
)
def test_a_bad_file_names_what_is_wrong(load, content, names):
    with pytest.raises(TandemError, match="SCENE_INVALID") as caught:
        load(content)
    assert names in caught.value.message
    assert caught.value.fix


@pytest.mark.parametrize("name", ["no-such-scene", "", "/", "a\0b", "x" * 5000])
def test_an_unknown_scene_lists_the_known_ones(name):
    with pytest.raises(TandemError, match="SCENE_NOT_FOUND") as caught:
        SceneSpec.load(name)
    assert "table" in caught.value.fix


def test_too_many_things_do_not_fit():
    plates = tuple(ObjectSpec(category=Category.PLATE) for _ in range(12))
    with pytest.raises(TandemError, match="SCENE_FULL"):
        resolve(SceneSpec(objects=plates), 1)


def test_an_object_in_a_place_that_is_missing_is_an_error(load):
    spec = load("places: [{place: bin}]\nobjects: [{category: cup, place: sink}]")
    with pytest.raises(TandemError, match=r"SCENE_INVALID.*sink"):
        resolve(spec, 1)


@pytest.mark.parametrize("seed", range(200))
def test_nothing_starts_inside_the_wall_of_a_fixture(seed):
    placed = resolve(SceneSpec.load("table"), seed)
    for fixture in placed.places:
        size = PLACES[fixture.place]
        half = [h + size.wall_thickness_m for h in size.half_extent_m]
        for item in placed.objects:
            # A spoon's ends; for the others the footprint is a disc.
            reach = OBJECTS[item.category].footprint_radius_m
            ends, radius = [(0.0, 0.0)], reach
            if item.category is Category.SPOON:
                along = (reach * math.cos(item.yaw_rad), reach * math.sin(item.yaw_rad))
                ends, radius = [along, (-along[0], -along[1])], 0.009
            for dx, dy in ends:
                x, y = item.position_m[0] + dx, item.position_m[1] + dy
                off = [abs(v - c) - h for v, c, h in zip((x, y), fixture.position_m, half, strict=True)]
                assert math.hypot(*(max(0.0, o) for o in off)) > radius


# Drawn like that, the dish rack and the cabinet would overlap.
@pytest.mark.parametrize("seed", [6_953_002, 6_953_016, 6_953_023, 6_953_043])
def test_a_drawer_opens_and_shuts_without_meeting_a_fixture(seed):
    stage, _ = draw_stage(seed, "panda", Kind.CLOSE_DRAWER)
    with closing(stage.world) as world:
        fixtures = range(world.arm.body + 1, world.drawer.body)
        for opening_m in np.linspace(0.0, DRAWER_TRAVEL_M, 13):
            world.drawer.put(float(opening_m))
            touching = [p.getClosestPoints(world.drawer.body, wall, 0.0) for wall in fixtures]
            assert not any(touching), opening_m


def test_fixture_and_cabinet_in_each_other_are_refused(load):
    spec = load("{drawer: {}, places: [{place: dish_rack, position: [0.6, 0.25]}]}")
    with pytest.raises(TandemError, match="the dish rack stands where the drawer"):
        resolve(spec, 0)
