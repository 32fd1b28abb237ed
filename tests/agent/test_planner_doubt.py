"""Forms are given here, right or wrong, so that what is tested is the doubt and not the language model."""

from itertools import pairwise

import pytest

from agent.planner.doubt import doubt, mended
from agent.planner.generate import example
from agent.planner.logical_form import Intent, LogicalForm

CLEAR = ("clear", "any", "any", "all", "default")
RED_CUP = ("put", "cup", "red", "one", "sink")
CUPS = ("put", "cup", "any", "all", "sink")
CUBE = ("put", "cube", "blue", "one", "bin")


def form(*goals: tuple[str, ...], why: str = "none") -> LogicalForm:
    keys = ("intent", "kind", "hue", "quantity", "where")
    rows = [{**dict(zip(keys, goal, strict=True)), "why": why} for goal in goals]
    return LogicalForm.model_validate({"goals": rows}, strict=False)


@pytest.mark.parametrize(
    ("text", "goals"),
    [
        ("Clear the table, please!", [CLEAR]),
        ("put the red cup in the sink", [RED_CUP]),
        ("would you mind if you put the scarlet mug in the basin", [RED_CUP]),
        ("in the sink put the red cup", [RED_CUP]),
        ("put every cup in the sink", [CUPS]),
        ("put the cups in the kitchen sink", [CUPS]),
        ("first put the red cup in the sink, then drop the blue cube in the bin", [RED_CUP, CUBE]),
        ("clear the table and after that put the red cup in the sink", [CLEAR, RED_CUP]),
        ("sort the cubes by colour", [("sort", "cube", "any", "all", "default")]),
        ("plaec the red cup in the sink", [RED_CUP]),
        ("put the red cup in the sink right away", [RED_CUP]),
    ],
)
def test_a_form_that_says_what_was_said_is_believed(text: str, goals: list) -> None:
    assert doubt(form(*goals), text) == ""


@pytest.mark.parametrize(
    ("text", "goals", "names"),
    [
        ("do not clear the table", [CLEAR], "do not"),
        ("don\u2019t put the red cup in the sink", [RED_CUP], "don't"),
        ("never put the cups in the sink", [CUPS], "never"),
        ("put all cups but the red one in the sink", [("put", "cup", "red", "all", "sink")], "but"),
        ("clear the table unless it is late", [CLEAR], "unless"),
        ("if i say so, put the red cup in the sink", [RED_CUP], "if"),
        ("is the red cup in the sink?", [RED_CUP], "is"),
        ("i put the red cup in the sink", [RED_CUP], "i"),
        ("take the red cup out of the sink", [RED_CUP], "out"),
        ("put the red cup next to the sink", [RED_CUP], "next to"),
        ("put the pink cup in the sink", [("put", "cup", "any", "one", "sink")], "pink"),
        ("put two cups in the sink", [CUPS], "two"),
        ("put some cups in the sink", [CUPS], "some"),
        ("smash the red cup in the sink", [RED_CUP], "smash"),
        ("put the red cup in the sink, then dance", [RED_CUP], "dance"),
        ("put the cup in the sink", [RED_CUP], ""),
        ("put the red cup in the bin", [RED_CUP], ""),
        ("put the red and the blue cup in the sink", [RED_CUP], ""),
        ("put the red cups in the sink", [RED_CUP], ""),
        ("put the red cup in the sink", [("put", "cup", "red", "all", "sink")], ""),
        ("put the blue cube in the bin, then the red cup in the sink", [RED_CUP, CUBE], ""),
        ("put the red cup in the bin and the blue cube in the sink", [RED_CUP, CUBE], ""),
        ("clear the table and put the red cup in the sink", [RED_CUP], ""),
        ("sort the cubes", [("sort", "cube", "any", "all", "default")], ""),
        ("sort everything", [CLEAR], ""),
    ],
)
def test_a_form_that_says_something_else_is_doubted(text: str, goals: list, names: str) -> None:
    assert names in doubt(form(*goals), text) != ""


def test_a_refusal_is_believed_whatever_was_said() -> None:
    assert doubt(form(("unknown", "any", "any", "all", "default"), why="harmful"), "don't smash it") == ""


def test_slips_are_mended_only_where_one_word_is_meant() -> None:
    assert mended("put the yelow bottel in the sinkk") == "put the yellow bottle in the sinkk"
    assert mended("the black plane") == "the black plane"


def test_right_forms_of_generated_instructions_are_seldom_doubted() -> None:
    """The law behind the word lists: what the model is trained on must stay sayable."""
    made = [example(7, n) for n in range(600)]
    doable = [e for e in made if all(g.intent is not Intent.UNKNOWN for g in e.form.goals)]
    doubted = [e.instruction for e in doable if doubt(e.form, e.instruction)]
    assert len(doubted) < 0.05 * len(doable), doubted


def test_a_wrong_form_of_a_generated_instruction_is_nearly_always_doubted() -> None:
    """Each instruction with the form of another, where the two differ."""
    made = [example(8, n) for n in range(600)]
    doable = [e for e in made if all(g.intent is not Intent.UNKNOWN for g in e.form.goals)]
    pairs = [(a.instruction, b.form) for a, b in pairwise(doable) if a.form != b.form]
    believed = [pair for pair in pairs if not doubt(pair[1], pair[0])]
    assert len(believed) < 0.01 * len(pairs), believed
