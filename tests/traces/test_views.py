"""A run in other forms: OTLP, OTLP/JSON, HTML, MCAP, each read back by somebody else's reader."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from google.protobuf.json_format import Parse
from mcap.reader import make_reader
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from traces import names
from traces.errors import TandemError
from traces.html import render, write_html
from traces.mcap_file import write_mcap
from traces.otlp import otlp_spans, send, write_json
from traces.reader import read_run
from traces.recorder import Recorder
from traces.run import Run

EVIL = '</script><script>alert(1)</script><img src="http://evil/x">'


@pytest.fixture
def killed(tmp_path: Path) -> Run:
    recorder = Recorder.open(tmp_path / "killed", {names.COMMAND_TEXT: EVIL})
    with recorder.span(names.COMMAND):
        facts = {names.REQUEST_MODEL: "m", names.CHAT_INPUT_REF: recorder.text("put the cup away")}
        with recorder.span(names.CHAT.format(model="m"), facts):
            pass
        with recorder.span(
            names.EVALUATE, {names.EVALUATION_NAME: "held(x)", names.EVALUATION_LABEL: "true"}
        ):
            pass
        told = {names.OVERHEAD_REF: recorder.image(np.zeros((8, 8, 3), np.uint8), "overhead")}
        with recorder.span(names.PERCEIVE, told):
            return read_run(tmp_path / "killed")


def test_otlp_json_is_what_protobuf_reads_but_for_its_ids(small_run: Path, tmp_path: Path) -> None:
    run = read_run(small_run)
    assert write_json(run, tmp_path / "run.jsonl") == 4
    (line,) = (tmp_path / "run.jsonl").read_text().splitlines()
    assert f'"traceId":"{run.trace_id}"' in line
    # Hexadecimal digits are also base64, so that the reader takes them; the rest must fit as it is.
    told = Parse(re.sub(r'"(traceId|spanId|parentSpanId)":"[0-9a-f]+"', r'"\1":""', line), TracesData())
    (spans,) = [scope.spans for scope in told.resource_spans[0].scope_spans]
    assert {span.name for span in spans} == {span.name for _, span in run.walk()}
    assert told.resource_spans[0].scope_spans[0].schema_url == names.SEMCONV_URL


def test_lost_spans_end_with_the_record_and_say_so(killed: Run) -> None:
    spans = {span.name: span for span in otlp_spans(killed)}
    root = spans[names.COMMAND]
    assert root.end_time == killed.last_ns
    assert root.attributes is not None
    assert root.attributes[names.LOST] is True
    assert not root.status.is_ok


def test_viewers_of_language_models_get_words_and_judgements(killed: Run) -> None:
    spans = {span.name: span for span in otlp_spans(killed)}
    chat = spans["chat m"].attributes or {}
    assert (chat[names.INPUT_VALUE], chat[names.MODEL_NAME]) == ("put the cup away", "m")
    (event,) = spans["tandem.evaluate"].events
    assert event.name == "gen_ai.evaluation.result"
    assert dict(event.attributes or {})[names.EVALUATION_LABEL] == "true"


def test_an_endpoint_that_is_not_there_is_named(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("traces.otlp.TIMEOUT_S", 1)
    with pytest.raises(TandemError, match="EXPORT_FAILED") as caught:
        send(read_run(small_run), "http://127.0.0.1:9")
    assert caught.value.fix


def test_the_page_holds_everything_and_loads_nothing(small_run: Path, tmp_path: Path) -> None:
    run = read_run(small_run)
    assert write_html(run, tmp_path / "run.html") == (tmp_path / "run.html").stat().st_size
    page = (tmp_path / "run.html").read_text()
    data = json.loads(re.search(r'<script id="run"[^>]*>(.*?)</script>', page, re.S).group(1))
    assert [span["name"] for span in data["spans"]] == [span.name for _, span in run.walk()]
    assert [len(frames) for frames in data["frames"].values()] == [1]
    assert all(image.startswith("data:image/jpeg;base64,") for image in data["images"].values())
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "default-src 'none'" in page


def test_a_record_cannot_get_into_the_page_as_code(killed: Run) -> None:
    page = render(killed)
    assert "<script>alert" not in page
    assert "<img" not in page
    assert page.count("<script") == 2


def test_mcap_is_read_back(small_run: Path, tmp_path: Path) -> None:
    run = read_run(small_run)
    count = write_mcap(run, tmp_path / "run.mcap")
    with (tmp_path / "run.mcap").open("rb") as file:
        messages = list(make_reader(file).iter_messages())
    assert len(messages) == count
    topics = {channel.topic for _, channel, _ in messages}
    assert topics == {"/camera/overhead", "/chunk", "/trace/spans", "/trace/logs"}
    assert {channel.metadata["trace_id"] for _, channel, _ in messages} == {run.trace_id}
    spans = [json.loads(m.data) for _, c, m in messages if c.topic == "/trace/spans"]
    assert {span["span_id"] for span in spans} == {span.ref.span_id for _, span in run.walk()}


def test_damaged_pictures_are_left_out(small_run: Path, tmp_path: Path) -> None:
    run = read_run(small_run)
    ref = run.named(names.PERCEIVE)[0].attributes[names.OVERHEAD_REF]
    (small_run / "blobs" / ref).write_bytes(b"no picture")
    assert '"images":{}' in render(run)
    assert write_mcap(run, tmp_path / "run.mcap") > 0
