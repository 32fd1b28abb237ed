"""Where the target was taken to be before: it helps when the hand hides it, or when two things look alike.

A policy that only sees the present changes its mind with every look: what it holds covers what it shall be
put on, so it turns to another thing, sees the right one again, and turns back. This is a Bayes filter with
forgetting over the cells of the heat-map; nothing of it is trained, and a first look knows of nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

# What a place that every look has chosen gains, in its heat and in its score, nats. Chosen with `KEPT`
# on development scenes.
RECALL = 4.0
# Of what was remembered, at each look.
KEPT = 0.8
# How near to where it was a place is the same one, cells.
WIDE_CELLS = 1.5


def recalled(remembered: Tensor, cells: Tensor) -> Tensor:
    """What cells [B, k] of the flattened map [B, h, w] gain, nats."""
    return RECALL * remembered.flatten(1).gather(1, cells)


def remember(remembered: Tensor, cells: Tensor, scores: Tensor) -> Tensor:
    """The memory after another look, 0..1.

    Args:
        remembered: [B, h, w], before it.
        cells: [B, k], places in the flattened map.
        scores: [B, k], how well they fit, logits.
    """
    _, height, width = remembered.shape
    rows = torch.arange(height, device=cells.device) - (cells // width)[:, :, None]
    columns = torch.arange(width, device=cells.device) - (cells % width)[:, :, None]
    near = [torch.exp(-off.float().square() / (2 * WIDE_CELLS**2)) for off in (rows, columns)]
    seen = (near[0] * scores.softmax(1)[:, :, None])[:, :, :, None] * near[1][:, :, None]
    return KEPT * remembered + (1 - KEPT) * seen.amax(1)
