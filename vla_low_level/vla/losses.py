"""What the policy is trained on: chunks by flow matching; where, which way and whether by supervision."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from vla_low_level.vla.batches import Batch
from vla_low_level.vla.choice import choice_loss
from vla_low_level.vla.config import STRIDE
from vla_low_level.vla.flow import flow_loss
from vla_low_level.vla.network import VLANetwork

HEAT_SIGMA_CELLS = 0.8
POSITION_SCALE_M = 0.02
# Noise draws for every picture: the flow head is cheap beside the cameras.
DRAWS = 4
WEIGHTS = {
    "flow": 1.0,
    "table": 0.2,
    "wrist": 0.1,
    "choice": 0.1,
    "position": 0.5,
    "near": 0.5,
    "yaw": 0.3,
    "done": 0.2,
}


def losses(network: VLANetwork, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
    """Every loss by name; `WEIGHTS` says how they add up.

    Args:
        network: The policy's.
        batch: What to learn from.
        generator: Of noise and times, on the network's device.
    """
    seen = network.understand(batch.inputs, batch.look_px, batch.rough_m)
    chunk = network.normalise(batch.chunk).repeat(DRAWS, 1, 1)
    noise = network.config.noise * torch.randn(chunk.shape, generator=generator, device=chunk.device)
    # More draws near the noise, where the chunk is decided (pi-0's beta schedule).
    time = (
        1 - torch.rand(len(chunk), generator=generator, device=chunk.device).sqrt()
        if network.config.noise
        else torch.zeros(len(chunk), device=chunk.device)
    )
    return {
        "flow": flow_loss(
            network.flow,
            seen.condition.float().repeat(DRAWS, 1),
            chunk,
            noise,
            time,
        ),
        "table": heat_loss(seen.table.heat, batch.table_uv),
        "wrist": heat_loss(seen.wrist.heat, batch.wrist_uv),
        "choice": choice_loss(seen.chosen.scores, seen.chosen.places_px, batch.table_uv),
        "position": functional.smooth_l1_loss(
            seen.target_m / POSITION_SCALE_M, batch.target_m / POSITION_SCALE_M, beta=0.1
        ),
        "near": near_loss(seen.near_m, batch),
        "yaw": functional.mse_loss(seen.target_yaw, batch.target_yaw),
        "done": functional.binary_cross_entropy_with_logits(seen.done.float(), batch.done),
    }


def total(parts: dict[str, Tensor], weights: dict[str, float]) -> Tensor:
    """The weighted sum."""
    return torch.stack([weights[name] * value for name, value in parts.items()]).sum()


def near_loss(near_m: Tensor, batch: Batch) -> Tensor:
    """Of the target as the wrist camera has it, over pictures that show it."""
    side = torch.tensor(batch.inputs.wrist.shape[2:][::-1], device=near_m.device)
    inside = ((batch.wrist_uv >= 0) & (batch.wrist_uv < side)).all(1)
    off = functional.smooth_l1_loss(
        near_m / POSITION_SCALE_M, batch.target_m / POSITION_SCALE_M, beta=0.1, reduction="none"
    ).mean(1)
    mean: Tensor = (off * inside).sum() / inside.sum().clamp(min=1)
    return mean


def heat_loss(heat: Tensor, uv_px: Tensor) -> Tensor:
    """Cross-entropy against a Gaussian around the target, over pictures that show it.

    Args:
        heat: [B, h, w], logits.
        uv_px: [B, 2].
    """
    _, height, width = heat.shape
    cell = uv_px / STRIDE - 0.5
    rows = torch.arange(height, device=heat.device)
    columns = torch.arange(width, device=heat.device)
    off = (columns[None, None] - cell[:, 0, None, None]) ** 2 + (
        rows[None, :, None] - cell[:, 1, None, None]
    ) ** 2
    inside = (cell > -0.5).all(1) & (cell[:, 0] < width - 0.5) & (cell[:, 1] < height - 0.5)
    wanted = (-off.flatten(1) / (2 * HEAT_SIGMA_CELLS**2)).softmax(1)
    each = -(wanted * heat.flatten(1).log_softmax(1)).sum(1)
    mean: Tensor = (each * inside).sum() / inside.sum().clamp(min=1)
    return mean
