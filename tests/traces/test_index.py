"""The list of runs, whatever lies about."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from traces import names
from traces.index import UNFINISHED, list_runs
from traces.recorder import Recorder


def test_runs_are_listed_latest_first(tmp_path: Path, make_run: Callable[[Path], Path]) -> None:
    before = time.time_ns()
    make_run(tmp_path / "a")
    recorder = Recorder.open(tmp_path / "b", {names.COMMAND_TEXT: "put the cup away"})
    unfinished, finished = list_runs(tmp_path)
    recorder.close()
    assert (unfinished.name, unfinished.command, unfinished.outcome) == ("b", "put the cup away", UNFINISHED)
    assert (unfinished.duration_s, unfinished.chunks) == (None, 0)
    assert (finished.name, finished.command, finished.outcome) == ("a", "clear the table", "succeeded")
    assert (finished.code, finished.duration_s, finished.chunks) == ("", 1.5, 2)
    assert finished.when is not None
    assert abs(finished.when.timestamp() - before / 1e9) < 60


def test_what_is_no_run_is_passed_over_and_what_is_broken_is_shown(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    for name, log, result in (("x", b"garbage", b"{"), ("y", b"", b"[1]"), ("z", b"\0" * 99, b"\xff" * 9)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "trace.wal").write_bytes(log)
        (tmp_path / name / "result.json").write_bytes(result)
    assert {(run.name, run.command, run.outcome, run.when) for run in list_runs(tmp_path)} == {
        (name, "", UNFINISHED, None) for name in "xyz"
    }
    assert list_runs(tmp_path / "nowhere") == []
