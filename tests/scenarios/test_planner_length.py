"""The oracle that plans are measured against."""

from agent.planner.generate import example
from agent.planner.grounder import ground
from agent.planner.logical_form import LogicalForm
from agent.planner.protocol import Plan
from scenarios.planner_cases import scene
from scenarios.planner_generated import scene_for
from scenarios.planner_length import Length, against_oracle, length
from skills.graph import SkillGraph, SkillNode
from skills.library import Pick, Put
from vla_low_level.nouns import Place

TABLE = scene("table")


def _plan(text: str) -> Plan:
    decision = ground(LogicalForm.parse(text), TABLE, ())
    assert isinstance(decision, Plan)
    return decision


def test_a_detour_is_longer_than_the_shortest_plan() -> None:
    straight = _plan('{"steps":[{"do":"put","what":[{"kind":"cup","hue":"red"}],"to":"sink"}]}')
    legs = [Pick(object="red_cup_1"), Put(object="red_cup_1", place=Place.TRAY)]
    skills = [*legs, Pick(object="red_cup_1"), Put(object="red_cup_1", place=Place.SINK)]
    nodes = tuple(SkillNode(id=f"n{k}", skill=skill) for k, skill in enumerate(skills))
    edges = tuple((f"n{k}", f"n{k + 1}") for k in range(3))
    detour = Plan(SkillGraph(nodes=nodes, edges=edges), straight.goal, straight.form)
    assert length(straight, TABLE) == Length(2, 2)
    assert length(detour, TABLE) == Length(4, 2)
    told = against_oracle([length(straight, TABLE), length(detour, TABLE)])
    assert told == "50.0 % longer than the shortest (1 of 2 plans are longer)"


def test_several_things_in_no_order_are_compared() -> None:
    """The pointers of a sketch hold `>` as the mark for an order does: neither may hide a plan."""
    assert length(_plan('{"steps":[{"do":"put_away"}]}'), TABLE) == Length(14, 14)


def test_an_order_that_was_asked_for_is_not_held_against_a_plan() -> None:
    cup = '{"do":"put","what":[{"kind":"cup","hue":"red"}],"to":'
    ordered = _plan('{"steps":[' + cup + '"tray"},' + cup + '"sink","then":true}]}')
    assert length(ordered, TABLE) is None
    assert against_oracle([None]) == "no plan to compare"


def test_most_generated_instructions_find_on_their_scene_what_they_name() -> None:
    items = [example(0, 40_000_000 + n) for n in range(60)]
    plans = [ground(item.form, scene_for(item.form, n), ()) for n, item in enumerate(items)]
    moving = sum(isinstance(plan, Plan) and bool(plan.graph) for plan in plans)
    assert moving > 15
    assert scene_for(items[0].form, 3) == scene_for(items[0].form, 3)
