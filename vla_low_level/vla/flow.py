"""Flow matching over chunks (Lipman et al. 2023; the formulation of pi-0, Black et al. 2024).

A chunk x1 is reached from noise x0 along x_t = (1 - t) x0 + t x1; the network learns the velocity x1 - x0.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

TIME_DIM = 32


class _Block(nn.Module):
    """An MLP around a skip, with adaptive layer norm (Peebles & Xie 2023)."""

    def __init__(self, width: int, condition: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.adapt = nn.Linear(condition, 3 * width)
        self.first = nn.Linear(width, 2 * width)
        self.second = nn.Linear(2 * width, width)
        nn.init.zeros_(self.adapt.weight)
        nn.init.zeros_(self.adapt.bias)

    def forward(self, x: Tensor, adapted: Tensor) -> Tensor:
        """`adapted` is what `adapt` makes of the condition."""
        scale, shift, gate = adapted.chunk(3, -1)
        hidden = self.norm(x) * (1 + scale) + shift
        out: Tensor = x + gate * self.second(functional.silu(self.first(hidden)))
        return out


class FlowHead(nn.Module):
    """Velocity of a chunk given time and a condition."""

    def __init__(self, horizon: int, action_dim: int, condition: int, blocks: int) -> None:
        super().__init__()
        self.shape = (horizon, action_dim)
        size = horizon * action_dim
        self.into = nn.Linear(size, condition)
        self.time = nn.Linear(TIME_DIM, condition)
        self.blocks = nn.ModuleList([_Block(condition, condition) for _ in range(blocks)])
        self.norm = nn.LayerNorm(condition)
        self.out = nn.Linear(condition, size)

    def forward(self, chunk: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        """Chunks [B, H, A], times [B] in 0..1, condition [B, c]; velocities [B, H, A]."""
        return self.velocity(chunk, self.adapted(time, condition))

    def adapted(self, time: Tensor, condition: Tensor) -> list[Tensor]:
        """What each block makes of times [B] and conditions [B, c]; the same for every chunk."""
        told = functional.silu(condition + self.time(_waves(time)))
        return [cast(_Block, block).adapt(told) for block in self.blocks]

    def velocity(self, chunk: Tensor, adapted: list[Tensor]) -> Tensor:
        """Velocities [..., H, A] of chunks [..., H, A]; `adapted` is broadcast to them."""
        x = self.into(chunk.flatten(-2))
        for block, told in zip(self.blocks, adapted, strict=True):
            x = block(x, told)
        out: Tensor = self.out(self.norm(x)).view_as(chunk)
        return out


def _waves(time: Tensor) -> Tensor:
    """Sines and cosines of a time in 0..1, [B, TIME_DIM]."""
    frequencies = torch.exp(torch.linspace(0.0, math.log(200.0), TIME_DIM // 2, device=time.device))
    angles = time[:, None] * frequencies[None]
    return torch.cat([angles.sin(), angles.cos()], 1)


def schedule(head: FlowHead, condition: Tensor, steps: int) -> list[list[Tensor]]:
    """What time and conditions [B, c] do to the network at each of `steps` + 1 times from 0 to 1.

    Worked out at once: it is the same for every chunk that is drawn, and reads most of the weights.
    """
    times = torch.arange(steps + 1, device=condition.device).repeat_interleave(len(condition)) / steps
    adapted = head.adapted(times, condition.repeat(steps + 1, 1))
    return [list(told) for told in zip(*(part.chunk(steps + 1) for part in adapted), strict=True)]


def sample(head: FlowHead, told: list[list[Tensor]], noise: Tensor) -> Tensor:
    """Chunks [B, D, H, A], D for each condition of a `schedule`, from noise, by Euler's method."""
    chunk, steps = noise, len(told) - 1
    for now in told[:-1]:
        chunk = chunk + head.velocity(chunk, [part[:, None] for part in now]) / steps
    return chunk


def flow_loss(head: FlowHead, condition: Tensor, chunk: Tensor, noise: Tensor, time: Tensor) -> Tensor:
    """Mean squared error of the velocity.

    Args:
        head: The network.
        condition: [B, c].
        chunk: [B, H, A], normalised.
        noise: [B, H, A].
        time: [B], 0..1.
    """
    t = time[:, None, None]
    velocity = head((1 - t) * noise + t * chunk, time, condition)
    return functional.mse_loss(velocity, chunk - noise)
