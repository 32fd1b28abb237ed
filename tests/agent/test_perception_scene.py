"""Ids stay with their objects, and places are given by where things lie."""

import dataclasses

import numpy as np
import pytest

from agent.perception.detector import DetectedObject, DetectedPlace, Detections
from agent.perception.perceive import perceive
from vla_low_level.nouns import Category, Colour, Place
from vla_low_level.observation import CameraImage, Observation

IMAGE = CameraImage(np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), np.float32), np.eye(3), np.eye(4))


@dataclasses.dataclass
class Says:
    """A detector that has been told what to see."""

    objects: tuple[DetectedObject, ...]
    places: tuple[DetectedPlace, ...] = (DetectedPlace(Place.SINK, (0.45, -0.4), 0.9),)

    def detect(self, image: CameraImage) -> Detections:
        assert image is IMAGE
        return Detections(self.objects, self.places)


def cup(x: float, y: float, colour: Colour = Colour.RED) -> DetectedObject:
    return DetectedObject(Category.CUP, colour, (x, y, 0.0), None, 0.9)


def look(*objects, previous=None, held=None, sequence=0):
    seen = Observation(images={"overhead": IMAGE}, proprioception=None, time_s=0.0, sequence=sequence)
    return perceive(Says(objects), seen, previous, held)


def ids(scene) -> dict[str, tuple[float, float]]:
    return {o.id: o.position_m[:2] for o in scene.objects}


def test_alike_objects_get_numbers():
    scene = look(cup(0.4, 0.1), cup(0.5, -0.1), cup(0.5, 0.2, Colour.BLUE), sequence=7)
    assert set(ids(scene)) == {"red_cup_1", "red_cup_2", "blue_cup_1"}
    assert scene.observation_sequence == 7


def test_ids_stay_when_the_order_of_detections_changes():
    first = look(cup(0.4, 0.1), cup(0.5, -0.1))
    again = look(cup(0.501, -0.1), cup(0.4, 0.101), previous=first)
    for name, position in ids(first).items():
        assert ids(again)[name] == pytest.approx(position, abs=0.002)


def test_the_one_that_moved_keeps_its_id_too():
    first = look(cup(0.4, 0.1), cup(0.5, -0.1))
    stayed = next(name for name, xy in ids(first).items() if xy[1] < 0)
    moved = next(name for name in ids(first) if name != stayed)
    after = look(cup(0.5, -0.1), cup(0.45, -0.4), previous=first)
    assert ids(after) == {stayed: (0.5, -0.1), moved: (0.45, -0.4)}
    assert after.get(moved).place is Place.SINK
    assert after.get(stayed).place is None


def test_a_newcomer_never_takes_a_name_in_use():
    first = look(cup(0.4, 0.1))
    after = look(cup(0.55, 0.2), cup(0.4, 0.1), previous=first)
    assert ids(after)["red_cup_1"] == (0.4, 0.1)
    assert ids(after)["red_cup_2"] == (0.55, 0.2)


def test_what_is_held_stays_in_the_scene():
    first = look(cup(0.4, 0.1), cup(0.5, 0.2, Colour.BLUE))
    lifted = look(cup(0.5, 0.2, Colour.BLUE), previous=first, held="red_cup_1")
    assert lifted.held == "red_cup_1"
    assert set(ids(lifted)) == {"red_cup_1", "blue_cup_1"}


@pytest.mark.parametrize(("y", "inside"), [(-0.4, True), (-0.315, True), (-0.305, False), (-0.28, False)])
def test_what_lies_on_a_wall_or_leans_on_it_is_in_no_place(y, inside):
    (item,) = look(cup(0.45, y)).objects
    assert (item.place is Place.SINK) is inside


def test_a_spoon_may_lean_with_its_middle_over_a_wall():
    leaning = DetectedObject(Category.SPOON, Colour.BLUE, (0.45, -0.293, 0.012), 0.0, 0.9)
    (item,) = look(leaning).objects
    assert item.place is Place.SINK


def test_what_stands_on_a_plate_is_on_it():
    plate = DetectedObject(Category.PLATE, Colour.WHITE, (0.5, 0.1, 0.0), None, 0.9)
    stacked = dataclasses.replace(cup(0.51, 0.11), position_m=(0.51, 0.11, 0.009))
    beside = cup(0.4, -0.1, Colour.BLUE)
    scene = look(plate, stacked, beside)
    assert {o.id: o.on for o in scene.objects} == {
        "white_plate_1": None,
        "red_cup_1": "white_plate_1",
        "blue_cup_1": None,
    }
