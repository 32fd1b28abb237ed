"""One pass of the policy, from what it is given to chunks and doubts: what is run, and what is exported."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from vla_low_level.vla.flow import sample
from vla_low_level.vla.network import Inputs, VLANetwork
from vla_low_level.vla.vision import entropy


class Drawn(NamedTuple):
    """What a pass gives.

    Attributes:
        condition: [B, c], the embedding that a monitor watches.
        target_m: [B, 3], where the subgoal ends, world.
        done: [B], logit.
        unsure: [B, 2], entropy of the table's and the wrist's heat-map, nats.
        chunks: [B, D, H, 7], in their units; the first is carried out.
        strange: [B], mean square of where one Euler step from the first chunk back to the noise leads, in
            noise variances: the one-step form of logpZO (Xu et al. 2025, FAIL-Detect), on its own flow.
    """

    condition: Tensor
    target_m: Tensor
    done: Tensor
    unsure: Tensor
    chunks: Tensor
    strange: Tensor


class Forward(nn.Module):
    """Looks, decides, and draws chunks from noise."""

    def __init__(self, network: VLANetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, given: Inputs, noise: Tensor) -> Drawn:
        """One pass; `noise` is [B, D, H, 7], with the variance that the flow starts from."""
        network, config = self.network, self.network.config
        seen = network.understand(given)
        drawn = sample(network.flow, seen.condition, noise, config.euler_steps)
        end = drawn[:, 0]
        back = end - network.flow(end, torch.ones_like(seen.done), seen.condition)
        strange = back.square().mean((1, 2)) / max(config.noise, 1e-3) ** 2
        unsure = torch.stack([entropy(seen.table.heat), entropy(seen.wrist.heat)], 1)
        chunks = network.denormalise(drawn)
        return Drawn(seen.condition, seen.target_m, seen.done, unsure, chunks, strange)
