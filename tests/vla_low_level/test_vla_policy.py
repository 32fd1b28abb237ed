"""The generalist: what it takes, what it gives, and what it refuses."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from sim.demos.episode import Stage
from sim.demos.phrases import some_sentences
from sim.layout import resolve
from sim.scene import SceneSpec
from traces.errors import TandemError
from vla_low_level.policy import Instruction
from vla_low_level.vla.config import VLAConfig
from vla_low_level.vla.network import VLANetwork
from vla_low_level.vla.policy import VLAPolicy
from vla_low_level.vla.pretrained import SHIPPED, load_pretrained, save_pretrained

PICK = Instruction("pick up the red cup")


@pytest.fixture(scope="module")
def observation():
    stage = Stage(resolve(SceneSpec.load("one_of_each"), 5))
    yield stage.body.observe(("table", "wrist"))
    stage.close()


@pytest.fixture(scope="module")
def policy() -> VLAPolicy:
    return VLAPolicy.from_pretrained()


def test_a_chunk_and_what_a_monitor_needs_come_from_one_pass(policy, observation) -> None:
    policy.reset()
    output = policy.act(observation, PICK)
    assert output.chunk.actions.shape == (16, 7)
    assert output.chunk.actions.dtype == np.float32
    assert ((output.chunk.actions[:, 6] >= 0) & (output.chunk.actions[:, 6] <= 1)).all()
    assert output.chunk.observation_sequence == observation.sequence
    assert output.features["embedding"].shape == (384,)
    assert output.features["heatmap_entropy"].shape == (2,)
    assert output.features["chunk_spread"].shape == (7,)
    assert 0.0 <= output.progress <= 1.0


def test_the_same_seed_gives_the_same_chunks_and_another_gives_others(observation) -> None:
    def chunks(seed: int) -> list[bytes]:
        policy = VLAPolicy.from_pretrained(seed=seed)
        policy.reset()
        return [policy.act(observation, PICK).chunk.actions.tobytes() for _ in range(2)]

    assert chunks(3) == chunks(3) != chunks(4)
    assert len(set(chunks(3))) == 2


def test_words_change_what_is_done(policy, observation) -> None:
    policy.reset()
    targets = [
        policy.act(observation, Instruction(f"pick up the {said}")).features["target_m"]
        for said in ("red cup", "blue spoon")
    ]
    assert np.linalg.norm(targets[0] - targets[1]) > 0.05


def test_nothing_is_remembered_of_another_subgoal(policy, observation) -> None:
    policy.reset()
    first = policy.act(observation, PICK).features["target_m"]
    for told in (Instruction("pick up the blue spoon"), Instruction("pick up the blue spoon"), PICK):
        last = policy.act(observation, told).features["target_m"]
    np.testing.assert_array_equal(first, last)
    policy.reset()
    np.testing.assert_array_equal(first, policy.act(observation, PICK).features["target_m"])


def _code(policy, observation, text: str) -> str:
    with pytest.raises(TandemError) as caught:
        policy.act(observation, Instruction(text))
    return caught.value.code


@pytest.mark.parametrize(
    "text", ["", "   ", "xqzt blorp", "what is two plus two", "räum den Tisch ab", "你好", "pick up " * 5000]
)
def test_words_that_are_no_subgoal_are_refused(policy, observation, text) -> None:
    assert _code(policy, observation, text) == "SUBGOAL_UNCLEAR"


def test_what_it_was_trained_on_is_understood() -> None:
    policy = VLAPolicy.from_pretrained()
    for text in some_sentences(400, np.random.default_rng(0)):
        policy.told(text)


def test_a_missing_or_small_picture_is_refused(policy, observation) -> None:
    blind = replace(observation, images={"table": observation.images["table"]})
    assert _code(policy, blind, PICK.text) == "POLICY_INPUT"
    table = observation.images["table"]
    small = replace(table, rgb=table.rgb[:64].copy(), depth_m=table.depth_m[:64].copy())
    assert (
        _code(policy, replace(observation, images={**observation.images, "table": small}), PICK.text)
        == "POLICY_INPUT"
    )


def test_a_state_that_is_not_finite_is_refused(policy, observation) -> None:
    body = observation.proprioception
    broken = replace(body, target_position_m=np.array([np.nan, 0.0, 0.2]))
    assert _code(policy, replace(observation, proprioception=broken), PICK.text) == "POLICY_INPUT"


def test_an_arm_that_it_was_not_trained_on_is_refused() -> None:
    with pytest.raises(TandemError, match="ur5") as caught:
        VLAPolicy.from_pretrained(embodiment="ur5")
    assert caught.value.code == "ARM_UNKNOWN"


def test_a_picture_of_noise_or_nothing_still_gives_a_bounded_chunk(policy, observation) -> None:
    rng = np.random.default_rng(0)
    for make in (lambda s: np.zeros(s, np.uint8), lambda s: rng.integers(0, 256, s, dtype=np.uint8)):
        images = {k: replace(v, rgb=make(v.rgb.shape)) for k, v in observation.images.items()}
        actions = policy.act(replace(observation, images=images), PICK).chunk.actions
        assert np.isfinite(actions).all()


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    save_pretrained(tmp_path, VLANetwork(VLAConfig()), {})
    return tmp_path


def _load_code(folder) -> TandemError:
    with pytest.raises(TandemError) as caught:
        load_pretrained(folder)
    return caught.value


def test_weights_come_back_as_they_were_saved(folder) -> None:
    network, digest = load_pretrained(folder)
    torch.manual_seed(0)
    fresh = VLANetwork(VLAConfig()).state_dict()
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, fresh[name].half().float(), rtol=0, atol=0)
    assert len(digest) == 64


def test_a_truncated_file_is_named(folder) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    error = _load_code(folder)
    assert error.code == "WEIGHTS_DAMAGED"
    assert "model.safetensors" in error.message


def test_weights_of_another_architecture_are_named(folder) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"condition": 128}))
    error = _load_code(folder)
    assert error.code == "WEIGHTS_FOREIGN"
    assert "size mismatch" in error.message
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    assert "'llama'" in _load_code(folder).message


def test_a_pickle_is_not_opened(folder) -> None:
    (folder / "model.safetensors").unlink()

    # A pickle that opens a file for writing when it is loaded.
    trap = f"cbuiltins\nopen\n(V{folder / 'sprung'}\nVw\ntR."
    (folder / "pytorch_model.bin").write_bytes(trap.encode())
    error = _load_code(folder)
    assert error.code == "WEIGHTS_FOREIGN"
    assert not (folder / "sprung").exists()


def test_no_folder_is_no_policy(tmp_path) -> None:
    assert _load_code(tmp_path / "nowhere").code == "WEIGHTS_MISSING"


def test_the_shipped_weights_are_small() -> None:
    assert (SHIPPED / "model.safetensors").stat().st_size < 20e6
