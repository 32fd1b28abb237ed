"""Where a policy is told to look first: at the thing that is meant, or at free room in the fixture."""

import math

import numpy as np

from agent.whereabouts import whereabouts
from skills.library import Pick, Press, Push, Put, Stack
from skills.scene import PlaceRegion, Scene, SceneObject
from vla_low_level.geometry import OBJECTS, PLACES
from vla_low_level.nouns import Category, Colour, Place, Side, Switch
from vla_low_level.policy import ReleaseTarget

SINK = PlaceRegion(
    place=Place.SINK,
    centre_m=(0.45, -0.4, PLACES[Place.SINK].floor_m),
    half_extent_m=PLACES[Place.SINK].half_extent_m,
)


def thing(name: str, category: Category, x: float, y: float) -> SceneObject:
    return SceneObject(
        id=name, category=category, colour=Colour.RED, position_m=(x, y, 0.0), place=None, confidence=0.9
    )


HELD, CUBE = thing("cup", Category.CUP, 0.5, 0.1), thing("cube", Category.CUBE, 0.4, -0.1)


def scene(*objects: SceneObject) -> Scene:
    return Scene(objects=(HELD, CUBE, *objects), places=(SINK,), held="cup", observation_sequence=0)


def apart_m(point_m: np.ndarray, item: SceneObject) -> float:
    return math.dist(point_m[:2], item.position_m[:2])


def test_what_is_to_be_taken_is_pointed_out_itself() -> None:
    about = whereabouts(Pick(object="cube"), scene())
    assert about is not None
    assert apart_m(about.likeliest_m, CUBE) == 0.0
    assert 0.0 < about.likeliest_m[2] < OBJECTS[Category.CUBE].height_m


def test_what_is_stacked_goes_where_the_other_is() -> None:
    about = whereabouts(Stack(object="cup", base="cube"), scene())
    assert about is not None
    assert apart_m(about.likeliest_m, CUBE) == 0.0


def test_what_is_put_down_goes_where_the_hand_would_let_go_of_it() -> None:
    way = ReleaseTarget(np.array([0.42, -0.37, 0.05]), 0.0, 0.3)
    about = whereabouts(Put(object="cup", place=Place.SINK), scene(), way)
    assert about is not None
    np.testing.assert_array_equal(about.likeliest_m, way.position_m)
    assert about.off_m(about.likeliest_m) < about.radius_m
    unknown = whereabouts(Put(object="cup", place=Place.SINK), scene())
    assert unknown is not None
    assert unknown.likeliest_m is None


def test_what_will_move_is_not_pointed_out() -> None:
    about = whereabouts(Push(object="cube", side=Side.LEFT), scene())
    assert about is not None
    assert about.likeliest_m is None
    assert about.off_m(np.array(CUBE.position_m)) == 0.0


def test_nothing_is_pointed_out_that_is_not_seen() -> None:
    assert whereabouts(Pick(object="spoon"), scene()) is None
    assert whereabouts(Put(object="cup", place=Place.BIN), scene()) is None
    assert whereabouts(Press(switch=Switch.ON), scene()) is None
