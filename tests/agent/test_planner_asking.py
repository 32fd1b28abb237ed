"""When a planner acts, asks and refuses: the prediction set, its calibration, and what an answer does."""

import json
import logging
import math
from pathlib import Path

import numpy as np
import pytest

from agent.decisions import history_json, read_history
from agent.planner.answers import INSTEAD, asked_once
from agent.planner.beam import FLOOR, likely_sketches
from agent.planner.calibrate import COMMANDS, calibrate, conformity, intent_of
from agent.planner.calibration import (
    FILE_VARIABLE,
    SHIPPED,
    Calibration,
    conformal_quantile,
    find,
    read,
    threshold_for,
    write,
)
from agent.planner.candidates import Proposal, meanings
from agent.planner.cases import read_cases, scene
from agent.planner.embedded import EmbeddedPlanner
from agent.planner.logical_form import LogicalForm
from agent.planner.prediction_set import Threshold, decide
from agent.planner.protocol import Answer, Correction, Plan, Question, Refusal
from agent.planner.wording import NOTHING, in_words
from traces.errors import TandemError

HALF = Threshold(0.5, "chosen by hand", calibrated=False)


@pytest.fixture(scope="module")
def planner() -> EmbeddedPlanner:
    return EmbeddedPlanner()


def form(*steps: dict) -> LogicalForm:
    return LogicalForm.model_validate({"steps": steps}, strict=False)


def put(kind: str, hue: str, to: str, **more: object) -> dict:
    return {"do": "put", "what": [{"kind": kind, "hue": hue}], "to": to, **more}


RED_CUP = form(put("cup", "red", "sink"))
BLUE_CUP = form(put("cup", "blue", "sink"))


def decided(
    *proposals: Proposal, on: str = "table", threshold: Threshold = HALF
) -> Plan | Question | Refusal:
    return decide(proposals, scene(on), (), threshold)


def moved(decision: object) -> set[str]:
    assert isinstance(decision, Plan), decision
    return {node.skill.subject for node in decision.graph.nodes}


def test_one_likely_plan_is_acted_on_and_says_what_else_was_possible() -> None:
    plan = decided(Proposal(RED_CUP, 0.9), Proposal(BLUE_CUP, 0.1))
    assert moved(plan) == {"red_cup_1"}
    assert [(c.words, c.likely) for c in plan.among.candidates] == [
        ("put the red cup in the sink", True),
        ("put the blue cup in the sink", False),
    ]


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.45, 0.4)])
def test_two_likely_plans_or_none_are_asked_about_in_plain_words(shares: tuple[float, float]) -> None:
    question = decided(Proposal(RED_CUP, shares[0]), Proposal(BLUE_CUP, shares[1]))
    assert isinstance(question, Question)
    assert question.options == ("put the red cup in the sink", "put the blue cup in the sink")
    assert moved(decide_after(question, 1)) == {"blue_cup_1"}


def decide_after(question: Question, option: int) -> Plan | Question | Refusal:
    from agent.planner.settled import settled

    found = settled(scene("table"), (Answer(question, question.options[option]),))
    assert found is not None
    return found


def test_readings_that_come_to_the_same_are_one_and_their_probabilities_add_up() -> None:
    both = form({"do": "put", "what": [{"kind": "cup", "which": "all"}], "to": "sink"})
    away = form({"do": "put_away", "what": [{"kind": "cup", "which": "all"}]})
    found = meanings((Proposal(both, 0.4), Proposal(away, 0.35), Proposal(RED_CUP, 0.25)), scene("table"), ())
    assert [round(m.probability, 6) for m in found] == [0.75, 0.25]
    assert isinstance(decided(Proposal(both, 0.4), Proposal(away, 0.35)), Plan)


def test_what_cannot_be_done_is_refused_with_what_is_missing_and_never_replaced_by_what_can() -> None:
    purple = form(put("cup", "purple", "sink"))
    refusal = decided(Proposal(purple, 0.7), Proposal(RED_CUP, 0.3))
    assert isinstance(refusal, Refusal)
    assert "purple cup" in refusal.message
    question = decided(
        Proposal(purple, 0.4), Proposal(RED_CUP, 0.3), threshold=Threshold(0.2, "", calibrated=False)
    )
    assert isinstance(question, Question)
    assert "purple cup" in question.text
    assert question.options == ("put the red cup in the sink",)


def test_a_plan_that_the_verifier_refutes_is_a_refusal_that_names_the_precondition() -> None:
    holding = scene("table").model_copy(update={"held": "green_bottle_1"})
    refusal = decide((Proposal(RED_CUP, 1.0),), holding, (), HALF)
    assert isinstance(refusal, Refusal)
    assert "hand_empty" in refusal.message


def test_what_is_doubted_is_offered_with_the_doubt_and_not_acted_on() -> None:
    question = decided(Proposal(RED_CUP, 0.99, doubt='I do not know the word "zorble" here'))
    assert isinstance(question, Question)
    assert "zorble" in question.text
    assert question.options == ("put the red cup in the sink",)
    assert moved(decide_after(question, 0)) == {"red_cup_1"}


def test_alike_objects_become_the_question_which_one(planner: EmbeddedPlanner) -> None:
    question = planner.plan("put the red cup in the sink", scene("cups"), ())
    assert isinstance(question, Question)
    assert (question.code, question.text) == ("AMBIGUOUS", "Which red cup do you mean?")
    assert question.options == ("red cup on the left", "red cup on the right")
    for said, name in (
        ("red cup on the right", "red_cup_2"),
        ("1", "red_cup_1"),
        ("the left one", "red_cup_1"),
    ):
        plan = planner.plan("put the red cup in the sink", scene("cups"), (Answer(question, said),))
        assert moved(plan) == {name}


def test_what_is_unclear_in_two_places_is_one_question(planner: EmbeddedPlanner) -> None:
    said = "put the red cup in the sink and the bottle in the bin"
    both = scene("dinner").objects + scene("cups").objects[:2]
    seen = scene("dinner").model_copy(update={"objects": both})
    question = planner.plan(said, seen, ())
    assert isinstance(question, Question)
    assert len(question.options) == 4
    plan = planner.plan(said, seen, (Answer(question, question.options[3]),))
    assert isinstance(plan, Plan)
    assert in_words(plan.graph, seen) == question.options[3]


def test_an_answer_in_other_words_is_read_and_the_same_question_is_never_put_twice(
    planner: EmbeddedPlanner,
) -> None:
    said, seen = "put the red cup in the sink", scene("cups")
    first = planner.plan(said, seen, ())
    assert isinstance(first, Question)
    history = [Answer(first, "hmm")]
    asked = {(first.text, first.options)}
    for _ in range(4):
        decision = planner.plan(said, seen, tuple(history))
        if not isinstance(decision, Question):
            break
        assert (decision.text, decision.options) not in asked
        asked.add((decision.text, decision.options))
        history.append(Answer(decision, "hmm"))
    assert isinstance(decision, Refusal)


def test_no_is_an_answer() -> None:
    question = decided(Proposal(RED_CUP, 0.4))
    assert isinstance(question, Question)
    again = asked_once(question, (Answer(question, "no"),))
    assert isinstance(again, Question)
    assert (again.text, again.options) == (INSTEAD, ())


def test_what_is_said_after_an_answer_counts_more(planner: EmbeddedPlanner) -> None:
    said, seen = "put the red cup in the sink", scene("cups")
    question = planner.plan(said, seen, ())
    assert isinstance(question, Question)
    plan = planner.plan(said, seen, (Answer(question, "1"), Correction("no, the blue one")))
    assert moved(plan) == {"blue_cup_1"}


def test_a_question_and_its_answer_survive_the_record() -> None:
    question = decided(Proposal(RED_CUP, 0.5), Proposal(BLUE_CUP, 0.5))
    assert isinstance(question, Question)
    history = (Answer(question, "2"),)
    told = json.loads(json.dumps(history_json(history)))
    assert read_history(told)[0].question.forms == question.forms


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("put the cups in the sink and open the drawer", "put the blue cup and the red cup in the sink"),
        (
            "open the drawer, then put the red cup in the sink",
            "open the drawer, then put the red cup in the sink",
        ),
        ("close the drawer", NOTHING),
        ("pick up the bottle", "pick up the green bottle"),
        ("push the red cube to the left", "push the red cube to the left"),
    ],
)
def test_a_plan_is_told_in_plain_words(planner: EmbeddedPlanner, said: str, words: str) -> None:
    plan = planner.plan(said, scene("table"), ())
    assert isinstance(plan, Plan)
    assert words in in_words(plan.graph, scene("table"))


def test_every_sketch_above_the_floor_is_found_likeliest_first(planner: EmbeddedPlanner) -> None:
    marked = planner.marked("put the red cup in the sink")
    readings = planner._writer.candidates(marked)
    told = [r.probability for r in readings]
    assert told == sorted(told, reverse=True)
    assert sum(told) <= 1.0 + 1e-6
    assert min(told) >= FLOOR
    assert readings[0].text == planner.read("put the red cup in the sink").text


def test_search_is_bounded_whatever_the_model_says() -> None:
    looks = []

    def flat(_pieces: object, options: tuple[str, ...]) -> list[float]:
        looks.append(1)
        return [-math.log(len(options))] * len(options)

    found = likely_sketches(flat, ["the", "place", "all", "drawer"])
    assert len(looks) <= 120
    assert all(sum(chosen) >= math.log(FLOOR) - 1e-9 for _, chosen in found)


def test_the_threshold_is_the_exact_rank_and_too_few_commands_are_refused() -> None:
    assert conformal_quantile([0.1 * k for k in range(1, 7)], 0.15) == pytest.approx(0.6)
    with pytest.raises(TandemError) as caught:
        conformal_quantile([0.1] * 5, 0.15)
    assert caught.value.code == "CALIBRATION_TOO_SMALL"
    assert "6 commands" in caught.value.fix


@pytest.mark.parametrize("n", [10, 20])
def test_new_scores_exceed_it_as_often_as_promised_and_the_plain_quantile_more_often(n: int) -> None:
    scores = np.random.default_rng([6, n]).random((4000, n + 1))
    exact = np.mean([row[-1] > conformal_quantile(row[:-1].tolist(), 0.15) for row in scores])
    plain = np.mean(scores[:, -1] > np.quantile(scores[:, :-1], 0.85, axis=1))
    assert exact <= 0.15 + 0.012
    assert plain > 0.15 + 0.012


def test_the_shipped_calibration_is_of_the_shipped_model_and_word_lists(planner: EmbeddedPlanner) -> None:
    told = find(planner.model)
    assert isinstance(told, Calibration), f"{told}: run tandem planner calibrate"
    assert len(told.scores) == sum(1 for _ in read_cases(COMMANDS)) > 200
    assert planner.threshold.calibrated


def test_another_model_or_other_words_are_loudly_uncalibrated_and_ask_more(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    shipped = read(SHIPPED)
    with caplog.at_level(logging.WARNING):
        other = threshold_for("f" * 64)
    assert not other.calibrated
    assert other.value > shipped.threshold.value
    assert "not calibrated" in caplog.text
    assert "tandem planner calibrate" in caplog.text
    write(tmp_path / "old.json", shipped.model_copy(update={"words_sha256": "0" * 64}))
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "old.json"))
    assert not threshold_for(shipped.model).calibrated
    (tmp_path / "bad.json").write_text('{"scores": "many"}')
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "bad.json"))
    with pytest.raises(TandemError) as caught:
        threshold_for(shipped.model)
    assert caught.value.code == "CALIBRATION_UNREADABLE"


def test_calibrating_scores_every_command_of_a_file(planner: EmbeddedPlanner, tmp_path: Path) -> None:
    file = tmp_path / "commands.yaml"
    lines = ["@table put the red cup in the sink => red cup in sink"] * 7
    lines += [
        "@cups put the red cup in the sink => red cup in sink | red cup 2 in sink",
        "@table dance => refuse",
    ]
    file.write_text("clear: |\n" + "".join(f"  {line}\n" for line in lines))
    seen: list[int] = []
    told = calibrate(planner, 0.15, file, lambda done, _of: seen.append(done))
    assert len(told.scores) == 9 == seen[-1]
    assert told.model == planner.model
    assert 0.0 < told.threshold.value < 1.0


def test_what_a_person_has_in_mind_is_one_of_what_may_be_meant() -> None:
    for case in read_cases(COMMANDS):
        intent = intent_of(case)
        assert intent == intent_of(case)
        assert set(intent.ends) <= set(case.ends)
        if case.family == "ambiguous":
            assert len(intent.ends) + bool(intent.silent) == 1


def test_what_is_meant_is_never_less_likely_than_what_has_no_words() -> None:
    case = next(c for c in read_cases(COMMANDS) if c.family == "clear" and c.ends)
    assert conformity(case, case, ()) == 1.0
    wrong = meanings((Proposal(form({"do": "open_drawer"}), 1.0),), scene("table"), ())
    assert conformity(case, case, wrong) in (0.0, 1.0)
