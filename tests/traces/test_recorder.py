"""What goes in comes out: spans, attributes, links, logs, blobs."""

from __future__ import annotations

import math
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from traces import bench, names
from traces.errors import TandemError
from traces.reader import read_run
from traces.recorder import Recorder
from traces.run import SpanStatus
from traces.storage import RESULT_FILE
from traces.verify import verify


def test_tree_links_logs_and_times_are_read_back(small_run: Path) -> None:
    run = read_run(small_run)
    (root,) = run.roots
    assert [span.name for span in root.children] == ["tandem.perceive", "chunk 0", "chunk 1"]
    perceive, first, _ = root.children
    assert [(link.target, link.kind) for link in first.links] == [(perceive.ref, "observed")]
    assert [log.attributes for log in first.logs] == [{names.GUARD_LIMIT: "ee_speed", names.GUARD_VALUE: 1.5}]
    assert run.attributes[names.COMMAND_TEXT] == "clear the table"
    assert root.attributes[names.OUTCOME] == "succeeded"
    assert run.closed
    for _, span in run.walk():
        assert span.end_ns is not None
        assert run.started_ns <= span.start_ns <= span.end_ns <= run.last_ns
    assert run.blobs.get_arrays(first.attributes[names.CHUNK_REF])["actions"].shape == (3, 7)
    assert [span.name for span in run.named(names.CHUNK)] == ["chunk 0", "chunk 1"]


class Colour(StrEnum):
    RED = "red"


VALUES = [
    (True, True),
    (3, 3),
    (-(1 << 63), -(1 << 63)),
    (1 << 70, str(1 << 70)),
    (0.1, 0.1),
    (np.float32(0.5), 0.5),
    (np.int64(4), 4),
    (np.bool_(True), True),
    (Colour.RED, "red"),
    (Path("a/b"), "a/b"),
    ("grün ☃ \n\x00 'q\"", "grün ☃ \n\x00 'q\""),
    (b"\xff".decode("utf-8", "surrogateescape"), "\\udcff"),
    ("x" * 20_000, "x" * 16_384 + "… [+3616 characters]"),
    ([1, 2], [1, 2]),
    ((1, 2.5), [1.0, 2.5]),
    ([], []),
    (np.arange(3), [0, 1, 2]),
    ([1, "a"], '[1,"a"]'),
    ({"b": 1, "a": math.inf}, '{"a":{"$float":"inf"},"b":1}'),
    (math.inf, math.inf),
]


@pytest.mark.parametrize(("given_value", "expected"), VALUES, ids=lambda value: repr(value)[:30])
def test_attribute_values_survive(tmp_path: Path, given_value: object, expected: object) -> None:
    with Recorder.open(tmp_path, {}) as recorder, recorder.span("s", {"early": given_value}) as span:
        span.set("late", given_value)
    (root,) = read_run(tmp_path).roots
    for key in ("early", "late"):
        assert root.attributes[key] == expected
        assert type(root.attributes[key]) is type(expected)


@settings(max_examples=60, deadline=None)
@given(value=st.text() | st.floats() | st.integers(-(1 << 63), (1 << 63) - 1) | st.booleans())
def test_any_scalar_survives(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    folder = tmp_path_factory.mktemp("run")
    with Recorder.open(folder, {}) as recorder, recorder.span("s") as span:
        span.set("value", value)
    read = read_run(folder).roots[0].attributes["value"]
    if isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
        assert isinstance(read, str)
    elif isinstance(value, float) and math.isnan(value):
        assert math.isnan(read)
    else:
        assert read == value


def test_none_is_not_set_and_objects_are_refused(tmp_path: Path) -> None:
    with Recorder.open(tmp_path, {}) as recorder, recorder.span("s", {"a": None}) as span:
        span.set("b", None)
        with pytest.raises(TypeError, match="blob"):
            span.set("c", object())
    assert not {"a", "b", "c"} & set(read_run(tmp_path).roots[0].attributes)


def test_an_exception_marks_its_spans_and_goes_on(tmp_path: Path) -> None:
    recorder = Recorder.open(tmp_path, {})
    with pytest.raises(TandemError, match="BODY_LOST"), recorder.span("outer"), recorder.span("inner"):
        raise TandemError("BODY_LOST", "the body does not answer")
    with pytest.raises(KeyboardInterrupt), recorder.span("stopped"):
        raise KeyboardInterrupt
    with pytest.raises(ZeroDivisionError), recorder.span("bug"):
        1 / 0  # noqa: B018
    recorder.close()
    outer, stopped, bug = read_run(tmp_path).roots
    assert [s.status for s in (outer, outer.children[0], stopped, bug)] == [SpanStatus.ERROR] * 4
    assert (outer.code, outer.children[0].message) == ("BODY_LOST", "the body does not answer")
    assert stopped.code == "INTERRUPTED"
    assert (bug.code, bug.message) == ("INTERNAL", "ZeroDivisionError: division by zero")


def test_the_first_failure_stays(tmp_path: Path) -> None:
    with Recorder.open(tmp_path, {}) as recorder, recorder.span("s") as span:
        span.fail("FIRST", "one")
        span.fail("SECOND", "two")
    (root,) = read_run(tmp_path).roots
    assert (root.status, root.code, root.message) == (SpanStatus.ERROR, "FIRST", "one")


def test_a_span_is_on_disk_before_its_work_begins(tmp_path: Path) -> None:
    recorder = Recorder.open(tmp_path, {})
    with recorder.span("outer"), recorder.span("inner", {"a": 1}) as inner:
        inner.set("b", 2)
        (outer,) = read_run(tmp_path).roots
        assert outer.status is SpanStatus.LOST
        assert outer.children[0].attributes == {"a": 1, "b": 2}
    recorder.close()


def test_a_run_is_never_overwritten(small_run: Path) -> None:
    before = (small_run / "trace.wal").read_bytes()
    with pytest.raises(TandemError, match="RUN_EXISTS"):
        Recorder.open(small_run, {})
    assert (small_run / "trace.wal").read_bytes() == before


def test_recorders_do_not_adopt_each_others_spans(tmp_path: Path) -> None:
    one, two = Recorder.open(tmp_path / "1", {}), Recorder.open(tmp_path / "2", {})
    with one.span("a"), two.span("b"), one.span("c"):
        pass
    for recorder in (one, two):
        recorder.close()
    assert [span.parent_id for span in read_run(tmp_path / "2").roots] == [None]
    assert verify(tmp_path / "1").ok
    assert one.trace_id != two.trace_id


def test_facts_about_the_run_can_be_added(tmp_path: Path) -> None:
    with Recorder.open(tmp_path, {names.SEED: 3}) as recorder:
        recorder.update({names.SCENE_REF: recorder.json({"objects": []}), names.EMBODIMENT: None})
    run = read_run(tmp_path)
    assert run.attributes[names.SEED] == 3
    assert run.blobs.get_json(run.attributes[names.SCENE_REF]) == {"objects": []}
    assert names.EMBODIMENT not in run.attributes


def test_log_goes_to_the_open_span_or_to_the_run(tmp_path: Path) -> None:
    with Recorder.open(tmp_path, {}) as recorder, recorder.span("a"), recorder.span("b"):
        recorder.log(names.BODY_HOLD, {names.REASON: "alarm"})
        stopper = threading.Thread(target=recorder.log, args=(names.BODY_STOP, {names.REASON: "button"}))
        stopper.start()
        stopper.join()
    run = read_run(tmp_path)
    (root,) = run.roots
    assert [log.name for log in root.children[0].logs] == [names.BODY_HOLD]
    assert [(log.name, log.attributes) for log in run.logs] == [(names.BODY_STOP, {names.REASON: "button"})]
    assert verify(tmp_path).ok


def test_equal_data_is_stored_once_and_named_by_its_content(tmp_path: Path) -> None:
    with Recorder.open(tmp_path, {}) as recorder:
        rgb = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
        assert recorder.image(rgb) == recorder.image(rgb.copy())
        assert recorder.arrays(a=rgb, b=rgb) == recorder.arrays(b=rgb, a=rgb)
        assert recorder.json({"a": 1, "b": [2.5]}) == recorder.json({"b": [2.5], "a": 1})
        text = recorder.text("hello")
    assert text == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    run = read_run(tmp_path)
    assert len(list(run.blobs.names())) == 4
    assert run.blobs.get(text) == b"hello"


def test_arrays_of_objects_are_refused(tmp_path: Path) -> None:
    with Recorder.open(tmp_path, {}) as recorder, pytest.raises(ValueError, match=r"[Oo]bject"):
        recorder.arrays(a=np.array([{}], dtype=object))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_SDK_DISABLED", "true"),
        ("OTEL_TRACES_SAMPLER", "always_off"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "0"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "2"),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "0"),
    ],
)
def test_the_environment_cannot_blind_the_recorder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_run: object, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert callable(make_run)
    folder = make_run(tmp_path / "run")
    (root,) = read_run(folder).roots
    assert root.children[1].attributes[names.CHUNK_ID] == 0
    assert len(root.children[1].links) == 1
    assert root.attributes[names.OUTCOME] == "succeeded"


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """Take the right to write away; root keeps it, so become somebody else."""
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    user = os.geteuid()
    if user == 0:
        os.chown(folder, 65534, 65534)
        for parent in folder.parents[:3]:
            parent.chmod(0o755)
        os.seteuid(65534)
    try:
        yield
    finally:
        if user == 0:
            os.seteuid(0)
        folder.chmod(0o700)


def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    with unwritable(folder), pytest.raises(TandemError, match="STORE_READ_ONLY") as caught:
        Recorder.open(folder / "run", {})
    assert caught.value.fix


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(TandemError, match=r"STORE_IO|RUN_EXISTS"):
        Recorder.open(tmp_path / "file" / "run", {})
    with pytest.raises(TandemError, match=r"STORE_IO|RUN_EXISTS"):
        Recorder.open(tmp_path / "file", {})


def test_close_is_idempotent_and_ends_recording(tmp_path: Path) -> None:
    recorder = Recorder.open(tmp_path, {})
    recorder.close()
    recorder.close()
    with pytest.raises(TandemError, match="TRACE_CLOSED"), recorder.span("late"):
        pytest.fail("work began unrecorded")
    with pytest.raises(TandemError, match="TRACE_CLOSED"):
        recorder.text("late")
    assert read_run(tmp_path).records == 2


def test_a_result_is_whole(tmp_path: Path) -> None:
    with Recorder.open(tmp_path, {}) as recorder:
        recorder.result({"outcome": "failed"})
        recorder.result({"outcome": "succeeded"})
    assert (tmp_path / RESULT_FILE).read_text() == '{"outcome":"succeeded"}\n'


def test_the_bench_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bench, "ROUNDS", 3)
    bench.hot_path()
    assert "us" in capsys.readouterr().out
