"""Other people's OpenTelemetry spans join a run, and other processes are told where they stand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from opentelemetry import trace as otel
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import StatusCode

from traces import names
from traces.context import trace_headers
from traces.errors import TandemError
from traces.reader import read_run
from traces.recorder import Recorder
from traces.run import SpanStatus
from traces.verify import verify


def other_tracer(recorder: Recorder) -> otel.Tracer:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(recorder.processor)
    return provider.get_tracer("somebody else")


def test_their_spans_stand_under_ours_and_ours_under_theirs(tmp_path: Path) -> None:
    with Recorder.open(tmp_path, {}) as recorder, recorder.span(names.COMMAND):
        with other_tracer(recorder).start_as_current_span("GET /v1/models", attributes={"a": 1}) as theirs:
            theirs.set_attribute("http.status_code", 200)
            theirs.add_event("first byte", {"n": 3})
            with recorder.span(names.PERCEIVE) as ours:
                ours.set(names.PERCEIVED_OBJECTS, 2)
        with recorder.span(names.PLAN):
            pass
    (root,) = read_run(tmp_path).roots
    theirs_read, plan = root.children
    assert (theirs_read.name, plan.name) == ("GET /v1/models", "plan")
    assert theirs_read.attributes == {"a": 1, "http.status_code": 200}
    assert [(log.name, log.attributes) for log in theirs_read.logs] == [("first byte", {"n": 3})]
    assert [child.name for child in theirs_read.children] == ["tandem.perceive"]
    assert verify(tmp_path).ok


def test_their_errors_and_odd_values_are_told(tmp_path: Path) -> None:
    with Recorder.open(tmp_path, {}) as recorder, recorder.span(names.COMMAND):
        with other_tracer(recorder).start_as_current_span("work") as theirs:
            theirs.set_attribute("bytes", b"\x00")
            theirs.set_status(StatusCode.ERROR, "no luck")
    (root,) = read_run(tmp_path).roots
    assert (root.children[0].status, root.children[0].message) == (SpanStatus.ERROR, "no luck")
    assert verify(tmp_path).ok


def test_what_does_not_belong_to_the_run_is_let_pass(tmp_path: Path) -> None:
    with Recorder.open(tmp_path, {}) as recorder:
        tracer = other_tracer(recorder)
        with tracer.start_as_current_span("before"):
            # A run inside of somebody's trace is a trace of its own.
            with recorder.span(names.COMMAND):
                with tracer.start_as_current_span("inside"):
                    pass
        with tracer.start_as_current_span("after"):
            pass
    (root,) = read_run(tmp_path).roots
    assert root.parent_id is None
    assert [child.name for child in root.children] == ["inside"]


def test_a_span_whose_parent_was_never_recorded_becomes_a_root(tmp_path: Path) -> None:
    with Recorder.open(tmp_path, {}) as recorder, recorder.span(names.COMMAND):
        unseen = TracerProvider(shutdown_on_exit=False).get_tracer("unseen")
        with unseen.start_as_current_span("not in the log"):
            with other_tracer(recorder).start_as_current_span("seen"):
                pass
    assert [span.name for span in read_run(tmp_path).roots] == [names.COMMAND, "seen"]
    assert verify(tmp_path).ok


def test_a_failing_disk_is_ours_to_raise_and_not_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder.open(tmp_path, {})

    def fail(*_: object) -> int:
        raise OSError(28, "no space")

    tracer = other_tracer(recorder)
    ours = recorder.span(names.COMMAND)
    ours.__enter__()
    monkeypatch.setattr(os, "write", fail)
    with tracer.start_as_current_span("theirs"):
        pass
    monkeypatch.undo()
    with pytest.raises(TandemError, match="STORE_FULL"):
        ours.set(names.OUTCOME, "succeeded")
    with pytest.raises(TandemError, match="STORE_FULL"):
        ours.__exit__(None, None, None)


def test_a_span_of_theirs_that_never_ends_is_lost(tmp_path: Path) -> None:
    with Recorder.open(tmp_path, {}) as recorder, recorder.span(names.COMMAND):
        other_tracer(recorder).start_span("hangs")
    (root,) = read_run(tmp_path).roots
    assert root.children[0].status is SpanStatus.LOST


def test_the_open_span_is_told_in_w3c_form(tmp_path: Path) -> None:
    assert trace_headers() == {}
    with Recorder.open(tmp_path, {}) as recorder, recorder.span(names.PLAN) as span:
        assert trace_headers()["traceparent"] == f"00-{span.ref.trace_id}-{span.ref.span_id}-01"
    assert trace_headers() == {}


def test_links_may_be_added_later(tmp_path: Path) -> None:
    with Recorder.open(tmp_path, {}) as recorder, recorder.span(names.COMMAND) as root:
        with recorder.span(names.EVALUATE) as judged:
            pass
        root.link(judged.ref, names.LinkKind.REASON)
    (read,) = read_run(tmp_path).roots
    assert [(link.target, link.kind) for link in read.links] == [(judged.ref, "reason")]


def test_a_fork_links_where_it_came_from(tmp_path: Path, small_run: Path) -> None:
    chunk = read_run(small_run).named(names.CHUNK)[1]
    with Recorder.open(tmp_path / "fork", {}, origin=chunk.ref) as recorder:
        with recorder.span(names.COMMAND), recorder.span(names.PLAN):
            pass
    (root,) = read_run(tmp_path / "fork").roots
    assert [(link.target, link.kind) for link in root.links] == [(chunk.ref, "forked_from")]
    assert root.children[0].links == ()
    assert verify(tmp_path / "fork").ok
