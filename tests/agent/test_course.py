from agent.course import SAME_AGAIN, Course
from agent.decisions import decision_json, history_json, read_decision, read_history
from agent.planner.grounder import ground, kept
from agent.planner.logical_form import LogicalForm
from agent.planner.protocol import Answer, Correction, Done, Failure, Plan, Question
from scenarios.planner_cases import scene

SWAP = LogicalForm.model_validate(
    {"steps": [{"do": "swap", "what": [{"kind": "cup", "hue": "red"}, {"kind": "cup", "hue": "blue"}]}]},
    strict=False,
)
SEEN = scene("used")


def planned() -> Plan:
    plan = ground(SWAP, SEEN, ())
    assert isinstance(plan, Plan)
    return plan


def test_the_same_plan_from_the_same_state_is_noticed_in_the_end() -> None:
    course, plan = Course("swap the cups"), planned()
    assert [course.oscillates(SEEN, plan) for _ in range(SAME_AGAIN)] == [False] * (SAME_AGAIN - 1) + [True]


def test_a_plan_from_another_state_is_progress() -> None:
    course, plan = Course("swap the cups"), planned()
    for held in ("red_cup_1", None, "blue_cup_1", "red_cup_1", "blue_cup_1", None):
        assert not course.oscillates(SEEN.model_copy(update={"held": held}), plan)


def test_what_is_half_done_keeps_its_meaning_when_it_is_understood_again() -> None:
    first = planned()
    red = [
        o.model_copy(update={"place": first.goal[0].place}) if o.id == "red_cup_1" else o
        for o in SEEN.objects
    ]
    halfway = SEEN.model_copy(update={"objects": tuple(red)})
    anew = ground(SWAP, halfway, ())
    again = kept(anew, SWAP, first.task, halfway, ())
    assert isinstance(again, Plan)
    assert again.goal == first.goal
    assert {n.skill.subject for n in again.graph.nodes} == {"blue_cup_1"}


def test_decisions_and_what_was_known_come_back_from_the_record_as_they_were() -> None:
    plan = planned()
    back = read_decision(decision_json(plan))
    assert isinstance(back, Plan)
    assert (back.graph, back.goal, back.form, back.task) == (plan.graph, plan.goal, plan.form, plan.task)
    history = (
        Failure("n", "red_cup_1", "slipped"),
        Answer(Question("Which?", ("a", "b"), "AMBIGUOUS", ("x", "y")), "a"),
        Correction("no, the blue one"),
        Done("n", "held(red_cup_1)"),
    )
    assert read_history(history_json(history)) == history
