import numpy as np

from skills.graph import SkillGraph, SkillNode
from skills.library import OpenDrawer, Pick, Press, Push, Put, Stack
from skills.render import as_mermaid, as_picture, as_text
from vla_low_level.nouns import Place, Side, Switch

SKILLS = (
    Pick(object="red_cup_1"),
    Put(object="red_cup_1", place=Place.DISH_RACK),
    Stack(object="a", base="b"),
    Push(object="b", side=Side.LEFT),
    OpenDrawer(),
    Press(switch=Switch.ON),
)
GRAPH = SkillGraph(
    nodes=tuple(SkillNode(id=f"n{k}", skill=skill) for k, skill in enumerate(SKILLS)),
    edges=(("n0", "n1"), ("n1", "n3"), ("n0", "n3")),
)


def test_text_names_every_step_and_what_it_waits_for() -> None:
    lines = as_text(GRAPH).splitlines()
    assert len(lines) == len(SKILLS)
    assert "2. place red cup 1 in the dish rack  (after n0)" in lines
    assert lines[2:] != sorted(lines[2:], reverse=True)


def test_mermaid_has_a_box_for_every_step_and_no_edge_too_many() -> None:
    text = as_mermaid(GRAPH)
    assert text.startswith("flowchart TD")
    assert text.count('["') == len(SKILLS)
    assert text.count("-->") == 2


def test_the_picture_grows_with_the_graph_and_is_not_empty() -> None:
    one = as_picture(SkillGraph(nodes=GRAPH.nodes[:1]))
    many = as_picture(GRAPH)
    assert many.width > one.width
    assert many.height > one.height
    assert np.asarray(many).std() > 5
    assert as_picture(SkillGraph(nodes=())).width > 0
