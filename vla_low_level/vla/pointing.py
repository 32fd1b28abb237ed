"""Where somebody else says that the target is: who plans has looked at the table, too.

It is not trained: what is pointed at gains heat, and the network looks there as if it had thought of it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vla_low_level.vla.config import STRIDE
from vla_low_level.vla.vision import unproject

# What a place gains that is pointed at, nats: more than the network is ever sure of another by.
GAIN = 16.0
# How far beyond what is pointed at it fades to nothing, m.
FADE_M = 0.04


def pointed_out(point_m: Tensor, about_m: float, camera: Tensor, cells: tuple[int, int]) -> Tensor:
    """What the cells of the table camera's heat-map gain [h, w], nats.

    Args:
        point_m: [3], world.
        about_m: How far around that point, across the table, is as good.
        camera: [16], calibration as the network is told it.
        cells: h, w.
    """
    height, width = cells
    v, u = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    middles = STRIDE * (torch.stack([u, v], 2).flatten(0, 1) + 0.5)
    level, cameras = point_m[2].expand(len(middles)), camera.expand(len(middles), -1)
    beyond_m = (unproject(middles, level, cameras) - point_m).norm(dim=1) - about_m
    gain: Tensor = GAIN * (1 - beyond_m / FADE_M).clamp(0, 1)
    return gain.view(height, width)
