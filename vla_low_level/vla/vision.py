"""What the pictures say: feature maps under the influence of words, and a heat-map of the target."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vla_low_level.vla.config import STRIDE

WINDOW = 5


class Maps(NamedTuple):
    """What one camera gives before it is settled where the target is.

    Attributes:
        heat: [B, h, w], logits of where the target is; cells of 4 px.
        features: [B, c, h, w].
        coarse: [B, c2, h / 2, w / 2], coarser features.
    """

    heat: Tensor
    features: Tensor
    coarse: Tensor


class Seen(NamedTuple):
    """What one camera gives.

    Attributes:
        heat: [B, h, w], logits of where the target is; cells of 4 px.
        uv: [B, 2], the target, px: the expectation around the chosen cell.
        peak: [B, c], features there.
        mean: [B, c2], features of the whole picture.
    """

    heat: Tensor
    uv: Tensor
    peak: Tensor
    mean: Tensor


class FiLMResidual(nn.Module):
    """Two 3x3 convolutions around a skip, scaled and shifted by words (Perez et al. 2018)."""

    def __init__(self, channels: int, words: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.film = nn.Linear(words, 2 * channels)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor, words: Tensor) -> Tensor:
        """[B, c, h, w] in and out."""
        scale, shift = self.film(words)[:, :, None, None].chunk(2, 1)
        hidden = self.first(functional.silu(x)) * (1 + scale) + shift
        out: Tensor = x + self.second(functional.silu(hidden))
        return out


class Residual(nn.Module):
    """Two 3x3 convolutions around a skip."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        """[B, c, h, w] in and out."""
        out: Tensor = x + self.second(functional.silu(self.first(functional.silu(x))))
        return out


class CameraEncoder(nn.Module):
    """One camera. Patches of 4 px, a finer and a coarser level, and back up to the finer one."""

    def __init__(self, size_px: tuple[int, int], fine: int, middle: int, words: int) -> None:
        super().__init__()
        height, width = size_px[0] // (2 * STRIDE), size_px[1] // (2 * STRIDE)
        self.stem = nn.Conv2d(3, fine, STRIDE, stride=STRIDE)
        self.fine = Residual(fine)
        self.down = nn.Conv2d(fine, middle, 3, stride=2, padding=1)
        # Where in the picture: "on the left" means nothing to a convolution.
        self.place = nn.Parameter(torch.zeros(1, middle, height, width))
        self.middle = nn.ModuleList([FiLMResidual(middle, words) for _ in range(2)])
        self.up = nn.Conv2d(middle, fine, 1)
        self.fuse = FiLMResidual(fine, words)
        self.heat = nn.Conv2d(fine, fine, 1)
        self.query = nn.Linear(words, fine)

    def forward(self, image: Tensor, words: Tensor) -> Maps:
        """Pictures [B, 3, H, W], 0..1, and words [B, d]."""
        fine = self.fine(self.stem(image - 0.5))
        middle = self.down(fine) + self.place
        for block in self.middle:
            middle = block(middle, words)
        up = functional.interpolate(self.up(middle), scale_factor=2.0, mode="nearest")
        features = functional.silu(self.fuse(fine + up, words))
        keys = self.heat(features)
        heat = (self.query(words)[:, None] @ keys.flatten(2)).view(len(keys), *keys.shape[2:]).float()
        return Maps(heat, features, middle)


def settle(maps: Maps, cell: Tensor) -> Seen:
    """Take the target to be around a cell [B] of the flattened heat-map."""
    uv, weights = locate(maps.heat, cell)
    peak = (maps.features.float().flatten(2) @ weights.flatten(1)[:, :, None]).squeeze(2)
    return Seen(maps.heat, uv, peak, maps.coarse.float().mean((2, 3)))


def around(features: Tensor, cell: Tensor) -> Tensor:
    """Features [B, 9 * c] of a cell [B] of flattened maps [B, c, h, w] and of the eight around it."""
    width = features.shape[3]
    padded = functional.pad(features, (1, 1, 1, 1)).permute(0, 2, 3, 1)
    batch = torch.arange(len(cell), device=cell.device)[:, None, None]
    near = torch.arange(3, device=cell.device)
    rows, columns = (cell // width)[:, None, None] + near[:, None], (cell % width)[:, None, None] + near
    return padded[batch, rows, columns].flatten(1)


def hottest(heat: Tensor) -> Tensor:
    """The highest cell [B] of heat-maps [B, h, w]."""
    return heat.flatten(1).argmax(1)


def locate(heat: Tensor, top: Tensor) -> tuple[Tensor, Tensor]:
    """The target [B, 2], px, and the weights [B, h, w] that it is the mean of: softmax around a cell."""
    batch, height, width = heat.shape
    rows = torch.arange(height, device=heat.device)
    columns = torch.arange(width, device=heat.device)
    near_row = (rows[None] - (top // width)[:, None]).abs() <= WINDOW // 2
    near_column = (columns[None] - (top % width)[:, None]).abs() <= WINDOW // 2
    near = near_row[:, :, None] & near_column[:, None, :]
    weights = heat.masked_fill(~near, -1e9).flatten(1).softmax(1).view(batch, height, width)
    u = (weights.sum(1) * (columns + 0.5)).sum(1) * STRIDE
    v = (weights.sum(2) * (rows + 0.5)).sum(1) * STRIDE
    return torch.stack([u, v], 1), weights


def entropy(heat: Tensor) -> Tensor:
    """Of the heat-map, nats [B]: how unsure the camera is where the target is."""
    logp = heat.flatten(1).log_softmax(1)
    return -(logp.exp() * logp).sum(1)


class Layout(nn.Module):
    """A whole picture's coarse features with their places: what lies how between the fingers."""

    def __init__(self, size_px: tuple[int, int], middle: int, narrow: int, out: int) -> None:
        super().__init__()
        cells = (size_px[0] // (2 * STRIDE)) * (size_px[1] // (2 * STRIDE))
        self.narrow = nn.Conv2d(middle, narrow, 1)
        self.out = nn.Linear(narrow * cells, out)

    def forward(self, coarse: Tensor) -> Tensor:
        """[B, c2, h, w] in, [B, out] out."""
        out: Tensor = functional.silu(self.out(functional.silu(self.narrow(coarse)).flatten(1)))
        return out


class CloseLook(nn.Module):
    """A small piece of the picture at full resolution, where the target seems to be."""

    def __init__(self, side_px: int, words: int, out: int) -> None:
        super().__init__()
        self.side = side_px
        self.first = nn.Conv2d(3, 24, 3, stride=2, padding=1)
        self.second = nn.Conv2d(24, 48, 3, stride=2, padding=1)
        self.film = nn.Linear(words, 96)
        self.third = nn.Conv2d(48, 64, 3, stride=2, padding=1)
        self.out = nn.Linear(64 * (side_px // 8) ** 2, out)

    def forward(self, image: Tensor, centre_px: Tensor, words: Tensor) -> Tensor:
        """Pictures [B, 3, H, W], whole pixels [B, 2] (u, v), words [B, d]; features [B, out]."""
        patch = crop(image - 0.5, centre_px, self.side).contiguous(memory_format=torch.channels_last)
        hidden = self.second(functional.silu(self.first(patch)))
        scale, shift = self.film(words)[:, :, None, None].chunk(2, 1)
        hidden = functional.silu(hidden * (1 + scale) + shift)
        out: Tensor = functional.silu(self.out(functional.silu(self.third(hidden)).flatten(1)))
        return out


def crop(image: Tensor, centre_px: Tensor, side: int) -> Tensor:
    """Squares [B * k, 3, side, side] of pictures [B, 3, H, W]; outside of a picture is 0.

    Args:
        image: [B, 3, H, W].
        centre_px: [B * k, 2], whole pixels (u, v), k of each picture in turn.
        side: Of a square, px.
    """
    half = side // 2
    padded = functional.pad(image, (half, half, half, half))
    around = torch.arange(side, device=image.device)
    rows = (centre_px[:, 1].long().clamp(0, image.shape[2] - 1)[:, None] + around)[:, :, None]
    columns = (centre_px[:, 0].long().clamp(0, image.shape[3] - 1)[:, None] + around)[:, None, :]
    each = len(centre_px) // len(image)
    batch = torch.arange(len(image), device=image.device).repeat_interleave(each)[:, None, None]
    return padded.permute(0, 2, 3, 1)[batch, rows, columns].permute(0, 3, 1, 2)


def unproject(uv_px: Tensor, height_m: Tensor, camera: Tensor) -> Tensor:
    """Where the ray of a pixel is at a height: world points [B, 3], m.

    Args:
        uv_px: [B, 2].
        height_m: [B], above the table.
        camera: [B, 16], fx, fy, cx, cy, then camera-to-world, rows of [3, 4].
    """
    focal, centre = camera[:, 0:2], camera[:, 2:4]
    pose = camera[:, 4:].view(-1, 3, 4)
    local = torch.cat([(uv_px - centre) / focal, torch.ones_like(uv_px[:, :1])], 1)
    # Not as a matrix product, which would be done in bfloat16 under autocast: 4 mm at a metre.
    ray = (pose[:, :, :3] * local[:, None]).sum(2)
    eye = pose[:, :, 3]
    along = (height_m - eye[:, 2]) / ray[:, 2]
    return eye + ray * along[:, None]
