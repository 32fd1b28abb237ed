"""The command line as a person uses it, on the real body, perception and planner."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from PIL import Image

from traces.reader import read_run
from traces.run import RecordedSpan, SpanStatus

COMMAND = ["-m", "api.cli"]


def spans(folder: Path) -> list[RecordedSpan]:
    return [span for _, span in read_run(folder).walk()]


def test_a_run_leaves_a_whole_folder(recorded: Path, tandem) -> None:
    names = {path.name for path in recorded.iterdir()}
    assert {"trace.wal", "blobs", "run.json", "result.json", "run.mp4", "contact_sheet.png"} <= names
    assert json.loads((recorded / "result.json").read_text())["outcome"] == "succeeded"
    with Image.open(recorded / "contact_sheet.png") as sheet:
        assert sheet.size[0] > 300
    verified = tandem("trace", "verify", recorded)
    assert verified.returncode == 0, verified.stdout
    assert "whole" in verified.stdout


def test_the_trace_has_the_tree_and_its_causes(recorded: Path) -> None:
    found = spans(recorded)
    first = {s.name.split(" ")[0] for s in found}
    assert {
        "invoke_workflow",
        "invoke_agent",
        "plan",
        "chat",
        "execute_tool",
        "chunk",
        "tandem.evaluate",
    } <= first
    perceived = {s.ref.span_id for s in found if s.name == "tandem.perceive"}
    policy_chunks = [s for s in found if s.name.startswith("chunk") and s.links]
    assert policy_chunks
    assert all({link.target.span_id for link in s.links} <= perceived for s in policy_chunks)


def test_the_physics_comes_out_the_same_in_another_process(recorded: Path, tandem) -> None:
    done = tandem("replay", recorded, "--level", "physics")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "equal" in done.stdout


def test_show_view_and_ls_tell_of_the_run(recorded: Path, tandem) -> None:
    assert "execute_tool" in tandem("trace", "show", recorded).stdout
    assert "execute_tool" in tandem("replay", recorded, "--level", "view").stdout
    assert "succeeded" in tandem("trace", "ls", recorded.parent).stdout


def test_a_folder_that_holds_a_run_is_not_written_over(recorded: Path, tandem, scene_file: Path) -> None:
    done = tandem("run", "clear the table", "--scene", scene_file, "--record", recorded)
    assert done.returncode == 1
    assert "RUN_EXISTS" in done.stderr


def test_a_plan_moves_nothing_and_says_what_would_be_done(tandem) -> None:
    done = tandem("plan", "put the red cup in the sink", "--scene", "two_red_cups", "--json")
    told = json.loads(done.stdout)
    assert told["decision"] == "question"
    assert len(told["options"]) == 2
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([""], "EMPTY_INSTRUCTION"),
        (["x" * 100_000], "INSTRUCTION_TOO_LONG"),
        (["clear \udcff\udcfe"], "BAD_TEXT"),
        (["clear the table", "--scene", "nowhere"], "SCENE_NOT_FOUND"),
        (["clear the table", "--planner", "magic"], "PLANNER_UNKNOWN"),
        (["clear the table", "--weights", "nowhere"], "WEIGHTS_MISSING"),
        (["clear the table", "--arm", "ur5"], "ARM_UNKNOWN"),
    ],
)
def test_bad_input_ends_in_one_json_object_with_code_and_fix(
    tandem, tmp_path: Path, words: list, code: str
) -> None:
    done = tandem("run", *words, "--json", "--record", tmp_path / "r")
    told = json.loads(done.stdout)
    assert (told["code"], done.returncode) == (code, 1)
    assert told["message"]
    assert told["fix"]
    assert "Traceback" not in done.stderr
    assert tandem("trace", "verify", tmp_path / "r").returncode == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["put the banana in the sink"], "UNKNOWN_OBJECT"),
        (["put the green plate in the sink"], "NO_SUCH_OBJECT"),
        (["put the cube in the tray", "--planner", "openai:http://127.0.0.1:9/v1#m"], "LLM_UNAVAILABLE"),
    ],
)
def test_what_cannot_be_planned_moves_nothing(
    tandem, tmp_path: Path, scene_file: Path, words: list, code: str
) -> None:
    folder = tmp_path / "r"
    done = tandem("run", *words, "--scene", scene_file, "--json", "--no-ask", "--record", folder)
    told = json.loads(done.stdout)
    assert (told["code"], told["chunks"], done.returncode) == (code, 0, 1)
    assert tandem("trace", "verify", folder).returncode == 0


def test_wrong_usage_is_2(tandem) -> None:
    assert tandem("run", "clear the table", "--policy", "best").returncode == 2
    assert tandem("fly").returncode == 2


def test_a_damaged_or_missing_trace_is_named(recorded: Path, tandem, tmp_path: Path) -> None:
    done = tandem("trace", "show", tmp_path)
    assert done.returncode == 1
    assert "RUN_NOT_FOUND" in done.stderr


def test_a_place_that_cannot_be_written_to_is_named(tandem) -> None:
    done = tandem("run", "clear the table", "--json", "--record", "/proc/tandem")
    assert json.loads(done.stdout)["code"].startswith("STORE_")


def begin(folder: Path, scene_file: Path) -> subprocess.Popen:
    import sys

    words = ["run", "put the red cube in the tray", "--scene", str(scene_file), "--record", str(folder)]
    process = subprocess.Popen(
        [sys.executable, *COMMAND, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        if (folder / "trace.wal").exists() and b"chunk 3" in (folder / "trace.wal").read_bytes():
            return process
        time.sleep(0.02)
    raise AssertionError("the run never came to its fourth chunk")


def test_ctrl_c_stops_the_arm_closes_the_trace_and_exits_130(
    tandem, tmp_path: Path, scene_file: Path
) -> None:
    process = begin(tmp_path / "r", scene_file)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in errors
    assert json.loads((tmp_path / "r" / "result.json").read_text())["outcome"] == "cancelled"
    assert not [s for s in spans(tmp_path / "r") if s.status is SpanStatus.LOST]


def test_after_kill_9_the_trace_is_whole_and_shows_what_was_open_as_lost(
    tandem, tmp_path: Path, scene_file: Path
) -> None:
    process = begin(tmp_path / "r", scene_file)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    verified = tandem("trace", "verify", tmp_path / "r")
    assert verified.returncode == 0, verified.stdout
    assert "lost: invoke_workflow command" in verified.stdout
