"""One subgoal, said as in the demonstrations, becomes one skill."""

import pytest

from agent.planner.protocol import Plan, Refusal
from api.subgoal import SubgoalPlanner
from skills.library import OpenDrawer, Press, Push
from skills.scene import Scene, SceneObject, SeenDrawer, SeenLamp
from skills.verify import Proof, prove
from vla_low_level.nouns import Category, Colour, Side, Switch

SCENE = Scene(
    objects=(
        SceneObject(id="cup", category=Category.CUP, colour=Colour.RED, position_m=(0.45, 0.0, 0.0)),
        SceneObject(id="plate", category=Category.PLATE, colour=Colour.BLUE, position_m=(0.5, 0.1, 0.0)),
    ),
    places=(),
    drawer=SeenDrawer(handle_m=(0.6, 0.2, 0.05), opening_m=0.0),
    lamp=SeenLamp(button_m=(0.65, -0.2, 0.03), lit=False),
)


@pytest.mark.parametrize(
    ("words", "skills"),
    [
        ("Open the drawer.", [OpenDrawer()]),
        ("pull out the drawer", [OpenDrawer()]),
        ("turn on the light", [Press(switch=Switch.ON)]),
        ("shove the blue dish to the left side", [Push(object="plate", side=Side.LEFT)]),
    ],
)
def test_words_become_one_skill(words, skills) -> None:
    decision = SubgoalPlanner().plan(words, SCENE, ())
    assert isinstance(decision, Plan)
    assert [node.skill for node in decision.graph.nodes] == skills
    assert isinstance(prove(decision.graph, SCENE, decision.goal), Proof)


def test_putting_something_somewhere_begins_with_taking_it() -> None:
    decision = SubgoalPlanner().plan("put the red mug on top of the blue plate", SCENE, ())
    assert isinstance(decision, Plan)
    assert [node.skill.name for node in decision.graph.nodes] == ["pick", "stack"]


def test_what_is_so_already_needs_nothing() -> None:
    decision = SubgoalPlanner().plan("close the drawer", SCENE, ())
    assert isinstance(decision, Plan)
    assert not decision.graph


@pytest.mark.parametrize("words", ["clear the table", "pick up the green cup", "open the window", ""])
def test_other_words_are_refused_with_examples(words) -> None:
    decision = SubgoalPlanner().plan(words, SCENE, ())
    assert isinstance(decision, Refusal)
    assert "open the drawer" in decision.fix
