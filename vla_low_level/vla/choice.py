"""Which of the places that the heat-map proposes is meant: a close look at each of them.

A heat-map is learned from whole pictures, and every picture shows few things and one sentence: it can be sure
of the white bottle when the white cube is meant. A close look at a single thing is small, so that it can be
trained on many more of them; it is matched with the sentence as CLIP does it (Radford et al. 2021).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vla_low_level.vla.config import STRIDE
from vla_low_level.vla.memory import RECALL, recalled
from vla_low_level.vla.vision import crop

PLACES = 8
# Places proposed lie at least this many cells apart.
APART = 3
COMMON, HIDDEN = 32, 32
# A place further from the target than this is another one, px.
SAME_PX = 8.0
SPREAD_PX = 40.0


class Chosen(NamedTuple):
    """Places, and how well each of them fits the words.

    Attributes:
        cells: [B, k], their cells in the flattened heat-map, hottest first.
        places_px: [B, k, 2], their centres (u, v).
        scores: [B, k], logits.
    """

    cells: Tensor
    places_px: Tensor
    scores: Tensor

    def best(self) -> Tensor:
        """The cell [B] that fits best."""
        return self.cells.gather(1, self.scores.argmax(1, keepdim=True)).squeeze(1)


class Choice(nn.Module):
    """Scores places by their heat, by what a close look shows, and by where they are among each other."""

    def __init__(self, side_px: int, text: int) -> None:
        super().__init__()
        self.side = side_px
        self.look = nn.Sequential(
            nn.Conv2d(3, 24, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(24, 48, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(48, 64, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(64 * (side_px // 8) ** 2, COMMON),
        )
        self.said = nn.Linear(text, COMMON)
        self.sharpness = nn.Parameter(torch.tensor(1.5))
        self.trust = nn.Parameter(torch.tensor(1.0))
        # "The left one" is left of what else would fit.
        self.among = nn.Sequential(nn.Linear(2 + COMMON, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, 1))

    def forward(self, image: Tensor, heat: Tensor, text: Tensor, remembered: Tensor | None = None) -> Chosen:
        """Propose and score.

        Args:
            image: [B, 3, H, W], 0..1.
            heat: [B, h, w], logits.
            text: [B, t], the sentence.
            remembered: [B, h, w], 0..1, where it was taken to be; None for a first look.
        """
        cells, places, hot = propose(heat if remembered is None else heat + RECALL * remembered)
        scores = self.score(crop(image, places.flatten(0, 1), self.side), places, hot, text)
        if remembered is not None:
            scores = scores + recalled(remembered, cells)
        return Chosen(cells, places, scores)

    def score(self, pieces: Tensor, places_px: Tensor, hot: Tensor, text: Tensor) -> Tensor:
        """Logits [B, k].

        Args:
            pieces: [B * k, 3, side, side], 0..1.
            places_px: [B, k, 2], where they are from.
            hot: [B, k], log-heat there.
            text: [B, t].
        """
        many, k = hot.shape
        seen = self.look((pieces - 0.5).contiguous(memory_format=torch.channels_last)).float()
        seen = functional.normalize(seen, dim=1).view(many, k, COMMON)
        said = functional.normalize(self.said(text).float(), dim=1)
        fits = self.sharpness.exp() * torch.einsum("bkc,bc->bk", seen, said) + self.trust * hot
        middle = torch.einsum("bk,bkx->bx", fits.softmax(1), places_px)
        off = (places_px - middle[:, None]) / SPREAD_PX
        out: Tensor = fits + self.among(torch.cat([off, said[:, None].expand(-1, k, -1)], 2)).squeeze(2)
        return out


def propose(heat: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The highest peaks of a heat-map [B, h, w]: cells [B, k], pixels [B, k, 2], log-probabilities [B, k]."""
    heat, width = heat.detach(), heat.shape[2]
    around = functional.max_pool2d(heat[:, None], APART, stride=1, padding=APART // 2)[:, 0]
    cells = heat.masked_fill(heat < around, -1e9).flatten(1).topk(PLACES, 1).indices
    places = STRIDE * (torch.stack([cells % width, cells // width], 2) + 0.5)
    return cells, places, log_heat(heat, cells)


def log_heat(heat: Tensor, cells: Tensor) -> Tensor:
    """Log-probabilities [B, k] of cells [B, k] of heat-maps [B, h, w]."""
    return heat.flatten(1).log_softmax(1).gather(1, cells)


def nearest(places_px: Tensor, target_px: Tensor) -> tuple[Tensor, Tensor]:
    """Of places [B, k, 2] the one next to a target [B, 2]: how far off it is, px, and which, both [B]."""
    off, which = (places_px - target_px[:, None]).norm(dim=2).min(1)
    return off, which


def choice_loss(scores: Tensor, places_px: Tensor, target_px: Tensor) -> Tensor:
    """Cross-entropy of choosing the place at the target, over pictures where one is.

    Args:
        scores: [B, k], logits.
        places_px: [B, k, 2].
        target_px: [B, 2].
    """
    off, which = nearest(places_px, target_px)
    there = off < SAME_PX
    each = functional.cross_entropy(scores, which, reduction="none")
    mean: Tensor = (each * there).sum() / there.sum().clamp(min=1)
    return mean
