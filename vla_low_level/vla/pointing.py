"""Where somebody else says that the target is: who plans has looked at the table, too.

It is not trained: what is pointed at gains heat, so that the network looks there as if it had thought of it,
and what it then aims at lies there.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from vla_low_level.vla.config import STRIDE
from vla_low_level.vla.vision import unproject

# What a place gains that is pointed at, nats: more than the network is ever sure of another by.
GAIN = 16.0
# How far beyond what is pointed at it fades to nothing, m.
FADE_M = 0.04
# How far beyond it an aim may be, m.
SLACK_M = 0.003


class Pointed(NamedTuple):
    """A circle on a level, for each of a batch.

    Attributes:
        centre_m: [B, 3], world.
        about_m: [B], how far around the centre, across the table, is as good.
        told: [B], 1 where somebody points, 0 where nobody does.
    """

    centre_m: Tensor
    about_m: Tensor
    told: Tensor


def nowhere(many: int) -> Pointed:
    """Nobody points."""
    return Pointed(torch.zeros(many, 3), torch.zeros(many), torch.zeros(many))


def gained(pointed: Pointed, camera: Tensor, cells: tuple[int, int]) -> Tensor:
    """What the cells of the table camera's heat-map gain [B, h, w], nats.

    Args:
        pointed: Where.
        camera: [B, 16], calibration.
        cells: h, w.
    """
    height, width = cells
    many, each = len(camera), height * width
    rows, columns = torch.arange(height, device=camera.device), torch.arange(width, device=camera.device)
    v, u = torch.meshgrid(rows, columns, indexing="ij")
    middles = STRIDE * (torch.stack([u, v], 2).view(each, 2) + 0.5)
    level = pointed.centre_m[:, 2].repeat_interleave(each)
    there = unproject(middles.repeat(many, 1), level, camera.repeat_interleave(each, 0)).view(many, each, 3)
    beyond_m = (there - pointed.centre_m[:, None]).norm(dim=2) - pointed.about_m[:, None]
    near = (1 - beyond_m / FADE_M).clamp(0, 1)
    gain: Tensor = GAIN * pointed.told[:, None] * near
    return gain.view(many, height, width)


def kept_within(aim_m: Tensor, pointed: Pointed) -> Tensor:
    """Aims [B, 3], brought back across the table to what is pointed at."""
    off = aim_m[:, :2] - pointed.centre_m[:, :2]
    share = (pointed.about_m + SLACK_M) / off.norm(dim=1).clamp(min=1e-6)
    kept = pointed.centre_m[:, :2] + off * share.clamp(max=1)[:, None]
    across = torch.where(pointed.told[:, None] > 0, kept, aim_m[:, :2])
    return torch.cat([across, aim_m[:, 2:]], 1)
