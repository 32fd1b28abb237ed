from hypothesis import given, settings
from hypothesis import strategies as st

from agent.planner.grounder import DEFAULT_PLACE, ground
from agent.planner.logical_form import Hue, Intent, Kind, LogicalForm, Quantity, Where, Why
from agent.planner.protocol import Answer, Failure, Plan, Question, Refusal
from skills.predicates import State, apply
from skills.scene import PlaceRegion, Scene, SceneObject
from skills.verify import Proof, prove
from vla_low_level.nouns import Category, Colour, Place

REGIONS = tuple(PlaceRegion(place=p, centre_m=(0.5, 0.4, 0.0), half_extent_m=(0.1, 0.1)) for p in Place)


def goal(intent="put", kind="any", hue="any", quantity="all", where="default", why="none") -> dict[str, str]:
    return {"intent": intent, "kind": kind, "hue": hue, "quantity": quantity, "where": where, "why": why}


def form(*goals: dict[str, str]) -> LogicalForm:
    return LogicalForm.model_validate({"goals": goals}, strict=False)


def scene(*items: tuple[str, str, str | None], places: tuple[PlaceRegion, ...] = REGIONS) -> Scene:
    objects, count = [], {}
    for n, (colour, category, place) in enumerate(items):
        count[colour, category] = count.get((colour, category), 0) + 1
        objects.append(
            SceneObject(
                id=f"{colour}_{category}_{count[colour, category]}",
                category=Category(category),
                colour=Colour(colour),
                position_m=(0.4, 0.3 - 0.1 * n, 0.0),
                place=Place(place) if place else None,
            )
        )
    return Scene(objects=tuple(objects), places=places)


def after(plan: Plan, start: Scene) -> Scene:
    state = State.of(start)
    for node in plan.graph.nodes:
        state = apply(node.skill.effects(), state)
    moved = tuple(o.model_copy(update={"place": state.location[o.id]}) for o in start.objects)
    return start.model_copy(update={"objects": moved})


items = st.lists(
    st.tuples(
        st.sampled_from([c.value for c in Colour]),
        st.sampled_from([c.value for c in Category]),
        st.sampled_from([None, *[p.value for p in Place]]),
    ),
    max_size=9,
)
goals = st.builds(
    goal,
    intent=st.sampled_from(["clear", "put", "sort"]),
    kind=st.sampled_from([str(k) for k in Kind]),
    hue=st.sampled_from([str(h) for h in Hue]),
    quantity=st.sampled_from([str(q) for q in Quantity]),
    where=st.sampled_from([str(w) for w in Where]),
)


@settings(deadline=None)
@given(items, st.lists(goals, min_size=1, max_size=3))
def test_what_is_grounded_can_be_proved_and_leaves_nothing_to_do(things: list, wanted: list) -> None:
    start = scene(*things)
    plan = ground(form(*wanted), start, ())
    if not isinstance(plan, Plan):
        assert isinstance(plan, Question | Refusal)
        return
    assert isinstance(prove(plan.graph, start, plan.goal), Proof)
    done = after(plan, start)
    again = ground(form(*wanted), done, ())
    if len(wanted) == 1:
        assert isinstance(again, Plan)
        assert not again.graph


def test_clearing_sends_each_kind_to_its_place() -> None:
    start = scene(("red", "cup", None), ("blue", "plate", None), ("white", "spoon", "utensil_holder"))
    plan = ground(form(goal("clear")), start, ())
    assert isinstance(plan, Plan)
    assert {(n.skill.object, n.skill.place) for n in plan.graph.nodes if n.skill.name == "place"} == {
        ("red_cup_1", Place.SINK),
        ("blue_plate_1", DEFAULT_PLACE[Category.PLATE]),
    }
    assert len(plan.graph.edges) == 2


def test_two_that_match_become_a_question_and_the_answer_decides() -> None:
    start = scene(("red", "cup", None), ("red", "cup", None))
    wanted = form(goal("put", "cup", "red", "one", "sink"))
    question = ground(wanted, start, ())
    assert isinstance(question, Question)
    assert question.code == "AMBIGUOUS"
    assert question.options == ("red cup on the left", "red cup on the right")
    for said in ("red cup on the right", "2", "red_cup_2", "the right one, please"):
        plan = ground(wanted, start, (Answer(question, said),))
        assert isinstance(plan, Plan)
        assert {n.skill.object for n in plan.graph.nodes} == {"red_cup_2"}


def test_an_answer_that_fits_both_or_neither_is_asked_about_again() -> None:
    start = scene(("red", "cup", None), ("red", "cup", None))
    wanted = form(goal("put", "cup", "red", "one", "sink"))
    question = ground(wanted, start, ())
    assert isinstance(question, Question)
    for said in ("the red one", "the green one", "", "what?"):
        assert isinstance(ground(wanted, start, (Answer(question, said),)), Question)


def test_what_is_not_there_is_refused_by_name() -> None:
    refusal = ground(form(goal("put", "plate", "green", "one", "sink")), scene(("red", "cup", None)), ())
    assert isinstance(refusal, Refusal)
    assert refusal.code == "NO_SUCH_OBJECT"
    assert "green plate" in refusal.message
    assert "red cup" in refusal.message


def test_a_place_that_is_not_seen_is_refused() -> None:
    refusal = ground(form(goal("clear")), scene(("red", "cup", None), places=()), ())
    assert isinstance(refusal, Refusal)
    assert refusal.code == "NO_SUCH_PLACE"


def test_first_then_waits() -> None:
    start = scene(("red", "cup", None), ("blue", "cube", None))
    plan = ground(form(goal("put", "cup", where="sink"), goal("put", "cube", where="bin")), start, ())
    assert isinstance(plan, Plan)
    assert ("place_red_cup_1", "pick_blue_cube_1") in plan.graph.edges


def test_what_failed_comes_last_and_is_not_dropped() -> None:
    start = scene(("red", "cup", None), ("blue", "cup", None))
    plan = ground(form(goal("clear")), start, (Failure("pick_red_cup_1", "red_cup_1", "slipped"),))
    assert isinstance(plan, Plan)
    assert [n.skill.object for n in plan.graph.nodes] == ["blue_cup_1"] * 2 + ["red_cup_1"] * 2


def test_sorting_gives_each_colour_a_place_of_its_own() -> None:
    start = scene(*[(c, "cube", None) for c in ("red", "red", "green", "blue")])
    plan = ground(form(goal("sort", "cube")), start, ())
    assert isinstance(plan, Plan)
    where = {}
    for node in plan.graph.nodes:
        if node.skill.name == "place":
            where.setdefault(node.skill.object.split("_")[0], set()).add(node.skill.place)
    assert all(len(places) == 1 for places in where.values())
    assert len(set.union(*where.values())) == 3


def test_too_many_colours_to_sort_is_refused() -> None:
    start = scene(*[(c, "cube", None) for c in ("red", "green", "blue", "yellow", "white")])
    refusal = ground(form(goal("sort")), start, ())
    assert isinstance(refusal, Refusal)
    assert refusal.code == "TOO_MANY_COLOURS"


def test_every_reason_not_to_act_has_its_own_code() -> None:
    codes = set()
    for why in (Why.OBJECT, Why.PLACE, Why.UNSUPPORTED, Why.HARMFUL):
        refusal = ground(form(goal(Intent.UNKNOWN, why=why)), scene(("red", "cup", None)), ())
        assert isinstance(refusal, Refusal)
        codes.add(refusal.code)
    assert len(codes) == 4
