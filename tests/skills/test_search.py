from itertools import pairwise

import pytest

from skills.graph import SkillGraph, SkillNode
from skills.predicates import AtSide, DrawerIs, Held, In, On, Predicate
from skills.scene import PlaceRegion, Scene, SceneObject, SeenDrawer
from skills.search import shortest
from skills.verify import Proof, prove
from vla_low_level.nouns import Category, Colour, Opening, Place, Side


def cube(name: str, y: float, on: str | None = None, place: Place | None = None) -> SceneObject:
    return SceneObject(
        id=name, category=Category.CUBE, colour=Colour.RED, position_m=(0.4, y, 0.0), on=on, place=place
    )


SCENE = Scene(
    objects=(cube("a", 0.0), cube("b", 0.1, on="c"), cube("c", 0.1), cube("d", -0.1, place=Place.BIN)),
    places=tuple(PlaceRegion(place=p, centre_m=(0.5, 0.4, 0), half_extent_m=(0.1, 0.1)) for p in Place),
    drawer=SeenDrawer(handle_m=(0.6, 0.2, 0.05), opening_m=0.0),
)


@pytest.mark.parametrize(
    ("goal", "steps"),
    [
        ((), 0),
        ((In("d", Place.BIN),), 0),
        ((In("a", Place.SINK),), 2),
        ((In("a", Place.SINK), In("d", Place.TRAY)), 4),
        ((On("a", "b"),), 2),
        ((On("a", "c"),), 4),
        ((Held("a"),), 1),
        ((AtSide("a", Side.LEFT), DrawerIs(Opening.OPEN)), 2),
        (tuple(In(name, Place.TRAY) for name in "abcd"), 8),
    ],
)
def test_no_shorter_plan_is_overlooked_and_it_can_be_proved(goal: tuple[Predicate, ...], steps: int) -> None:
    found = shortest(SCENE, goal)
    assert found is not None
    assert len(found) == steps
    names = [f"n{k}" for k in range(steps)]
    nodes = tuple(SkillNode(id=n, skill=s) for n, s in zip(names, found, strict=True))
    graph = SkillGraph(nodes=nodes, edges=tuple(pairwise(names)))
    assert isinstance(prove(graph, SCENE, goal), Proof)


def test_what_cannot_be_is_given_up() -> None:
    assert shortest(SCENE, (In("ghost", Place.SINK),)) is None
