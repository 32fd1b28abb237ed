"""Recorded answers of a language model are given again; what was never asked is not answered."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from agent.chat_record import record_chats
from agent.planner.choose import make_planner
from agent.planner.logical_form import LogicalForm
from agent.planner.prompts import messages
from agent.planner.protocol import Plan
from agent.planner.replies import SAMPLES, Reply, chats_of
from replay.cassette import cassette
from skills.scene import PlaceRegion, Scene, SceneObject
from traces import names
from traces.errors import TandemError
from traces.reader import read_run
from traces.recorder import Recorder
from vla_low_level.nouns import Category, Colour, Place

SAID = "put the red cup in the sink"
FORM = '{"steps":[{"do":"put","what":[{"kind":"cup","hue":"red"}],"to":"sink"}]}'
CUP = SceneObject(id="red_cup_1", category=Category.CUP, colour=Colour.RED, position_m=(0.4, 0.1, 0.0))
SINK = PlaceRegion(place=Place.SINK, centre_m=(0.5, -0.3, 0.0), half_extent_m=(0.1, 0.1))
SCENE = Scene(objects=(CUP,), places=(SINK,))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    import json

    LogicalForm.parse(FORM)
    with Recorder.open(tmp_path / "run", {}) as recorder, recorder.span(names.PLAN):
        facts = {
            names.CHAT_INPUT_REF: recorder.text(json.dumps(messages(SAID, SCENE, ()))),
            names.CHAT_OUTPUT_REF: recorder.text(FORM),
            names.RESPONSE_FINISH: ["stop"],
            names.CHAT_LOG_PROBABILITY: -0.01,
        }
        with recorder.span(names.CHAT.format(model="big"), facts):
            pass
    return tmp_path / "run"


def test_the_recorded_answer_comes_back_through_the_real_transport(folder: Path) -> None:
    with cassette(read_run(folder)) as address:
        planner = make_planner(address("openai:https://far.away/v1#big"))
        decision = planner.plan(SAID, SCENE, ())
        assert address("embedded") == "embedded"
    assert isinstance(decision, Plan)
    assert decision.chats[0].reply == FORM
    assert [node.skill.name for node in decision.graph.nodes] == ["pick", "place"]


def test_a_question_that_was_never_asked_is_a_named_miss(folder: Path) -> None:
    with cassette(read_run(folder)) as address:
        planner = make_planner(address("openai:https://far.away/v1#big"))
        with pytest.raises(TandemError, match="was not asked when the run was recorded"):
            planner.plan("put the blue cup in the sink", SCENE, ())


def test_answers_that_were_drawn_by_chance_come_back_one_by_one(tmp_path: Path) -> None:
    talk = messages(SAID, SCENE, ())
    first = Reply(FORM, "stop")
    drawn = [Reply(FORM if k < 8 else '{"ask":"which?"}', "stop") for k in range(SAMPLES)]
    with Recorder.open(tmp_path / "run", {}) as recorder, recorder.span(names.PLAN):
        chats = chats_of("big", talk, {"temperature": 0}, [first], 0.1)
        chats += chats_of("big", talk, {"temperature": 1, "seed": 0, "n": SAMPLES}, drawn, 0.1)
        record_chats(recorder, chats, 0, time.monotonic_ns())
    with cassette(read_run(tmp_path / "run")) as address:
        planner = make_planner(address("openai:https://far.away/v1#big"))
        proposals, _ = planner.propose(SAID, SCENE)
    assert sorted(proposal.probability for proposal in proposals) == [0.2, 0.8]
