import pytest
from pydantic import ValidationError

from skills.graph import SkillGraph, SkillNode
from skills.library import Pick, Put
from skills.predicates import In, State, Truth, Visible
from skills.scene import PlaceRegion, Scene, SceneObject
from skills.verify import Proof, Refutation, prove
from vla_low_level.nouns import Category, Colour, Place


def scene(*ids: str, held: str | None = None) -> Scene:
    return Scene(
        objects=tuple(
            SceneObject(id=i, category=Category.CUP, colour=Colour.RED, position_m=(0.4, 0.1 * n, 0.0))
            for n, i in enumerate(ids)
        ),
        places=(PlaceRegion(place=Place.SINK, centre_m=(0.5, -0.4, 0.0), half_extent_m=(0.1, 0.1)),),
        held=held,
    )


def move(object_id: str, place: Place = Place.SINK) -> tuple[tuple[SkillNode, SkillNode], tuple[str, str]]:
    pick = SkillNode(id=f"pick_{object_id}", skill=Pick(object=object_id))
    put = SkillNode(id=f"place_{object_id}", skill=Put(object=object_id, place=place))
    return (pick, put), (pick.id, put.id)


def test_independent_branches_are_interleaved_for_one_hand() -> None:
    (pick_a, put_a), edge_a = move("a")
    (pick_b, put_b), edge_b = move("b")
    graph = SkillGraph(nodes=(pick_a, pick_b, put_a, put_b), edges=(edge_a, edge_b))
    proof = prove(graph, scene("a", "b"), (In("a", Place.SINK), In("b", Place.SINK)))
    assert isinstance(proof, Proof)
    assert proof.order == ("pick_a", "place_a", "pick_b", "place_b")


def test_the_right_branch_goes_first_when_another_waits_for_it() -> None:
    (pick_a, put_a), edge_a = move("a")
    (pick_b, put_b), edge_b = move("b")
    graph = SkillGraph(nodes=(pick_a, put_a, pick_b, put_b), edges=(edge_a, edge_b, (put_b.id, put_a.id)))
    proof = prove(graph, scene("a", "b"))
    assert isinstance(proof, Proof)
    assert proof.order == ("pick_b", "place_b", "pick_a", "place_a")


def test_a_plan_for_something_not_there_names_step_and_condition() -> None:
    nodes, edge = move("ghost")
    refuted = prove(SkillGraph(nodes=nodes, edges=(edge,)), scene("a"))
    assert isinstance(refuted, Refutation)
    assert (refuted.node, refuted.predicate, refuted.truth) == (
        "pick_ghost",
        "visible(ghost)",
        Truth.UNKNOWN,
    )


def test_putting_what_is_not_held_is_refuted() -> None:
    (_, put), _ = move("a")
    refuted = prove(SkillGraph(nodes=(put,)), scene("a"))
    assert isinstance(refuted, Refutation)
    assert "held(a)" in refuted.reason


def test_a_plan_that_misses_the_goal_is_refuted() -> None:
    nodes, edge = move("a")
    refuted = prove(SkillGraph(nodes=nodes, edges=(edge,)), scene("a"), (In("a", Place.BIN),))
    assert isinstance(refuted, Refutation)
    assert refuted.node == ""


def test_a_full_hand_cannot_pick() -> None:
    nodes, edge = move("b")
    refuted = prove(SkillGraph(nodes=nodes, edges=(edge,)), scene("a", "b", held="a"))
    assert isinstance(refuted, Refutation)
    assert refuted.predicate == "hand_empty"


def test_a_tangled_plan_is_cut_off() -> None:
    nodes, edges = [], []
    for n in range(30):
        pair, edge = move(f"o{n}")
        nodes += pair
        edges.append(edge)
    nodes.append(SkillNode(id="never", skill=Put(object="ghost", place=Place.SINK)))
    refuted = prove(SkillGraph(nodes=nodes, edges=edges), scene(*(f"o{n}" for n in range(30))))
    assert isinstance(refuted, Refutation)


@pytest.mark.parametrize(
    ("edges", "words"),
    [
        ((("pick_a", "nowhere"),), "unknown node nowhere"),
        ((("pick_a", "place_a"), ("place_a", "pick_a")), "wait for each other"),
    ],
)
def test_bad_graphs_cannot_be_built(edges: tuple[tuple[str, str], ...], words: str) -> None:
    nodes, _ = move("a")
    with pytest.raises(ValidationError, match=words):
        SkillGraph(nodes=nodes, edges=edges)


def test_two_nodes_of_one_name_cannot_be_built() -> None:
    (pick, _), _ = move("a")
    with pytest.raises(ValidationError, match="share an id"):
        SkillGraph(nodes=(pick, pick))


def test_ready_nodes_follow_what_is_done() -> None:
    (pick, put), edge = move("a")
    graph = SkillGraph(nodes=(pick, put), edges=(edge,))
    assert graph.ready(frozenset()) == (pick,)
    assert graph.ready(frozenset({"pick_a"})) == (put,)
    assert graph.ready(frozenset({"pick_a", "place_a"})) == ()


def test_what_is_not_seen_is_unknown_not_false() -> None:
    state = State.of(scene("a"))
    assert In("b", Place.SINK).evaluate(state) is Truth.UNKNOWN
    assert Visible("b").evaluate(state) is Truth.UNKNOWN
    assert In("a", Place.SINK).evaluate(state) is Truth.FALSE
    assert In("a", None).evaluate(state) is Truth.TRUE
