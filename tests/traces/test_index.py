"""The list of runs, whatever lies about."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from traces import names
from traces.index import INDEX_FILE, UNFINISHED, Filter, RunIndex, list_runs
from traces.reader import Salvage, salvage_run
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


def make_many(root: Path) -> None:
    for number, (outcome, skill, code) in enumerate(
        [("succeeded", "pick", ""), ("failed", "pick", "POLICY_CRASH"), ("failed", "press", "BODY_LOST")]
    ):
        facts = {
            names.COMMAND_TEXT: f"Do {number}",
            names.PLANNER_ID: f"embedded-{number}",
            names.SEED: number,
        }
        with Recorder.open(root / f"run-{number}", facts) as recorder:
            with recorder.span(names.SKILL.format(skill=skill), {names.TOOL_NAME: skill}) as span:
                with recorder.span(names.CHUNK.format(k=0), {names.POLICY_ID: "vla-[x]"}):
                    pass
                if code:
                    span.fail(code, "so it went")
            recorder.result({"outcome": outcome, "code": code, "wall_s": 1.0})


def found(root: Path, **wanted: object) -> set[str]:
    return {run.name for run in list_runs(root, Filter(**wanted))}  # type: ignore[arg-type]


def test_runs_are_found_by_what_is_known_of_them(tmp_path: Path) -> None:
    make_many(tmp_path)
    assert found(tmp_path, outcome="failed") == {"run-1", "run-2"}
    assert found(tmp_path, outcome="failed", skill="pick") == {"run-1"}
    assert found(tmp_path, code="BODY_LOST") == {"run-2"}
    assert found(tmp_path, policy="vla-[") == {"run-0", "run-1", "run-2"}
    assert found(tmp_path, planner="embedded-2", text="do") == {"run-2"}
    assert found(tmp_path, until=datetime(2020, 1, 1, tzinfo=UTC)) == set()
    assert len(found(tmp_path, since=datetime(2020, 1, 1, tzinfo=UTC))) == 3
    assert found(tmp_path, text="' OR 1=1 --") == set()
    assert [run.name for run in list_runs(tmp_path, limit=1)] == ["run-2"]
    with RunIndex(tmp_path) as index:
        (run,) = index.find(Filter(skill="press"))
        assert index.details(run).codes == ("BODY_LOST",)


def test_the_index_follows_the_folders(tmp_path: Path) -> None:
    make_many(tmp_path)
    going_on = Recorder.open(tmp_path / "run-3", {})
    assert {run.name: run.outcome for run in list_runs(tmp_path)}["run-3"] == UNFINISHED
    going_on.result({"outcome": "succeeded"})
    going_on.close()
    shutil.rmtree(tmp_path / "run-0")
    assert {run.name: run.outcome for run in list_runs(tmp_path)} == {
        "run-1": "failed",
        "run-2": "failed",
        "run-3": "succeeded",
    }


def test_a_run_that_ends_while_it_is_read_is_listed_with_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder.open(tmp_path / "a", {names.COMMAND_TEXT: "clear the table"})

    def ends_now(folder: Path) -> Salvage:
        recorder.result({"outcome": "succeeded", "wall_s": 2.0})
        recorder.close()
        return salvage_run(folder)

    monkeypatch.setattr("traces.summary.salvage_run", ends_now)
    list_runs(tmp_path)
    monkeypatch.undo()
    assert [(run.outcome, run.closed) for run in list_runs(tmp_path)] == [("succeeded", True)]


@pytest.mark.parametrize("data", [b"", b"no database at all" * 99])
def test_a_broken_index_is_made_again(tmp_path: Path, data: bytes) -> None:
    make_many(tmp_path)
    before = list_runs(tmp_path)
    for path in tmp_path.glob(f"{INDEX_FILE}*"):
        path.unlink()
    (tmp_path / INDEX_FILE).write_bytes(data)
    assert list_runs(tmp_path) == before
    with RunIndex(tmp_path) as index:
        index.rebuild()
        assert index.find() == before


WRITER = """
import sys
from pathlib import Path
from traces.index import RunIndex
for _ in range(5):
    with RunIndex(Path(sys.argv[1])) as index:
        index.rebuild()
        assert len(index.find()) in range(4), index.find()
"""


def test_two_processes_use_one_index(tmp_path: Path) -> None:
    make_many(tmp_path)
    both = [subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)]) for _ in range(2)]
    assert [process.wait(100) for process in both] == [0, 0]
    assert len(list_runs(tmp_path)) == 3
