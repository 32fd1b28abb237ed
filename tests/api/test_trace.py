"""The commands around a recorded run, as a person uses them on a real one."""

import json
from pathlib import Path

import pytest

from api.assemble import jpeg_qualities
from traces.errors import TandemError


def test_any_chunk_is_explained(recorded: Path, tandem) -> None:
    told = tandem("trace", "why", recorded, "3").stdout
    for words in (
        "chunk",
        "execute_tool",
        "plan",
        "tandem.perceive",
        "put the red cube in the tray",
        "scores:",
    ):
        assert words in told
    unknown = tandem("trace", "why", recorded, "9999")
    assert unknown.returncode == 1
    assert "SPAN_UNKNOWN" in unknown.stderr


def test_a_run_does_not_differ_from_itself(recorded: Path, tandem) -> None:
    done = tandem("trace", "diff", recorded, recorded)
    assert (done.returncode, "the same" in done.stdout) == (0, True)


def test_runs_are_filtered(recorded: Path, tandem) -> None:
    lines = tandem("trace", "ls", recorded.parent, "--skill", "pick", "--json").stdout.splitlines()
    assert [json.loads(line)["outcome"] for line in lines] == ["succeeded"]
    assert tandem("trace", "ls", recorded.parent, "--outcome", "failed", "--json").stdout == ""


@pytest.mark.parametrize("form", ["html", "otlp-json", "mcap"])
def test_a_run_is_exported(recorded: Path, tandem, tmp_path: Path, form: str) -> None:
    target = tmp_path / "out"
    done = tandem("trace", "export", recorded, "--to", form, "--out", target)
    assert done.returncode == 0, done.stderr
    assert target.stat().st_size > 10_000


def test_every_decision_comes_out_the_same(recorded: Path, tandem) -> None:
    done = tandem("replay", recorded, "--level", "decisions")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "equal: all" in done.stdout


def test_a_run_goes_on_from_a_chunk(recorded: Path, tandem, tmp_path: Path) -> None:
    done = tandem("replay", recorded, "--from", "4", "--record", tmp_path / "fork")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the same physical state" in done.stdout
    assert tandem("trace", "verify", tmp_path / "fork").returncode == 0


def test_qualities_of_pictures() -> None:
    assert jpeg_qualities(["wrist=80", "table"]) == {"wrist": 80, "table": 90}
    for wrong in ("wrist=0", "wrist=high", "wrist=-5", "wrist=300"):
        with pytest.raises(TandemError, match="OPTION_INVALID"):
            jpeg_qualities([wrong])
