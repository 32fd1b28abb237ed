import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ONE_CUBE = "objects: [{category: cube, colour: red, position: [0.42, -0.15], yaw: 0.3}]\n"
Tandem = Callable[..., subprocess.CompletedProcess[str]]
COMMAND = [sys.executable, "-m", "api.cli"]


@pytest.fixture(scope="session")
def scene_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scene") / "one_cube.yaml"
    path.write_text(ONE_CUBE)
    return path


@pytest.fixture(scope="session")
def tandem() -> Tandem:
    def call(*words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *map(str, words)],
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    return call


@pytest.fixture(scope="session")
def recorded(tandem: Tandem, scene_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one real run: one cube, put into the tray."""
    folder = tmp_path_factory.mktemp("runs") / "one"
    done = tandem("run", "put the red cube in the tray", "--scene", scene_file, "--record", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder
