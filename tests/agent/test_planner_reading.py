"""From words to a form without the language model: mentions, plain words, sketches, generated examples."""

import contextlib
import json
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.planner.canon import unwrapped
from agent.planner.generate import example
from agent.planner.grammar import CHECKED, HELD
from agent.planner.logical_form import LogicalForm, schema
from agent.planner.mentions import Mention, mark, spaced
from agent.planner.reading import read
from agent.planner.sketch import END, allowed, regular_expression, spelled, split, unspelled
from agent.planner.spelling import Speller


def named(text: str) -> list[dict]:
    return [m.selector.model_dump(mode="json", exclude_defaults=True) for m in mark(spaced(text)).mentions]


@pytest.mark.parametrize(
    ("text", "selector"),
    [
        ("the red cup", {"kind": "cup", "hue": "red"}),
        ("the scarlet mug", {"kind": "cup", "hue": "red"}),
        ("all blue cubes", {"kind": "cube", "hue": "blue", "which": "all"}),
        ("every plate", {"kind": "plate", "which": "all"}),
        ("everything that is red", {"hue": "red", "which": "all"}),
        ("two of the spoons", {"kind": "spoon", "which": "any", "count": 2}),
        ("both cups", {"kind": "cup", "count": 2}),
        ("a bottle", {"kind": "bottle", "which": "any"}),
        ("the left cup", {"kind": "cup", "side": "left"}),
        ("the cup on the right", {"kind": "cup", "side": "right"}),
        ("the other cubes", {"kind": "cube", "which": "rest"}),
        ("the rest", {"which": "rest"}),
        ("it", {"which": "it"}),
    ],
)
def test_what_is_named_is_read(text: str, selector: dict) -> None:
    assert named(text) == [selector]


def test_one_takes_its_kind_from_what_was_named() -> None:
    assert named("the red cup , the blue one")[1] == {"kind": "cup", "hue": "blue"}
    assert named("the red and the blue cup")[0] == {"kind": "cup", "hue": "red"}


def test_a_dish_rack_is_a_place_and_no_dish() -> None:
    assert mark("put the dish in the dish rack").text == "put <1> <the> in <2> <place>"


def test_manners_and_synonyms_leave_the_same_text() -> None:
    plain = mark(spaced("put the red cup in the sink")).text
    for said in (
        "Could you please place the red cup into the sink?",
        "hey robot, just pop the red mug inside the basin!",
    ):
        assert mark(spaced(said)).text == plain


def test_slips_are_mended_only_where_one_word_is_meant() -> None:
    speller = Speller(["put", "clear"])
    assert speller.mended("put teh yelow bottel in the snik") == "put the yellow bottle in the sink"
    assert speller.mended("burn the plane") == "burn the plane"


def test_a_sketch_becomes_the_form_that_it_points_to() -> None:
    marked = mark("put all cups except the red one in the sink , then open the drawer if there is a spoon")
    form = read("PUT<1>BUT<2>TO<3>>OPEN<4>IF<5>", marked.mentions)
    assert json.loads(form.text()) == {
        "steps": [
            {
                "do": "put",
                "what": [{"kind": "cup", "which": "all", "but": [{"kind": "cup", "hue": "red"}]}],
                "to": "sink",
            },
            {"do": "open_drawer", "then": True, "only_if": {"there_is": {"kind": "spoon"}}},
        ]
    }


def test_what_is_unknown_is_refused_whatever_the_sketch_does_with_it() -> None:
    marked = mark("put the banana in the sink")
    assert read("PUT<1>TO<2>", marked.mentions).refuse == "unknown_object"
    marked = mark("put the cup in the fridge")
    assert read("PUT<1>TO<2>", marked.mentions).refuse == "unknown_place"


def test_some_of_them_is_asked_about() -> None:
    assert "some" in read("PUT<1>TO<2>", mark("put some of the cubes in the bin").mentions).ask


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6))
def test_every_generated_sketch_is_in_the_grammar_and_in_its_regular_expression(number: int) -> None:
    made = example(3, number)
    sorts = [m.sort for m in made.marked.mentions]
    pieces = split(made.sketch)
    for k in range(len(pieces) + 1):
        assert (pieces[k] if k < len(pieces) else END) in allowed(pieces[:k], sorts), made
    assert re.fullmatch(regular_expression(sorts), spelled(made.sketch)), made
    assert LogicalForm.parse(made.form.text()) == made.form


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.data())
def test_whatever_the_grammar_lets_through_can_be_read(number: int, data: st.DataObject) -> None:
    marked = example(4, number).marked
    sorts = [m.sort for m in marked.mentions]
    pieces: list[str] = []
    while len(pieces) < 60:
        piece = data.draw(st.sampled_from(allowed(pieces, sorts)))
        if piece == END:
            break
        pieces.append(piece)
    else:
        return
    assert re.fullmatch(regular_expression(sorts), spelled("".join(pieces)))
    with contextlib.suppress(ValueError):
        read("".join(pieces), marked.mentions)


def test_the_same_number_makes_the_same_example_and_families_are_many() -> None:
    assert example(0, 5) == example(0, 5)
    families = Counter(example(0, n).family.split("(")[0] for n in range(300))
    assert len(families) > 30
    assert not [f for f in families if HELD in f or CHECKED in f]
    for kept in (HELD, CHECKED):
        assert all(kept in example(0, n, kept=kept).family for n in range(40))


def test_the_schema_bounds_everything() -> None:
    def bounded(node: dict) -> None:
        if node.get("type") == "array":
            assert node["maxItems"] <= 8
        if node.get("type") == "string" and "enum" not in node:
            assert node["maxLength"] <= 200
        if node.get("type") == "integer":
            assert node["maximum"] <= 9
        for value in node.values():
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, dict):
                    bounded(child)

    bounded(schema())


def test_what_is_said_around_a_request_falls_away() -> None:
    assert unwrapped("could you just open the drawer for me , thanks !") == "open the drawer"
    assert Mention("the cup", "the").place == "nowhere"


def test_marks_are_spelled_so_that_no_server_takes_them_for_control_tokens() -> None:
    sketch = "PUT<1><2>BUT<12>TO<3>>OPEN"
    assert spelled(sketch) == "PUT[1][2]BUT[12]TO[3]>OPEN"
    assert unspelled(spelled(sketch)) == sketch
