"""Weights that are missing or damaged, seen from the command line."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("agent", "api", "replay", "sim", "skills", "traces", "vla_low_level")


def remove(path: Path) -> None:
    path.unlink()


def cut_short(path: Path) -> None:
    data = path.read_bytes()
    path.unlink()  # It is a hard link to the real one.
    path.write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("part", "harm", "code"),
    [("perception", cut_short, "WEIGHTS_DAMAGED"), ("planner", remove, "WEIGHTS_MISSING")],
)
def test_a_run_without_good_weights_ends_by_name(tmp_path: Path, part: str, harm, code: str) -> None:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, copy_function=os.link)
    for weights in (tmp_path / "agent" / part / "weights").glob("*.safetensors"):
        harm(weights)
    words = ["run", "clear the table", "--json", "--no-ask", "--record", str(tmp_path / "r")]
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    told = json.loads(done.stdout)
    assert (told["outcome"], told["code"], done.returncode) == ("failed", code, 1)
    assert str(tmp_path) in told["message"]
    assert told["fix"]
    assert told["chunks"] == 0
    assert "Traceback" not in done.stderr
