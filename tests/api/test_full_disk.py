"""A disk that fills up in the middle of a run."""

import json
import resource
import subprocess
import sys
from pathlib import Path

# Far beyond what stands in the log before the first plan, well below a whole run.
LIMIT_BYTES = 40_000


def fill_up() -> None:
    """No file may grow beyond the limit: the same failed write as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, LIMIT_BYTES))


def test_the_arm_rests_and_the_command_fails_by_name(tandem, tmp_path: Path, scene_file: Path) -> None:
    words = ["run", "put the red cube in the tray", "--scene", str(scene_file), "--json", "--no-ask"]
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", *words, "--record", str(tmp_path / "r")],
        preexec_fn=fill_up,
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads(done.stdout)
    assert (told["outcome"], told["code"], done.returncode) == ("failed", "STORE_FULL", 1)
    assert told["fix"]
    assert "Traceback" not in done.stderr
    assert tandem("trace", "verify", tmp_path / "r").returncode == 0
