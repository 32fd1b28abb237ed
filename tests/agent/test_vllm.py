"""A real vLLM server that serves the project's own planner folder. Needs an environment with vLLM in it."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator

import httpx
import pytest

from agent.planner.embedded import EmbeddedPlanner
from agent.planner.language_model import FOLDER
from agent.planner.openai import OpenAIPlanner
from agent.planner.protocol import Plan
from skills.scene import PlaceRegion, Scene, SceneObject
from vla_low_level.nouns import Category, Colour, Place

PYTHON = os.environ.get("TANDEM_VLLM_PYTHON", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not PYTHON, reason="TANDEM_VLLM_PYTHON does not name a Python with vLLM"),
]
SAYINGS = (
    "clear the table",
    "put the red cup in the sink",
    "sort the cubes by colour",
    "put the banana in the bin",
)
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
        "--max-model-len": "512",
        "--structured-outputs-config.backend": "guidance",
        "--structured-outputs-config.disable_any_whitespace": "true",
    }
    flags = [word for pair in options.items() for word in pair]
    command = [PYTHON, "-m", "vllm.entrypoints.openai.api_server", "--enforce-eager", *flags]
    server = subprocess.Popen(command, env=os.environ | settings, start_new_session=True)
    try:
        for _ in range(500):
            time.sleep(1)
            if server.poll() is not None:
                pytest.fail(f"the server ended with status {server.returncode}")
            try:
                if httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200:
                    break
            except httpx.TransportError:
                continue
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


def test_a_plan_comes_through_a_real_server(url: str) -> None:
    plan = OpenAIPlanner(url, "planner").plan("put the red cup in the sink", SCENE, ())
    assert isinstance(plan, Plan)
    assert [n.id for n in plan.graph.nodes] == ["pick_red_cup_1", "place_red_cup_1"]


@pytest.mark.parametrize("said", SAYINGS)
def test_it_says_what_the_embedded_model_says(url: str, said: str) -> None:
    remote = OpenAIPlanner(url, "planner").plan(said, SCENE, ())
    local = EmbeddedPlanner().plan(said, SCENE, ())
    assert type(remote) is type(local)
    assert remote.chats[0].reply == local.chats[0].reply
