"""One pass of the policy, from what it is given to chunks and doubts: what is run, and what is exported."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from vla_low_level.vla.flow import sample, schedule
from vla_low_level.vla.memory import remember
from vla_low_level.vla.network import Inputs, VLANetwork
from vla_low_level.vla.pointing import Pointed
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
        remembered: [B, h, w], where the target was taken to be, for the next look.
    """

    condition: Tensor
    target_m: Tensor
    done: Tensor
    unsure: Tensor
    chunks: Tensor
    strange: Tensor
    remembered: Tensor


class Forward(nn.Module):
    """Looks, decides, and draws chunks from noise."""

    def __init__(self, network: VLANetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, given: Inputs, noise: Tensor, remembered: Tensor, pointed: Pointed) -> Drawn:
        """One pass.

        Args:
            given: What the policy is given.
            noise: [B, D, H, 7], with the variance that the flow starts from.
            remembered: [B, h, w], of the look before; zeros at first.
            pointed: Where somebody points.
        """
        network, config = self.network, self.network.config
        seen = network.understand(given, remembered=remembered, pointed=pointed)
        told = schedule(network.flow, seen.condition, config.euler_steps)
        drawn = sample(network.flow, told, noise)
        end = drawn[:, 0]
        back = end - network.flow.velocity(end, told[-1])
        strange = back.square().mean((1, 2)) / max(config.noise, 1e-3) ** 2
        unsure = torch.stack([entropy(seen.table.heat), entropy(seen.wrist.heat)], 1)
        chunks = network.denormalise(drawn)
        after = remember(remembered, seen.chosen.cells, seen.chosen.scores)
        return Drawn(seen.condition, seen.target_m, seen.done, unsure, chunks, strange, after)
