import os
import subprocess
import sys
from pathlib import Path

WITHOUT_TRUTH = """
import sys

class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name == "sim.truth":
            raise ImportError("the truth has been taken away")

sys.meta_path.insert(0, Forbidden())
"""


def test_a_run_works_with_the_truth_interface_removed(tmp_path: Path, scene_file: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_TRUTH)
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    taken = subprocess.run(
        [sys.executable, "-c", "import sim.truth"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "the truth has been taken away" in taken.stderr
    words = [
        "run",
        "put the red cube in the tray",
        "--scene",
        str(scene_file),
        "--record",
        str(tmp_path / "run"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
