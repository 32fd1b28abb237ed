from agent.course import SAME_AGAIN, Course
from agent.decisions import history_json, read_history
from agent.planner.grounder import ground
from agent.planner.logical_form import LogicalForm
from agent.planner.protocol import Answer, Correction, Failure, Plan, Question
from scenarios.planner_cases import scene

GOAL = {"intent": "clear", "kind": "any", "hue": "any", "quantity": "all", "where": "default", "why": "none"}
SEEN = scene("used")


def planned() -> Plan:
    plan = ground(LogicalForm.model_validate({"goals": [GOAL]}, strict=False), SEEN, ())
    assert isinstance(plan, Plan)
    return plan


def test_the_same_plan_from_the_same_state_is_noticed_in_the_end() -> None:
    course, plan = Course("clear the table"), planned()
    assert [course.oscillates(SEEN, plan) for _ in range(SAME_AGAIN)] == [False] * (SAME_AGAIN - 1) + [True]


def test_a_plan_from_another_state_is_progress() -> None:
    course, plan = Course("clear the table"), planned()
    for held in ("red_cup_1", None, "blue_cup_1", "red_cup_1", "blue_cup_1", None):
        assert not course.oscillates(SEEN.model_copy(update={"held": held}), plan)


def test_what_was_known_comes_back_from_the_record_as_it_was() -> None:
    history = (
        Failure("n", "red_cup_1", "slipped"),
        Answer(Question("Which?", ("a", "b"), "AMBIGUOUS", ("x", "y")), "a"),
        Correction("no, the blue one"),
    )
    assert read_history(history_json(history)) == history
