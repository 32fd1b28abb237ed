from pathlib import Path

import pytest

from agent.planner.cases import CALIBRATION, read_cases
from agent.planner.judge import Verdict, judge
from agent.planner.protocol import Plan, Question, Refusal
from scenarios.planner_cases import FOLDER, Case, cases, scene
from skills.graph import SkillGraph, SkillNode
from skills.library import OpenDrawer, Pick, Put, Skill
from skills.predicates import State
from vla_low_level.nouns import Place

FILES = ("instructions", "words", "unclear")


def plan(*skills: Skill, edges: tuple[tuple[int, int], ...] = ()) -> Plan:
    nodes = tuple(SkillNode(id=f"n{k}", skill=skill) for k, skill in enumerate(skills))
    return Plan(SkillGraph(nodes=nodes, edges=tuple((f"n{a}", f"n{b}") for a, b in edges)), ())


def carry(name: str, place: Place) -> tuple[Skill, Skill]:
    return Pick(object=name), Put(object=name, place=place)


def case(line: str) -> Case:
    return next(c for file in FILES for c in cases(file) if c.said == line)


def test_there_are_more_than_three_hundred_instructions_and_every_fact_names_what_is_there() -> None:
    every = [c for file in (*FILES, "asking") for c in cases(file)]
    every += read_cases(CALIBRATION / "commands.yaml")
    assert sum(1 for _ in cases("instructions")) >= 300
    for one in every:
        known = State.of(scene(one.scene)).location.keys() | {"drawer", "lamp"}
        assert one.silent or one.ends
        assert all(who in known for way in one.ends for fact in way for who in fact.who), one
        values = {"open", "closed", "off", "held", *Place, "at left", "at right", "on"}
        for fact in (f for way in one.ends for f in way if f.what):
            assert fact.what in values or fact.what.removeprefix("on ") in known, one


@pytest.mark.parametrize("line", ["put the red cup in the sink", "pick up the red cup"])
def test_what_was_wanted_is_right(line: str) -> None:
    steps = carry("red_cup_1", Place.SINK)[: 1 if "pick" in line else 2]
    assert judge(case(line), scene("table"), plan(*steps)).verdict is Verdict.RIGHT


def test_another_object_another_place_and_one_object_more_are_wrong() -> None:
    wanted, seen = case("put the red cup in the sink"), scene("table")
    right = carry("red_cup_1", Place.SINK)
    for steps in (
        carry("blue_cup_1", Place.SINK),
        carry("red_cup_1", Place.BIN),
        (*right, *carry("blue_cup_1", Place.SINK)),
        (*right, OpenDrawer()),
    ):
        assert judge(wanted, seen, plan(*steps)).verdict is Verdict.WRONG


def test_half_of_it_is_too_little() -> None:
    wanted = case("put both cups in the sink")
    assert judge(wanted, scene("table"), plan(*carry("red_cup_1", Place.SINK))).verdict is Verdict.PARTLY


def test_an_order_must_stand_in_the_graph() -> None:
    wanted, seen = case("first put the red cup in the sink, then put the bottle in the bin"), scene("table")
    steps = (*carry("red_cup_1", Place.SINK), *carry("green_bottle_1", Place.BIN))
    pairs = ((0, 1), (2, 3))
    assert judge(wanted, seen, plan(*steps, edges=pairs)).verdict is Verdict.PARTLY
    assert judge(wanted, seen, plan(*steps, edges=(*pairs, (1, 2)))).verdict is Verdict.RIGHT


def test_two_of_many_are_two() -> None:
    wanted, seen = case("put two cubes in the tray"), scene("cubes")
    cubes = ("red_cube_1", "blue_cube_1", "green_cube_1")
    steps = [skill for name in cubes for skill in carry(name, Place.TRAY)]
    assert judge(wanted, seen, plan(*steps[:4])).verdict is Verdict.RIGHT
    assert judge(wanted, seen, plan(*steps[:2])).verdict is Verdict.PARTLY
    assert judge(wanted, seen, plan(*steps)).verdict is not Verdict.RIGHT


def test_asking_and_refusing_are_right_only_where_they_are_wanted() -> None:
    asks, refuses = Question("Which?", (), "AMBIGUOUS"), Refusal("UNSUPPORTED", "I cannot")
    ambiguous, harmful = case("put it away"), case("hurt the cat")
    seen = scene("table")
    assert judge(ambiguous, seen, asks).verdict is Verdict.RIGHT
    assert judge(harmful, seen, refuses).verdict is Verdict.RIGHT
    assert judge(harmful, seen, asks).verdict is Verdict.ASKED
    assert judge(case("put the red cup in the sink"), seen, refuses).verdict is Verdict.REFUSED


def test_a_plan_that_cannot_work_is_not_right() -> None:
    wanted = case("put the red cup in the sink")
    broken = plan(Put(object="red_cup_1", place=Place.SINK))
    assert judge(wanted, scene("table"), broken).verdict is Verdict.UNPROVED


def test_no_hand_written_line_is_a_template() -> None:
    """The sets are blind only while the training data holds none of them."""
    data = Path(__file__).parents[2] / "agent" / "planner" / "data"
    lines = {c.said for file in FILES for c in cases(file) if len(c.said.split()) > 6}
    for path in data.glob("*.yaml"):
        text = path.read_text().lower()
        assert not [line for line in lines if line in text]
    assert FOLDER.is_dir()


def test_what_is_calibrated_on_is_not_tested_on() -> None:
    told = {"calibration": read_cases(CALIBRATION / "commands.yaml"), "asking": cases("asking")}
    pairs = {name: {(c.scene, c.said, c.correction) for c in lines} for name, lines in told.items()}
    tuned = {(c.scene, c.said, c.correction) for file in FILES for c in cases(file)}
    assert not pairs["calibration"] & pairs["asking"]
    assert not tuned & (pairs["calibration"] | pairs["asking"])
