import pytest

from agent.fixtures import camera_moved
from skills.scene import PlaceRegion, Scene
from vla_low_level.monitor import Level
from vla_low_level.nouns import Place

AT = {Place.SINK: (0.3, 0.5), Place.BIN: (0.3, -0.5), Place.TRAY: (0.6, 0.4), Place.DISH_RACK: (0.6, -0.4)}


def scene(*moved: tuple[float, float], places=tuple(AT)) -> Scene:
    ways = moved * len(places) if len(moved) == 1 else moved
    return Scene(
        objects=(),
        places=tuple(
            PlaceRegion(place=p, centre_m=(AT[p][0] + dx, AT[p][1] + dy, 0.0), half_extent_m=(0.1, 0.1))
            for p, (dx, dy) in zip(places, ways, strict=True)
        ),
    )


@pytest.mark.parametrize(
    ("way", "level"),
    [
        ((0.0, 0.0), Level.OK),
        ((0.004, -0.003), Level.OK),
        ((0.01, 0.0), Level.WARN),
        ((0.02, 0.01), Level.ALARM),
    ],
)
def test_fixtures_that_all_moved_alike_mean_that_the_camera_did(way, level):
    assert camera_moved(scene((0.0, 0.0)), scene(way)).level is level


def test_one_fixture_that_was_moved_is_no_camera():
    found = camera_moved(scene((0.0, 0.0)), scene((0.2, 0.0), (0.0, 0.0), (0.0, 0.0), (0.001, 0.0)))
    assert found.level is Level.OK


def test_fixtures_that_moved_apart_are_no_camera():
    found = camera_moved(scene((0.0, 0.0)), scene((0.1, 0.0), (-0.1, 0.0), (0.0, 0.1), (0.0, -0.1)))
    assert (found.level, found.score) == (Level.OK, 0.0)


def test_too_few_fixtures_and_a_first_look_tell_nothing():
    few = (Place.SINK, Place.BIN)
    assert camera_moved(scene((0, 0), places=few), scene((0.1, 0), places=few)).level is Level.OK
    assert camera_moved(None, scene((0.1, 0.0))).level is Level.OK
