from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.planner.goals import DEFAULT_PLACE
from agent.planner.grounder import ground
from agent.planner.logical_form import Do, Hue, Kind, LogicalForm, To, Which, Why
from agent.planner.protocol import Answer, Done, Failure, Plan, Question, Refusal
from skills.predicates import AtSide, DrawerIs, In, LampIs, State, apply
from skills.scene import PlaceRegion, Scene, SceneObject, SeenDrawer, SeenLamp
from skills.search import shortest
from skills.verify import Proof, prove
from vla_low_level.nouns import Category, Colour, Opening, Place, Side, Switch

REGIONS = tuple(PlaceRegion(place=p, centre_m=(0.5, 0.4, 0.0), half_extent_m=(0.1, 0.1)) for p in Place)
DRAWER = SeenDrawer(handle_m=(0.6, 0.2, 0.05), opening_m=0.0)
LAMP = SeenLamp(button_m=(0.6, -0.2, 0.02), lit=False)
RED_CUP, CUBES = {"kind": "cup", "hue": "red"}, {"kind": "cube", "which": "all"}


def form(*steps: dict[str, Any]) -> LogicalForm:
    return LogicalForm.model_validate({"steps": steps}, strict=False)


def put(what: dict[str, Any], to: str, **more: Any) -> dict[str, Any]:
    return {"do": "put", "what": [what], "to": to, **more}


def scene(*items: tuple[str, str, str | None], places: tuple[PlaceRegion, ...] = REGIONS) -> Scene:
    """An object whose third part is an id stands on that; one whose third part is a place lies there."""
    objects, count = [], {}
    known = {p.value for p in Place}
    for n, (colour, category, where) in enumerate(items):
        count[colour, category] = count.get((colour, category), 0) + 1
        objects.append(
            SceneObject(
                id=f"{colour}_{category}_{count[colour, category]}",
                category=Category(category),
                colour=Colour(colour),
                position_m=(0.4, 0.3 - 0.1 * n, 0.0),
                place=Place(where) if where in known else None,
                on=where if where and where not in known else None,
            )
        )
    return Scene(objects=tuple(objects), places=places, drawer=DRAWER, lamp=LAMP)


def planned(what: LogicalForm, start: Scene, *history: Any) -> Plan:
    found = ground(what, start, history)
    assert isinstance(found, Plan), found
    assert isinstance(prove(found.graph, start, found.goal), Proof)
    return found


def refused(what: LogicalForm, start: Scene) -> str:
    found = ground(what, start, ())
    assert isinstance(found, Refusal), found
    return found.code


def after(plan: Plan, start: Scene) -> Scene:
    proof = prove(plan.graph, start, plan.goal)
    assert isinstance(proof, Proof)
    moved = [
        o.model_copy(update={"place": proof.end.location.get(o.id), "on": proof.end.on.get(o.id)})
        for o in start.objects
    ]
    return start.model_copy(update={"objects": tuple(moved), "held": proof.end.held})


def moved(plan: Plan) -> list[str]:
    return [n.skill.subject for n in plan.graph.nodes if n.skill.name == "pick"]


items = st.lists(
    st.tuples(
        st.sampled_from([c.value for c in Colour]),
        st.sampled_from([c.value for c in Category]),
        st.sampled_from([None, *[p.value for p in Place]]),
    ),
    max_size=9,
)
selectors = st.fixed_dictionaries(
    {
        "kind": st.sampled_from([str(k) for k in Kind]),
        "hue": st.sampled_from([str(h) for h in Hue]),
        "which": st.sampled_from([str(w) for w in Which]),
        "count": st.integers(1, 3),
    }
)
steps = st.fixed_dictionaries(
    {
        "do": st.sampled_from([str(d) for d in Do]),
        "what": st.lists(selectors, max_size=2),
        "to": st.sampled_from([str(t) for t in To]),
        "then": st.booleans(),
    },
    optional={"on": selectors},
)


@settings(deadline=None)
@given(items, st.lists(steps, min_size=1, max_size=3))
def test_what_is_grounded_can_be_proved_and_leaves_nothing_to_do(things: list, wanted: list) -> None:
    start = scene(*things)
    plan = ground(form(*wanted), start, ())
    if not isinstance(plan, Plan):
        assert isinstance(plan, Question | Refusal)
        assert plan.code
        return
    if isinstance(prove(plan.graph, start, plan.goal), Proof) and len(wanted) == 1:
        seen = after(plan, start)
        state = State.of(start)
        for node in plan.graph.nodes:
            state = apply(node.skill.effects(), state)
        assert all(goal.evaluate(state).value == "true" for goal in plan.goal)
        if not any(isinstance(g, AtSide | DrawerIs | LampIs) for g in plan.goal):
            again = ground(form(*wanted), seen, (), plan.task)
            assert not isinstance(again, Plan) or not again.graph


@settings(deadline=None)
@given(items, st.sampled_from(["put_away", "sort_by_kind", "sort_by_colour"]))
def test_no_plan_is_longer_than_the_shortest(things: list, do: str) -> None:
    start = scene(*things)
    plan = ground(form({"do": do}), start, ())
    if isinstance(plan, Plan):
        best = shortest(start, plan.goal)
        assert best is not None
        assert len(plan.graph.nodes) == len(best)


def test_clearing_sends_each_kind_to_its_place() -> None:
    start = scene(("red", "cup", None), ("blue", "plate", None), ("white", "spoon", "utensil_holder"))
    plan = planned(form({"do": "put_away"}), start)
    assert {(n.skill.object, n.skill.place) for n in plan.graph.nodes if n.skill.name == "place"} == {
        ("red_cup_1", Place.SINK),
        ("blue_plate_1", DEFAULT_PLACE[Category.PLATE]),
    }
    assert len(plan.graph.edges) == 2


def test_a_tower_is_cleared_from_the_top() -> None:
    start = scene(("blue", "cube", None), ("red", "cube", "blue_cube_1"))
    plan = planned(form({"do": "put_away"}), start)
    assert ("place_red_cube_1", "pick_blue_cube_1") in plan.graph.edges


def test_two_that_match_become_a_question_and_the_answer_decides() -> None:
    start = scene(("red", "cup", None), ("red", "cup", None))
    wanted = form(put(RED_CUP, "sink"))
    question = ground(wanted, start, ())
    assert isinstance(question, Question)
    assert question.code == "AMBIGUOUS"
    assert question.options == ("red cup on the left", "red cup on the right")
    for said in ("red cup on the right", "2", "red_cup_2", "the right one, please"):
        assert moved(planned(wanted, start, Answer(question, said))) == ["red_cup_2"]
    for said in ("the red one", "the green one", "", "what?"):
        assert isinstance(ground(wanted, start, (Answer(question, said),)), Question)


def test_what_is_not_there_is_refused_by_name() -> None:
    refusal = ground(form(put({"kind": "plate", "hue": "green"}, "sink")), scene(("red", "cup", None)), ())
    assert isinstance(refusal, Refusal)
    assert refusal.code == "NO_SUCH_OBJECT"
    assert "green plate" in refusal.message
    assert "red cup" in refusal.message


def test_every_selector_finds_what_it_says() -> None:
    things = (("red", "cup", None), ("blue", "cup", "tray"), ("green", "cup", None), ("red", "cube", None))
    start = scene(*things)
    cups = {"kind": "cup", "which": "all"}
    for what, names in (
        (cups, ["red_cup_1", "blue_cup_1", "green_cup_1"]),
        ({**cups, "at": "tray"}, ["blue_cup_1"]),
        ({**cups, "at": "table"}, ["red_cup_1", "green_cup_1"]),
        ({**cups, "but": [{"hue": "red"}]}, ["blue_cup_1", "green_cup_1"]),
        ({"kind": "cup", "side": "left"}, ["red_cup_1"]),
        ({"kind": "cup", "which": "any", "count": 2}, ["red_cup_1", "blue_cup_1"]),
        ({"hue": "red", "which": "all"}, ["red_cup_1", "red_cube_1"]),
    ):
        assert moved(planned(form(put(what, "bin")), start)) == names, what


def test_the_other_and_the_rest_are_those_that_were_not_named() -> None:
    start = scene(("red", "cup", None), ("blue", "cup", None), ("red", "cube", None))
    other = planned(form(put(RED_CUP, "sink"), put({"kind": "cup", "which": "other"}, "tray")), start)
    assert moved(other) == ["red_cup_1", "blue_cup_1"]
    rest = planned(form(put(RED_CUP, "sink"), put({"which": "rest"}, "bin")), start)
    assert moved(rest) == ["red_cup_1", "blue_cup_1", "red_cube_1"]


def test_what_shall_be_left_is_left_whatever_is_said_of_everything() -> None:
    start = scene(("red", "cup", None), ("blue", "cup", None))
    leave = {"do": "leave", "what": [RED_CUP]}
    assert moved(planned(form({"do": "put_away"}, leave), start)) == ["blue_cup_1"]
    contradictory = ground(form(put(RED_CUP, "sink"), leave), start, ())
    assert isinstance(contradictory, Question)


def test_conditions_are_judged_on_the_scene() -> None:
    start = scene(("red", "cup", None), ("white", "plate", None))
    spoon, cup = {"there_is": {"kind": "spoon"}}, {"there_is": {"kind": "cup"}}
    assert not planned(form(put(RED_CUP, "sink", only_if=spoon)), start).graph
    assert planned(form(put(RED_CUP, "sink", only_if=cup)), start).graph
    assert planned(form(put(RED_CUP, "sink", only_if={**spoon, "holds": False})), start).graph
    closed = {"furniture": "drawer_closed"}
    assert planned(form({"do": "open_drawer", "only_if": closed}), start).graph
    assert not planned(form({"do": "close_drawer", "only_if": {**closed, "holds": False}}), start).graph


def test_only_then_waits_and_the_rest_is_parallel() -> None:
    start = scene(("red", "cup", None), ("blue", "cube", None))
    side_by_side = planned(form(put(RED_CUP, "sink"), put({"kind": "cube"}, "bin")), start)
    assert not nx.has_path(side_by_side.graph.digraph, "place_red_cup_1", "pick_blue_cube_1")
    in_turn = planned(form(put(RED_CUP, "sink"), put({"kind": "cube"}, "bin", then=True)), start)
    assert ("place_red_cup_1", "pick_blue_cube_1") in in_turn.graph.edges


def test_a_swap_keeps_its_meaning_while_it_is_done() -> None:
    start = scene(("red", "cup", "sink"), ("blue", "cup", "tray"))
    wanted = form({"do": "swap", "what": [RED_CUP, {"kind": "cup", "hue": "blue"}]})
    plan = planned(wanted, start)
    assert set(plan.goal) == {In("red_cup_1", Place.TRAY), In("blue_cup_1", Place.SINK)}
    again = ground(wanted, after(plan, start), (), plan.task)
    assert isinstance(again, Plan)
    assert not again.graph


def test_what_was_only_passed_through_is_not_done_again() -> None:
    start = scene(("red", "cup", None))
    wanted = form(
        {"do": "open_drawer"}, put(RED_CUP, "sink", then=True), {"do": "close_drawer", "then": True}
    )
    plan = planned(wanted, start)
    assert [n.skill.name for n in plan.graph.nodes] == ["open_drawer", "pick", "place", "close_drawer"]
    seen = after(plan, start)
    done = tuple(Done(n.id, str(n.skill.effects()[0])) for n in plan.graph.nodes)
    again = ground(wanted, seen, done, plan.task)
    assert isinstance(again, Plan)
    assert not again.graph


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (put(RED_CUP, "table"), "NO_SKILL"),
        (put(RED_CUP, "drawer"), "NO_SKILL"),
        ({"do": "put_on", "what": [RED_CUP], "on": {"kind": "spoon"}}, "NOT_STACKABLE"),
        ({"do": "push", "what": [RED_CUP], "to": "left"}, "NOT_PUSHABLE"),
        ({"do": "swap", "what": [RED_CUP, {"kind": "spoon"}]}, "NO_SKILL"),
        ({"do": "pick", "what": [{"which": "all"}]}, "ONE_HAND"),
        (put({"kind": "cup", "which": "any", "count": 3}, "sink"), "TOO_FEW_OBJECTS"),
    ],
)
def test_what_no_skill_can_do_is_refused(step: dict[str, Any], code: str) -> None:
    assert refused(form(step), scene(("red", "cup", None), ("white", "spoon", None))) == code


def test_what_carries_something_is_not_pulled_away() -> None:
    start = scene(("blue", "cube", None), ("red", "cube", "blue_cube_1"))
    assert refused(form(put({"kind": "cube", "hue": "blue"}, "bin")), start) == "BLOCKED"


def test_furniture_that_is_not_there_is_refused() -> None:
    bare = Scene(objects=(), places=REGIONS)
    assert refused(form({"do": "open_drawer"}), bare) == "NO_SUCH_THING"
    assert refused(form({"do": "lamp_on"}), bare) == "NO_SUCH_THING"
    assert refused(form({"do": "put_away"}), scene(("red", "cup", None), places=())) == "NO_SUCH_PLACE"


def test_every_skill_of_the_library_can_be_asked_for() -> None:
    start = scene(("red", "cube", None), ("blue", "cube", None), ("red", "cup", None))
    wanted = form(
        put(RED_CUP, "sink"),
        {"do": "put_on", "what": [{"kind": "cube", "hue": "red"}], "on": {"kind": "cube", "hue": "blue"}},
        {"do": "push", "what": [{"kind": "cube", "hue": "blue"}], "to": "right", "then": True},
        {"do": "open_drawer"},
        {"do": "close_drawer", "then": True},
        {"do": "press"},
    )
    plan = planned(wanted, start)
    assert {n.skill.name for n in plan.graph.nodes} == {
        *("pick", "place", "stack", "push", "open_drawer", "close_drawer", "press")
    }
    assert AtSide("blue_cube_1", Side.RIGHT) in plan.goal
    assert {DrawerIs(Opening.CLOSED), LampIs(Switch.ON)} <= set(plan.goal)


def test_what_failed_comes_last_and_is_not_dropped() -> None:
    start = scene(("red", "cup", None), ("blue", "cup", None))
    plan = planned(form({"do": "put_away"}), start, Failure("pick_red_cup_1", "red_cup_1", "slipped"))
    assert moved(plan) == ["blue_cup_1", "red_cup_1"]


def test_what_is_in_the_hand_comes_first_even_when_it_failed_before() -> None:
    """The hand must be free for anything else."""
    start = scene(("red", "cup", None), ("blue", "cup", None)).model_copy(update={"held": "red_cup_1"})
    plan = planned(form({"do": "put_away"}), start, Failure("place_red_cup_1", "red_cup_1", "not there"))
    assert [n.id for n in plan.graph.nodes] == ["place_red_cup_1", "pick_blue_cup_1", "place_blue_cup_1"]
    assert isinstance(prove(plan.graph, start, plan.goal), Proof)


def test_sorting_gives_each_colour_a_place_of_its_own() -> None:
    start = scene(*[(c, "cube", None) for c in ("red", "red", "green", "blue")])
    plan = planned(form({"do": "sort_by_colour", "what": [CUBES]}), start)
    where: dict[str, set[Place]] = {}
    for goal in plan.goal:
        assert isinstance(goal, In)
        where.setdefault(goal.object.split("_")[0], set()).add(goal.place)
    assert all(len(places) == 1 for places in where.values())
    assert len(set.union(*where.values())) == 3


def test_too_many_colours_to_sort_are_refused() -> None:
    start = scene(*[(c, "cube", None) for c in ("red", "green", "blue", "yellow", "white")])
    assert refused(form({"do": "sort_by_colour"}), start) == "TOO_MANY_COLOURS"


def test_every_reason_not_to_act_has_its_own_code() -> None:
    codes = {refused(LogicalForm(refuse=why), scene(("red", "cup", None))) for why in Why}
    assert len(codes) == len(Why)


def test_the_one_on_the_left_is_asked_about_when_one_in_a_fixture_lies_further_out() -> None:
    start = scene(("red", "cup", None), ("blue", "cup", None), ("green", "cup", "tray"))
    outer, inner = start.objects[2], start.objects[1]
    moved = outer.model_copy(update={"position_m": (0.5, inner.position_m[1] + 0.4, 0.0)})
    start = start.model_copy(update={"objects": (*start.objects[:2], moved)})
    found = ground(form(put({"kind": "cup", "side": "left"}, "sink")), start, ())
    assert isinstance(found, Question)
    assert found.code == "AMBIGUOUS"
    lying = form(put({"kind": "cup", "side": "left", "at": "table"}, "sink"))
    assert isinstance(ground(lying, start, ()), Plan)
