"""The quick pass and torch's say the same, whatever the weights; where they cannot, torch runs."""

import copy

import numpy as np
import pytest
import torch

from sim.demos.chain import draw_stage
from vla_low_level.policy import Instruction
from vla_low_level.vla.config import VLAConfig
from vla_low_level.vla.fast import DRAWS, Fast, fits
from vla_low_level.vla.forward import Forward
from vla_low_level.vla.network import Inputs, VLANetwork
from vla_low_level.vla.pointing import Pointed
from vla_low_level.vla.policy import VLAPolicy
from vla_low_level.vla.pretrained import SHIPPED, load_pretrained

TOLD = Instruction("pick up the red cup")


@pytest.fixture(scope="module")
def shipped() -> VLANetwork:
    return load_pretrained(SHIPPED)[0]


@pytest.fixture(scope="module")
def seen():
    stage, _ = draw_stage(9_400_003, "panda")
    yield stage.body.observe(VLAPolicy.cameras)
    stage.close()


def given(seed: int, config: VLAConfig) -> tuple[Inputs, torch.Tensor, torch.Tensor, Pointed]:
    torch.manual_seed(seed)
    camera = torch.tensor([[190.0, 190, 96.5, 63.5, 1, 0, 0, 0.95, 0, -1, 0, 0, 0, 0, -1, 1.1]])
    inputs = Inputs(
        torch.rand(1, 3, *config.table_px).contiguous(memory_format=torch.channels_last),
        torch.rand(1, 3, *config.wrist_px),
        0.3 + 0.1 * torch.randn(1, 15),
        0.05 * torch.randn(1, 384),
        camera,
        torch.tensor([seed % 3]),
    )
    pointed = Pointed(
        torch.tensor([[0.4, 0.1 * seed, 0.0]]), torch.tensor([0.03]), torch.tensor([seed % 2.0])
    )
    noise = torch.randn(1, DRAWS, config.horizon, 7)
    return inputs, noise, torch.rand(1, *config.heat_cells), pointed


def same(network: VLANetwork, seed: int) -> None:
    example = given(seed, network.config)
    with torch.inference_mode():
        slow, quick = Forward(network)(*example), Fast(network)(*example)
    for name, one, other in zip(slow._fields, slow, quick, strict=True):
        assert one.shape == other.shape, name
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3, msg=name)


@pytest.mark.parametrize("seed", range(3))
def test_the_shipped_policy_says_the_same(shipped, seed) -> None:
    same(shipped, seed)


def test_other_weights_and_statistics_of_the_same_architecture_do_too() -> None:
    torch.manual_seed(5)
    config = VLAConfig(state_mean=(0.1,) * 15, action_std=(0.5,) * 7)
    assert fits(config)
    same(VLANetwork(config).eval(), 1)


def test_another_architecture_runs_by_torch(shipped, seen) -> None:
    config = VLAConfig(horizon=8, condition=96)
    assert not fits(config)
    policy = VLAPolicy(VLANetwork(config).eval(), "other", "panda")
    policy.network.text_known.copy_(shipped.text_known)
    assert policy.act(seen, TOLD).chunk.actions.shape == (8, 7)


def test_weights_that_are_exchanged_are_the_ones_that_decide(shipped, seen) -> None:
    spoilt = copy.deepcopy(shipped)
    with torch.no_grad():
        for weight in spoilt.flow.parameters():
            weight.mul_(1.5)
    policy, clean = (VLAPolicy(shipped, "vla", "panda") for _ in range(2))
    policy.network = spoilt
    wrong = policy.act(seen, TOLD).chunk.actions
    right = clean.act(seen, TOLD).chunk.actions
    assert np.abs(wrong - right).max() > 1e-3
    assert policy._fast[spoilt] is not None
    policy.network, policy._chunks = shipped, 0
    np.testing.assert_array_equal(policy.act(seen, TOLD).chunk.actions, right)


def test_many_robots_in_one_pass_are_told_what_one_is(shipped, seen) -> None:
    one, many = (VLAPolicy(shipped, "vla", "panda") for _ in range(2))
    alone = one.act(seen, TOLD)
    together = many.act_batch([seen] * 3, [TOLD] * 3)[0]
    np.testing.assert_allclose(together.features["embedding"], alone.features["embedding"], atol=1e-3)
