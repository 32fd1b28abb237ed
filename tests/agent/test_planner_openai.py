"""The endpoint is a real HTTP server in this process; only what it says is made up."""

import base64
import gzip
import io
import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from agent.planner.breaker import Breaker
from agent.planner.choose import make_planner
from agent.planner.logical_form import LogicalForm
from agent.planner.openai import OpenAIPlanner
from agent.planner.prediction_set import Threshold
from agent.planner.protocol import Plan, Question, Watching
from agent.sight import shown_to
from skills.scene import PlaceRegion, Scene, SceneObject
from traces.errors import TandemError
from vla_low_level.nouns import Category, Colour, Place

STEP = {"do": "put", "what": [{"kind": "cup", "hue": "red"}], "to": "sink"}
GOOD = LogicalForm.model_validate({"steps": [STEP]}, strict=False).text()
SCENE = Scene(
    objects=(SceneObject(id="red_cup_1", category=Category.CUP, colour=Colour.RED, position_m=(0.4, 0, 0)),),
    places=(PlaceRegion(place=Place.SINK, centre_m=(0.4, -0.4, 0), half_extent_m=(0.1, 0.1)),),
)
OTHER = SceneObject(id="blue_cup_1", category=Category.CUP, colour=Colour.BLUE, position_m=(0.5, 0, 0))
Answer = Callable[[BaseHTTPRequestHandler], None]


class Endpoint:
    """Gives the next of its answers to each request, the last one for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.requests: list[dict] = []
        self.headers: list[dict] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append(json.loads(body))
                outer.headers.append(dict(self.headers))
                answers[min(len(outer.requests), len(answers)) - 1](self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def serve() -> Iterator[Callable[..., Endpoint]]:
    made: list[Endpoint] = []

    def start(*answers: Answer) -> Endpoint:
        made.append(Endpoint(*answers))
        return made[-1]

    yield start
    for endpoint in made:
        endpoint.server.shutdown()
        endpoint.server.server_close()


def raw(status: int, body: bytes, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def says(content: str, finish: str = "stop", sure: float | None = 0.99) -> Answer:
    return says_all([(content, sure)], finish)


def says_all(contents: list[tuple[str, float | None]], finish: str = "stop") -> Answer:
    """Several choices with their probabilities; None where the endpoint gives none."""
    choices = [
        {
            "message": {"content": content},
            "finish_reason": finish,
            "logprobs": sure and {"content": [{"token": content, "logprob": math.log(sure)}]},
        }
        for content, sure in contents
    ]
    return raw(200, json.dumps({"choices": choices}).encode())


def drip(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    try:
        for _ in range(400):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.02)
    except OSError:
        pass


def drip_headers(handler: BaseHTTPRequestHandler) -> None:
    try:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        for _ in range(400):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.02)
    except OSError:
        pass


def plan(endpoint: Endpoint, deadline_s: float = 10.0) -> object:
    return OpenAIPlanner(endpoint.url, "m", deadline_s=deadline_s).plan(
        "put the red cup in the sink", SCENE, ()
    )


def test_a_good_reply_becomes_a_plan_and_the_request_is_what_servers_expect(serve, monkeypatch) -> None:
    monkeypatch.setenv("TANDEM_API_KEY", "secret")
    endpoint = serve(says(GOOD))
    result = plan(endpoint)
    assert isinstance(result, Plan)
    assert [n.id for n in result.graph.nodes] == ["pick_red_cup_1", "place_red_cup_1"]
    sent = endpoint.requests[0]
    assert sent["response_format"]["type"] == "json_schema"
    assert sent["messages"][-1] == {"role": "user", "content": "put the red cup in the sink"}
    assert endpoint.headers[0]["Authorization"] == "Bearer secret"
    assert "secret" not in repr(result.chats)


@pytest.mark.parametrize(
    ("answers", "code", "requests"),
    [
        ([raw(401, b"{}")], "LLM_AUTH", 1),
        ([raw(500, b"oops")], "LLM_UNAVAILABLE", 3),
        ([raw(429, b"busy")], "LLM_UNAVAILABLE", 3),
        ([raw(404, b"no such model")], "LLM_BAD_RESPONSE", 1),
        ([raw(302, b"", Location="http://127.0.0.1:1/")], "LLM_BAD_RESPONSE", 1),
        ([raw(200, b"<html>")], "LLM_BAD_RESPONSE", 1),
        ([raw(200, b'{"choices": []}')], "LLM_BAD_RESPONSE", 1),
        ([raw(200, b"[" * 5000)], "LLM_BAD_RESPONSE", 1),
        ([raw(200, b" " * 200_000)], "LLM_BAD_RESPONSE", 1),
        ([raw(200, gzip.compress(bytes(10_000_000)), Content_Encoding="gzip")], "LLM_BAD_RESPONSE", 1),
        ([raw(200, b"hello", Content_Encoding="gzip")], "LLM_BAD_RESPONSE", 1),
        ([raw(429, b"busy", Retry_After="60")], "LLM_UNAVAILABLE", 1),
        ([says(GOOD[:40], "length")], "PLAN_INVALID", 2),
        ([says(GOOD, "abort")], "LLM_BAD_RESPONSE", 1),
        ([says(GOOD[:40])], "PLAN_INVALID", 2),
        ([says(GOOD + " " * 300)], "LLM_BAD_RESPONSE", 1),
        ([says('{"steps":[{"do":"explode"}]}')], "PLAN_INVALID", 2),
        ([says('{"steps":[{"do":"press","force":1e308}]}')], "PLAN_INVALID", 2),
        ([says('{"steps":[]}')], "PLAN_INVALID", 2),
    ],
)
def test_whatever_else_it_says_is_named(serve, answers: list[Answer], code: str, requests: int) -> None:
    endpoint = serve(*answers)
    with pytest.raises(TandemError) as caught:
        plan(endpoint)
    assert caught.value.code == code
    assert caught.value.fix
    assert len(endpoint.requests) == requests


def test_a_server_that_recovers_is_asked_again(serve) -> None:
    assert isinstance(plan(serve(raw(503, b"warming up"), says(GOOD))), Plan)


def test_an_invalid_plan_may_be_repaired_once_with_the_reason(serve) -> None:
    endpoint = serve(says('{"steps":[]}'), says(GOOD))
    assert isinstance(plan(endpoint), Plan)
    assert "steps" in endpoint.requests[1]["messages"][-1]["content"]


@pytest.mark.parametrize("how", [drip, drip_headers])
def test_dripping_meets_the_deadline(serve, how: Answer) -> None:
    began = time.monotonic()
    with pytest.raises(TandemError) as caught:
        plan(serve(how), deadline_s=0.6)
    assert caught.value.code == "LLM_TIMEOUT"
    assert time.monotonic() - began < 5.0


def test_nobody_there_is_unavailable() -> None:
    with pytest.raises(TandemError) as caught:
        OpenAIPlanner("http://127.0.0.1:9/v1", "m", deadline_s=3.0).plan("clear the table", SCENE, ())
    assert caught.value.code == "LLM_UNAVAILABLE"


def test_a_key_is_in_no_error_whatever_the_endpoint_repeats(serve, monkeypatch) -> None:
    monkeypatch.setenv("TANDEM_API_KEY", "sk-secret")
    with pytest.raises(TandemError) as caught:
        plan(serve(raw(400, b"bad request, key sk-secret")))
    assert "sk-secret" not in str(caught.value)


def test_a_key_that_cannot_be_sent_is_named_but_not_told(serve, monkeypatch) -> None:
    monkeypatch.setenv("TANDEM_API_KEY", "sk-secret\nX-Other: 1")
    endpoint = serve(says(GOOD))
    with pytest.raises(TandemError) as caught:
        plan(endpoint)
    assert caught.value.code == "LLM_AUTH"
    assert "sk-secret" not in str(caught.value)
    assert not endpoint.requests


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(TandemError) as caught:
        OpenAIPlanner("http://me:hunter2@localhost/v1", "m")
    assert caught.value.code == "PLANNER_UNKNOWN"
    assert "hunter2" not in str(caught.value)


BAD_ADDRESSES = [
    "",
    "ftp://x/v1",
    "not a url",
    "http://",
    "http://x\x00/v1",
    "http://[",
    "http://x:99999999/v1",
]


@pytest.mark.parametrize("url", BAD_ADDRESSES)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(TandemError) as caught:
        OpenAIPlanner(url, "m")
    assert caught.value.code == "PLANNER_UNKNOWN"


def test_scene_text_travels_as_quoted_data(serve) -> None:
    endpoint = serve(says(GOOD))
    plan(endpoint)
    told = endpoint.requests[0]["messages"][1]["content"]
    assert json.loads(told.removeprefix("Scene (data): "))["objects"] == [{"is": "red cup", "in": "table"}]


def test_a_plan_that_cannot_work_goes_back_with_the_verifiers_words(serve) -> None:
    pick = LogicalForm.model_validate({"steps": [{"do": "pick", "what": [{}]}]}, strict=False).text()
    held = SCENE.model_copy(update={"held": "red_cup_1", "objects": (*SCENE.objects, OTHER)})
    endpoint = serve(says(pick.replace("[{}]", '[{"hue":"blue"}]')), says(GOOD))
    result = OpenAIPlanner(endpoint.url, "m").plan("put the red cup in the sink", held, ())
    assert isinstance(result, Plan)
    assert "hand_empty" in endpoint.requests[1]["messages"][-1]["content"]
    assert len(result.chats) == 2


def test_an_endpoint_that_keeps_failing_is_left_alone_for_a_while(serve) -> None:
    endpoint = serve(raw(429, b"busy", Retry_After="60"))
    planner = OpenAIPlanner(endpoint.url, "m", deadline_s=2.0)
    for _ in range(8):
        with pytest.raises(TandemError) as caught:
            planner.plan("put the red cup in the sink", SCENE, ())
        assert caught.value.code == "LLM_UNAVAILABLE"
    assert len(endpoint.requests) == 5


def test_the_breaker_lets_one_call_through_after_its_rest_and_closes_again() -> None:
    now = [0.0]
    breaker = Breaker(clock=lambda: now[0])
    for _ in range(5):
        breaker.admit()
        breaker.failed()
    with pytest.raises(TandemError):
        breaker.admit()
    now[0] = 31.0
    breaker.admit()
    with pytest.raises(TandemError):
        breaker.admit()
    breaker.succeeded()
    breaker.admit()


def test_a_model_that_takes_images_gets_the_frame_beside_the_scene(serve) -> None:
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[:, 32:] = (200, 30, 30)
    endpoint = serve(says(GOOD))
    planner = make_planner(f"openai+camera:{endpoint.url}#m")
    assert isinstance(planner, Watching)
    look = shown_to(planner, lambda _observation, _before, _held: SCENE)
    image = SimpleNamespace(rgb=frame)
    seen = look(SimpleNamespace(images={"overhead": image}), None, None)
    assert isinstance(planner.plan("put the red cup in the sink", seen, ()), Plan)
    text, picture = endpoint.requests[0]["messages"][1]["content"]
    assert text["text"].startswith("Scene (data): ")
    kind, _, data = picture["image_url"]["url"].partition(",")
    assert (picture["type"], kind) == ("image_url", "data:image/jpeg;base64")
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    assert shown.shape == frame.shape
    assert abs(shown.astype(int) - frame).mean() < 4


def test_others_get_no_picture(serve) -> None:
    endpoint = serve(says(GOOD))
    planner = make_planner(f"openai:{endpoint.url}#m")
    assert isinstance(planner, Watching)
    planner.see(np.zeros((48, 64, 3), np.uint8))
    planner.plan("put the red cup in the sink", SCENE, ())
    assert isinstance(endpoint.requests[0]["messages"][1]["content"], str)


def test_the_examples_shown_are_those_most_like_the_instruction(serve) -> None:
    endpoint = serve(says(GOOD))
    OpenAIPlanner(endpoint.url, "m").plan("swap the cup and the bottle", SCENE, ())
    assert '"do":"swap"' in endpoint.requests[0]["messages"][0]["content"]


BLUE = GOOD.replace("red", "blue")
BOTH = SCENE.model_copy(update={"objects": (*SCENE.objects, OTHER)})


def told(endpoint: Endpoint) -> object:
    threshold = Threshold(0.4, "chosen by hand", calibrated=False)
    planner = OpenAIPlanner(endpoint.url, "m", deadline_s=100.0, threshold=threshold)
    return planner.plan("put the cup in the sink", BOTH, ())


def test_a_reply_that_is_sure_costs_one_request(serve) -> None:
    endpoint = serve(says(GOOD, sure=0.95))
    assert isinstance(told(endpoint), Plan)
    assert len(endpoint.requests) == 1
    assert endpoint.requests[0]["logprobs"] is True


def test_one_that_is_not_sure_is_compared_with_others_by_their_log_probabilities(serve) -> None:
    endpoint = serve(says(GOOD, sure=0.5), says_all([(GOOD, 0.5)] * 9 + [(BLUE, 0.45)]))
    question = told(endpoint)
    assert isinstance(question, Question)
    assert question.options == ("put the red cup in the sink", "put the blue cup in the sink")
    assert endpoint.requests[1]["n"] == 10
    assert len(question.chats) == 11
    surer = serve(says(GOOD, sure=0.5), says_all([(GOOD, 0.5)] * 5 + [(BLUE, 0.3)] * 5))
    assert isinstance(told(surer), Plan)


def test_without_log_probabilities_ten_samples_are_counted_however_they_come(serve) -> None:
    blue, red = says(BLUE, sure=None), says(GOOD, sure=None)
    endpoint = serve(red, *[red] * 5, *[blue] * 5)
    question = told(endpoint)
    assert isinstance(question, Question)
    assert [c.probability for c in question.among.candidates] == [0.5, 0.5]
    assert len(endpoint.requests) == 11
    assert [r["seed"] for r in endpoint.requests[1:]] == list(range(10))
    assert isinstance(told(serve(red, says_all([(GOOD, None)] * 9 + [(BLUE, None)]))), Plan)


def test_samples_that_are_no_plan_are_a_reason_to_ask(serve) -> None:
    question = told(serve(says(GOOD, sure=None), says_all([(GOOD, None)] * 4 + [("{", None)] * 6)))
    assert isinstance(question, Question)
    assert question.options == ("put the red cup in the sink",)


def test_a_server_that_does_not_know_log_probabilities_or_many_choices_is_asked_without(serve) -> None:
    def picky(handler: BaseHTTPRequestHandler) -> None:
        sent = endpoint.requests[-1]
        if "logprobs" in sent:
            raw(400, b"logprobs is not supported")(handler)
        elif sent.get("n", 1) > 1:
            raw(400, b"only one completion choice is allowed")(handler)
        else:
            says(GOOD, sure=None)(handler)

    endpoint = serve(picky)
    assert isinstance(told(endpoint), Plan)
    assert len(endpoint.requests) == 1 + 1 + 1 + 10


@pytest.mark.parametrize("logprob", ["NaN", "5.0", "null", '"x"', "1e999"])
def test_log_probabilities_that_are_none_are_not_believed(serve, logprob: str) -> None:
    message = json.dumps({"content": GOOD})
    content = f'{{"content": [{{"token": "x", "logprob": {logprob}}}]}}'
    body = f'{{"choices": [{{"message": {message}, "finish_reason": "stop", "logprobs": {content}}}]}}'
    endpoint = serve(raw(200, body.encode()))
    assert isinstance(told(endpoint), Plan)
    assert len(endpoint.requests) == 11
