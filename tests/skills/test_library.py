"""The seven skills: what they need, what they bring about, and how they are said."""

import pytest

from sim.demos.phrases import plain
from sim.demos.tasks import Kind, Task
from skills.graph import SkillGraph, SkillNode
from skills.library import CloseDrawer, OpenDrawer, Pick, Press, Push, Put, Stack
from skills.predicates import AtSide, DrawerIs, LampIs, On, OnTable, State, Truth, first_unmet
from skills.scene import Scene, SceneObject, SeenDrawer, SeenLamp
from skills.verify import Proof, Refutation, prove
from vla_low_level.nouns import Category, Colour, Opening, Place, Side, Switch


def thing(
    name: str, category: Category = Category.CUBE, y: float = 0.0, on: str | None = None
) -> SceneObject:
    colour = Colour(name.split("_", maxsplit=1)[0])
    return SceneObject(id=name, category=category, colour=colour, position_m=(0.45, y, 0.0), on=on)


def scene(*objects: SceneObject, held: str | None = None, opening_m: float = 0.0, lit: bool = False) -> Scene:
    return Scene(
        objects=objects,
        places=(),
        held=held,
        drawer=SeenDrawer(handle_m=(0.6, 0.2, 0.05), opening_m=opening_m),
        lamp=SeenLamp(button_m=(0.65, -0.2, 0.03), lit=lit),
    )


def plan(*skills) -> SkillGraph:
    nodes = tuple(SkillNode(id=f"n{k}", skill=skill) for k, skill in enumerate(skills))
    return SkillGraph(nodes=nodes, edges=tuple((f"n{k}", f"n{k + 1}") for k in range(len(nodes) - 1)))


SAID = [
    (Pick(object="red_cube"), Task(Kind.PICK, "red_cube"), None),
    (Put(object="red_cube", place=Place.SINK), Task(Kind.PLACE_IN, "red_cube", Place.SINK), "red_cube"),
    (
        Stack(object="red_cube", base="blue_plate"),
        Task(Kind.PLACE_ON, "red_cube", base="blue_plate"),
        "red_cube",
    ),
    (Push(object="red_cube", side=Side.LEFT), Task(Kind.PUSH, "red_cube", side=Side.LEFT), None),
    (OpenDrawer(), Task(Kind.OPEN_DRAWER), None),
    (CloseDrawer(), Task(Kind.CLOSE_DRAWER), None),
    (Press(switch=Switch.OFF), Task(Kind.PRESS, switch=Switch.OFF), None),
]


@pytest.mark.parametrize(("skill", "task", "held"), SAID, ids=lambda x: getattr(x, "name", ""))
def test_a_skill_is_said_in_the_words_that_the_policy_was_trained_on(skill, task, held) -> None:
    seen = scene(thing("red_cube"), thing("blue_plate", Category.PLATE, 0.1), held=held)
    assert skill.subgoal(seen) == plain(task, seen.objects)


def test_one_of_two_alike_is_said_by_where_it_lies() -> None:
    seen = scene(thing("red_1", y=0.1), thing("red_2", y=-0.1))
    assert Pick(object="red_1").subgoal(seen) == "pick up the red cube on the left"
    assert Pick(object="red_2").subgoal(seen) == "pick up the red cube on the right"


def test_two_alike_side_by_side_cannot_be_told_apart() -> None:
    seen = scene(thing("red_1", y=0.01), thing("red_2", y=-0.01))
    with pytest.raises(LookupError, match="red_1"):
        Pick(object="red_1").subgoal(seen)


def test_stacking_and_then_pushing_the_lower_one_is_proved() -> None:
    seen = scene(thing("red_cube"), thing("blue_plate", Category.PLATE, 0.1))
    graph = plan(
        Pick(object="red_cube"),
        Stack(object="red_cube", base="blue_plate"),
        Push(object="blue_plate", side=Side.LEFT),
    )
    goal = (On("red_cube", "blue_plate"), AtSide("blue_plate", Side.LEFT))
    assert isinstance(prove(graph, seen, goal), Proof)


def test_stacking_on_what_carries_something_already_is_refuted() -> None:
    seen = scene(thing("red_cube"), thing("blue_cube", y=0.1), thing("green_cube", y=0.1, on="blue_cube"))
    refuted = prove(plan(Pick(object="red_cube"), Stack(object="red_cube", base="blue_cube")), seen)
    assert isinstance(refuted, Refutation)
    assert refuted.predicate == "clear(blue_cube)"


def test_what_was_taken_off_leaves_it_clear() -> None:
    seen = scene(thing("blue_cube", y=0.1), thing("green_cube", y=0.1, on="blue_cube"), thing("red_cube"))
    graph = plan(
        Pick(object="green_cube"),
        Stack(object="green_cube", base="red_cube"),
        Push(object="blue_cube", side=Side.LEFT),
    )
    assert isinstance(prove(graph, seen), Proof)
    assert OnTable("green_cube").evaluate(State.of(seen)) is Truth.FALSE


def test_a_lamp_that_is_on_is_not_pressed_on() -> None:
    refuted = prove(plan(Press(switch=Switch.ON)), scene(lit=True))
    assert isinstance(refuted, Refutation)
    assert refuted.predicate == "lamp_is(off)"
    assert isinstance(prove(plan(Press(switch=Switch.ON)), scene(), (LampIs(Switch.ON),)), Proof)


@pytest.mark.parametrize(("opening_m", "stands"), [(0.0, "closed"), (0.05, "ajar"), (0.1, "open")])
def test_a_drawer_ajar_is_neither_open_nor_closed(opening_m, stands) -> None:
    state = State.of(scene(opening_m=opening_m))
    true = [o.value for o in Opening if DrawerIs(o).evaluate(state) is Truth.TRUE]
    assert true == [stands]


def test_without_a_drawer_nothing_is_known_of_it() -> None:
    bare = Scene(objects=(), places=())
    assert first_unmet(OpenDrawer().preconditions(), State.of(bare))[1] is Truth.UNKNOWN
    assert DrawerIs(Opening.OPEN).evaluate(State.of(bare)) is Truth.UNKNOWN
