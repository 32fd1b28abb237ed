"""What a client sees of commands, events and the robot."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from api.server import examples, schema

RESULT = {"outcome": "succeeded", "message": "done", "steps_done": 2}


def events(site: Any, after: int = 0, command: str | None = None) -> list[dict[str, Any]]:
    async def read() -> list[bytes]:
        got = []
        reading = site.desk.feed.read(after, command)
        try:
            while True:
                got.append(await asyncio.wait_for(anext(reading), 0.2))
        except (TimeoutError, StopAsyncIteration):
            return got

    return [json.loads(part.split(b"data: ")[1]) for part in site.runner.run(read())]


def test_a_command_goes_from_accepted_to_succeeded(site: Any) -> None:
    command = site.give("put the red cup in the sink")
    assert command["state"] == "accepted"
    assert command["queue_position"] == 0
    site.ready()
    path = f"/v1/commands/{command['id']}"
    assert site.ask("GET", path).json()["state"] == "executing"
    assert site.sent[-1][0] == "start"
    site.hear("finished", command=command["id"], result=RESULT)
    done = site.ask("GET", path).json()
    assert (done["state"], done["terminal"], done["result"]["steps_done"]) == ("succeeded", True, 2)
    told = events(site, command=command["id"])
    assert [e["data"].get("state") for e in told[:-1]] == ["accepted", "accepted", "executing", "succeeded"]
    assert told[-1]["type"] == "outcome"
    assert [e["seq"] for e in told] == sorted({e["seq"] for e in told})


def test_the_same_key_never_gives_two_motions(site: Any) -> None:
    site.ready()
    body, key = {"instruction": "tidy up"}, {"idempotency-key": "k1"}
    first, second = (site.ask("POST", "/v1/commands", json=body, headers=key).json() for _ in range(2))
    assert first["id"] == second["id"]
    assert [kind for kind, _ in site.sent].count("start") == 1
    other = site.ask("POST", "/v1/commands", json={"instruction": "open the drawer"}, headers=key)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "KEY_REUSED")


def test_one_moves_the_others_wait_and_the_queue_is_bounded(site: Any) -> None:
    site.ready()
    first = site.give("tidy up")
    waiting = [site.give(f"tidy up {n}") for n in range(32)]
    assert [w["queue_position"] for w in waiting] == list(range(32))
    full = site.ask("POST", "/v1/commands", json={"instruction": "one more"})
    assert full.status_code == 429
    assert int(full.headers["retry-after"]) > 0
    assert site.ask("POST", f"/v1/commands/{waiting[0]['id']}/cancel").json()["state"] == "cancelled"
    assert site.ask("GET", f"/v1/commands/{waiting[1]['id']}").json()["queue_position"] == 0
    site.hear("finished", command=first["id"], result=RESULT)
    assert site.ask("GET", f"/v1/commands/{waiting[1]['id']}").json()["state"] == "executing"


def test_a_question_is_answered(site: Any) -> None:
    site.ready()
    command = site.give("put the cup in the sink")
    path = f"/v1/commands/{command['id']}"
    site.hear("asked", command=command["id"], id=1, text="which?", options=["red", "blue"], seconds=300.0)
    held = site.ask("GET", path).json()
    assert (held["state"], held["question"]["options"]) == ("needs_help", ["red", "blue"])
    wrong = site.ask("POST", f"{path}/answer", json={"question": 2, "answer": "red"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (409, "NOT_ASKED")
    good = site.ask("POST", f"{path}/answer", json={"question": 1, "answer": "the red one"})
    assert (good.json()["state"], good.json()["question"]) == ("executing", None)
    assert site.sent[-1] == ("answer", {"command": command["id"], "question": 1, "text": "the red one"})
    asked = [e["data"] for e in events(site, command=command["id"]) if e["type"] == "question"]
    assert [question["answer"] for question in asked] == [None, "the red one"]


def test_a_correction_reaches_the_mind(site: Any) -> None:
    site.ready()
    command = site.give("put the cup in the sink")
    told = site.ask("POST", f"/v1/commands/{command['id']}/amend", json={"text": "not the red one"}).json()
    assert told["amendments"] == ["not the red one"]
    assert site.sent[-1] == ("amend", {"command": command["id"], "text": "not the red one"})


@pytest.mark.parametrize(
    "word", ["stop", "STOP!!", "halt", "¡alto!", "arrête", "ferma", "стоп", "停", "止まれ", "멈춰", "قف"]
)
@pytest.mark.parametrize("door", ["command", "answer", "amend"])
def test_a_stop_word_stops_through_every_door(site: Any, word: str, door: str) -> None:
    site.ready()
    command = site.give("put the cup in the sink")
    path = f"/v1/commands/{command['id']}"
    waits = site.give("tidy up")
    site.hear("asked", command=command["id"], id=1, text="which?", options=[], seconds=300.0)
    site.sent.clear()
    match door:
        case "command":
            told = site.ask("POST", "/v1/commands", json={"instruction": word})
            assert (told.json()["state"], told.json()["result"]["code"]) == ("succeeded", "STOPPED")
        case "answer":
            told = site.ask("POST", f"{path}/answer", json={"question": 1, "answer": word})
        case _:
            told = site.ask("POST", f"{path}/amend", json={"text": word})
    assert told.status_code in (200, 202)
    assert site.sent[0][0] == "STOP", "the arm first"
    assert "start" not in [kind for kind, _ in site.sent]
    assert site.ask("GET", path).json()["state"] == "cancelling"
    assert site.ask("GET", f"/v1/commands/{waits['id']}").json()["result"]["code"] == "STOPPED"
    assert site.ask("GET", "/v1/robot").json()["state"] == "stopped"


def test_after_a_stop_nothing_moves_until_a_reset_with_a_reason(site: Any) -> None:
    site.ready()
    command = site.give("tidy up")
    assert site.ask("POST", "/v1/robot/stop").json() == {"stopped": True}
    refused = site.ask("POST", "/v1/commands", json={"instruction": "tidy up"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "ROBOT_STOPPED")
    early = site.ask("POST", "/v1/robot/reset", json={"reason": "all clear"})
    assert (early.status_code, early.json()["error"]["code"]) == (409, "STILL_ENDING")
    stopped = {"outcome": "stopped", "code": "STOPPED", "message": "stopped"}
    site.hear("finished", command=command["id"], result=stopped)
    assert site.ask("GET", f"/v1/commands/{command['id']}").json()["state"] == "aborted"
    assert site.ask("POST", "/v1/robot/reset", json={}).status_code == 422
    assert site.ask("POST", "/v1/robot/reset", json={"reason": "all clear"}).json()["latched"] is False
    assert site.sent[-1] == ("reset", {"reason": "all clear"})
    assert site.give("tidy up")["state"] == "executing"


def test_a_stop_by_another_door_is_noticed(site: Any) -> None:
    site.ready()
    command = site.give("tidy up")
    site.hear("robot", time_s=1.0, latched="stop request", stopped_s=5.0)
    assert site.ask("GET", "/v1/robot").json()["latch_reason"] == "stop request"
    assert site.ask("GET", f"/v1/commands/{command['id']}").json()["state"] == "cancelling"


def test_a_killed_server_comes_back_with_the_command_interrupted(make_site: Callable[[], Any]) -> None:
    site = make_site()
    site.ready()
    running, waiting = site.give("tidy up"), site.give("open the drawer")
    last = events(site)[-1]["seq"]
    again = make_site()
    for command in (running, waiting):
        told = again.ask("GET", f"/v1/commands/{command['id']}").json()
        assert (told["state"], told["result"]["outcome"]) == ("interrupted", "interrupted")
    again.ready()
    assert "start" not in [kind for kind, _ in again.sent], "nothing goes on by itself"
    assert all(e["seq"] > last for e in events(again, after=last))
    resumed = again.ask("POST", f"/v1/commands/{running['id']}/resume")
    assert (resumed.status_code, resumed.json()["resumes"]) == (202, running["id"])
    assert again.sent[-1][1]["instruction"] == "tidy up"


def test_what_a_mind_still_does_for_a_server_that_died_ends_first(site: Any) -> None:
    site.hear("hello", busy="c-00000000000000aa", pid=1, scene=None)
    command = site.give("tidy up")
    assert command["state"] == "accepted"
    site.hear("finished", command="c-00000000000000aa", result={"outcome": "interrupted"})
    assert site.ask("GET", f"/v1/commands/{command['id']}").json()["state"] == "executing"


def test_readers_resume_where_they_were(site: Any) -> None:
    site.ready()
    command = site.give("tidy up")
    every = events(site)
    for event in every:
        assert events(site, after=event["seq"]) == every[every.index(event) + 1 :]
    site.hear("told", command=command["id"], type="progress", data={"node": "a", "progress": 0.5})
    assert [e["type"] for e in events(site, after=every[-1]["seq"])] == ["progress"]


@pytest.mark.parametrize(
    ("model", "example"),
    [
        (schema.Command, examples.COMMAND),
        (schema.Commands, examples.COMMANDS),
        (schema.Robot, examples.ROBOT),
        (schema.SceneView, examples.SCENE),
        (schema.RunPage, examples.RUN),
        (schema.Runs, examples.RUNS),
        (schema.Replay, examples.REPLAY),
        (schema.ErrorAnswer, examples.ERROR),
    ],
)
def test_examples_are_what_the_server_says(model: Any, example: dict[str, Any]) -> None:
    said = model.model_validate(example).model_dump(mode="json")
    assert said.keys() == example.keys()


def test_the_document_has_an_example_for_every_endpoint(site: Any) -> None:
    document = site.ask("GET", "/v1/openapi.json").json()
    models = document["components"]["schemas"]

    def shown(content: dict[str, Any]) -> bool:
        named = content.get("application/json", {}).get("schema", {}).get("$ref", "").rsplit("/", 1)[-1]
        fields = models.get(named, {}).get("properties", {}).values()
        return (
            not named
            or "examples" in models[named]
            or any({"examples", "default", "const"} & f.keys() for f in fields)
        )

    for path, methods in document["paths"].items():
        for method, told in methods.items():
            assert told.get("description"), (method, path)
            assert shown(told.get("requestBody", {}).get("content", {})), (method, path)
            for status in ("200", "202", "429"):
                assert shown(told["responses"].get(status, {}).get("content", {})), (method, path, status)
