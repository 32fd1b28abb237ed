"""A real vLLM server that serves the project's own planner folder. Needs an environment with vLLM in it."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator

import httpx
import pytest

from agent.planner.embedded import EmbeddedPlanner, LocalWriter
from agent.planner.generate import example
from agent.planner.language_model import FOLDER
from agent.planner.mentions import mark, spaced
from agent.planner.protocol import Plan
from agent.planner.served import ServedWriter
from scenarios.bench_served import compare, sentences
from skills.scene import PlaceRegion, Scene, SceneObject
from vla_low_level.nouns import Category, Colour, Place

PYTHON = os.environ.get("TANDEM_VLLM_PYTHON", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3000),
    pytest.mark.skipif(not PYTHON, reason="TANDEM_VLLM_PYTHON does not name a Python with vLLM"),
]
SCENE = Scene(
    objects=(
        SceneObject(id="red_cup_1", category=Category.CUP, colour=Colour.RED, position_m=(0.4, 0, 0)),
        SceneObject(id="blue_cube_1", category=Category.CUBE, colour=Colour.BLUE, position_m=(0.5, 0, 0)),
    ),
    places=tuple(PlaceRegion(place=p, centre_m=(0.4, -0.4, 0), half_extent_m=(0.1, 0.1)) for p in Place),
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "0",
    }
    options = {
        "--model": str(FOLDER),
        "--served-model-name": "planner",
        "--host": "127.0.0.1",
        "--port": str(port),
        "--dtype": "float32",
        "--max-model-len": "256",
        "--structured-outputs-config.backend": "guidance",
        "--structured-outputs-config.disable_any_whitespace": "true",
    }
    flags = [word for pair in options.items() for word in pair]
    command = [PYTHON, "-m", "vllm.entrypoints.openai.api_server", "--enforce-eager", *flags]
    server = subprocess.Popen(command, env=os.environ | settings, start_new_session=True)
    try:
        until_s = time.monotonic() + 1500
        while time.monotonic() < until_s:
            time.sleep(1)
            if server.poll() is not None:
                pytest.fail(f"the server ended with status {server.returncode}")
            try:
                if httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200:
                    break
            except httpx.TransportError:
                continue
        address = f"http://127.0.0.1:{port}/v1"
        # The first request compiles a kernel, which takes minutes on a busy machine.
        ServedWriter(address, "planner", deadline_s=1000).write(mark(spaced("clear the table")))
        yield address
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(30)


def test_a_plan_comes_through_a_real_server(url: str) -> None:
    plan = EmbeddedPlanner(writer=ServedWriter(url, "planner")).plan("put the red cup in the sink", SCENE, ())
    assert isinstance(plan, Plan)
    assert [n.id for n in plan.graph.nodes] == ["pick_red_cup_1", "place_red_cup_1"]


def test_it_says_what_the_embedded_model_says(url: str) -> None:
    """Greedy, float32: every hand-written line and a hundred generated ones.

    Probabilities differ a little: the server shares them among all tokens that could begin a piece.
    """
    local, remote = LocalWriter(FOLDER), ServedWriter(url, "planner", deadline_s=300)
    planner = EmbeddedPlanner(writer=local)
    said = [*sentences(planner), *(planner.marked(example(5, n).instruction) for n in range(100))]
    different, most = compare(local, remote, [marked for marked in said if local.fits(marked)])
    assert different == []
    assert most < 0.02
