"""A person sees what happened, why, and what is missing."""

from __future__ import annotations

import re
from contextvars import copy_context
from pathlib import Path

import pytest
from rich.console import Console

from replay.view import view
from traces import names
from traces.errors import TandemError
from traces.recorder import Recorder


def _show(folder: Path) -> str:
    console = Console(width=200, no_color=True, force_terminal=False)
    with console.capture() as capture:
        view(folder, console)
    return capture.get()


def _record(folder: Path, *, die: bool = False) -> Path:
    recorder = Recorder.open(folder, {names.COMMAND_TEXT: "clear the [bold]table"})
    root = recorder.span(names.COMMAND)
    root.__enter__()
    with recorder.span(names.PERCEIVE) as seen:
        seen.set(names.PERCEIVED_OBJECTS, 5)
    with recorder.span(names.SKILL.format(skill="pick"), {names.SKILL_SUBGOAL: "pick the red cup"}) as skill:
        for k in range(9):
            links = [(seen.ref, names.LinkKind.OBSERVED)]
            with recorder.span(names.CHUNK.format(k=k), {names.GUARD_DECISION: "pass"}, links) as chunk:
                chunk.set(names.CHUNK_ROWS_EXECUTED, 4)
                if k == 6:
                    chunk.set(names.GUARD_DECISION, "clamp")
                    chunk.log(names.GUARD_EVENT, {names.GUARD_LIMIT: "ee_speed"})
        skill.fail("SKILL_FAILED", "the cup is still\nthere")
    if not die:
        root.__exit__(None, None, None)
        recorder.close()
    return folder


def _killed(folder: Path) -> Path:
    """A run that never ended; what stays open in its own context is not open for others."""
    return copy_context().run(_record, folder, die=True)


def test_the_timeline_tells_results_and_causes(tmp_path: Path) -> None:
    text = _show(_record(tmp_path / "run"))
    assert "clear the [bold]table" in text
    assert re.search(r"✓ tandem.perceive [0-9a-f]{6} #1", text)
    assert "5" in text
    assert "SKILL_FAILED: the cup is still there" in text
    assert "pick the red cup" in text
    assert "tandem.guard" in text
    assert "guard.limit=ee_speed" in text
    chunk_6 = next(line for line in text.splitlines() if "chunk 6" in line)
    assert "← observed #1" in chunk_6
    assert "clamp" in chunk_6
    assert "killed" not in text


def test_calm_chunks_are_told_in_one_line(tmp_path: Path) -> None:
    text = _show(_record(tmp_path / "run"))
    assert "chunk 0 … 5  6 chunks, 24 rows, all passed the guard" in text
    assert "chunk 3" not in text


def test_a_killed_run_says_so(tmp_path: Path) -> None:
    text = _show(_killed(tmp_path / "run"))
    assert re.search(r"\? invoke_workflow command [0-9a-f]{6}  lost", text)
    assert "killed" in text


def test_damage_is_shown_after_what_is_good(tmp_path: Path) -> None:
    folder = _record(tmp_path / "run")
    log = folder / "trace.wal"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:5], b"x", *lines[5:]]))
    text = _show(folder)
    assert "tandem.perceive" in text
    assert "damaged: record 5" in text


def test_viewing_changes_nothing(tmp_path: Path) -> None:
    folder = _killed(tmp_path / "run")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    _show(folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_nothing_to_view(tmp_path: Path) -> None:
    with pytest.raises(TandemError, match="RUN_NOT_FOUND"):
        _show(tmp_path)


def test_escape_sequences_of_a_foreign_trace_do_not_reach_the_terminal(tmp_path: Path) -> None:
    recorder = Recorder.open(tmp_path / "run", {names.COMMAND_TEXT: "\x1b[2Jhello"})
    with recorder, recorder.span("evil\x1b]0;x\x07") as span:
        span.log("bad\x1b[31m", {"\x1b[2J": "\x1b[2J"})
        span.fail("\x1b[2J", "\x1b[2J")
    assert "\x1b" not in _show(tmp_path / "run")
