"""Training the choice alone: everything else stays, so what it gives is worked out once.

A step then costs a twentieth of one of the whole network, and the choice can be shown that many more things.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from vla_low_level.vla.batches import Batches
from vla_low_level.vla.choice import (
    PLACES,
    SAME_PX,
    Choice,
    choice_loss,
    log_heat,
    nearest,
    propose,
)
from vla_low_level.vla.config import STRIDE
from vla_low_level.vla.network import VLANetwork
from vla_low_level.vla.vision import crop

MARGIN_PX = 4
FRAMES_A_PASS = 64
# What is disturbed in training: the light, the words' scaled features, and whether the heat is told at all.
GAIN, SHIFT, SCALED_STD, COLD = 0.15, 0.06, 0.5, 0.5
WARM_UP, LOG_EVERY = 200, 50


class ChoiceRecipe(BaseModel):
    """How to train it.

    Attributes:
        steps: Optimiser steps.
        batch: Frames in each.
        rate: Highest learning rate; after a warm-up it falls like a cosine.
        decay: Weight decay of AdamW.
        seed: Of batches and disturbances.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(default=6000, ge=1)
    batch: int = Field(default=64, ge=1)
    rate: float = Field(default=2e-3, gt=0)
    decay: float = Field(default=5e-2, ge=0)
    seed: int = 0


class Seen(NamedTuple):
    """What the rest of the network gives for n frames.

    Attributes:
        pieces: [n, k, 3, side + 2 * MARGIN_PX, ...], uint8, around places.
        places_px: [n, k, 2].
        hot: [n, k], log-heat.
        target_px: [n, 2].
        proposed: [n], whether the heat-map itself proposes the target.
        said: [n], index of its sentence.
        text: [sentences, t].
    """

    pieces: Tensor
    places_px: Tensor
    hot: Tensor
    target_px: Tensor
    proposed: Tensor
    said: Tensor
    text: Tensor


def worth_looking_at(batches: Batches, every: int) -> NDArray[np.int64]:
    """Every `every`-th frame of each episode: the ones between are alike. Indices."""
    return np.flatnonzero(batches.numbers["frame_index"].numpy() % every == 0)


@torch.inference_mode()
def look_once(
    network: VLANetwork, batches: Batches, frames: NDArray[np.int64], done: Callable[[int], None]
) -> Seen:
    """These frames through the network; `done` is told how many more have been seen."""
    parts = []
    for first in range(0, len(frames), FRAMES_A_PASS):
        some = frames[first : first + FRAMES_A_PASS]
        parts.append(_look(network, batches, some))
        done(len(some))
    columns = (torch.cat(column) for column in zip(*parts, strict=True))
    return Seen._make([*columns, network.scaled(batches.text)])


def _look(network: VLANetwork, batches: Batches, indices: NDArray[np.int64]) -> tuple[Tensor, ...]:
    """The columns of `Seen`, without the sentences."""
    batch = batches.at(indices, None)
    heat = network.heat(batch.inputs)
    cells, places, _ = propose(heat)
    uv, (rows, columns) = batch.table_uv, heat.shape[1:]
    proposed = nearest(places, uv)[0] < SAME_PX
    inside = ((uv >= 0) & (uv < STRIDE * torch.tensor([columns, rows]))).all(1)
    # What the heat-map misses takes the last place, to be learned from all the same.
    missed = inside & ~proposed
    cell = (uv / STRIDE).floor().long()
    cells[missed, -1] = (cell[:, 1] * columns + cell[:, 0])[missed]
    places[missed, -1] = STRIDE * (cell[missed].float() + 0.5)
    hot = log_heat(heat, cells)
    pieces = crop(batch.inputs.table, places.flatten(0, 1), network.choice.side + 2 * MARGIN_PX)
    kept = (255 * pieces).round().byte().view(len(indices), PLACES, *pieces.shape[1:])
    said = batches.numbers["task_index"][torch.from_numpy(indices)]
    return kept, places, hot, uv, proposed, said


def together(parts: Sequence[Seen]) -> Seen:
    """Several datasets as one."""
    starts = np.cumsum([0, *(len(part.text) for part in parts)])
    said = torch.cat([part.said + int(start) for part, start in zip(parts, starts, strict=False)])
    rest = (torch.cat(column) for column in zip(*(part[:5] for part in parts), strict=True))
    return Seen._make([*rest, said, torch.cat([part.text for part in parts])])


def accuracy(choice: Choice, seen: Seen) -> tuple[int, int, int]:
    """Of frames whose target the heat-map proposes: chosen rightly, hottest rightly, and how many."""
    right = hottest = 0
    with torch.inference_mode():
        for first in range(0, len(seen.said), FRAMES_A_PASS):
            k = torch.arange(first, min(first + FRAMES_A_PASS, len(seen.said)))
            _, meant = nearest(seen.places_px[k], seen.target_px[k])
            scores = choice.score(_pieces(seen, k), seen.places_px[k], seen.hot[k], seen.text[seen.said[k]])
            right += int(((scores.argmax(1) == meant) & seen.proposed[k]).sum())
            hottest += int(((seen.hot[k].argmax(1) == meant) & seen.proposed[k]).sum())
    return right, hottest, int(seen.proposed.sum())


def train_choice(choice: Choice, seen: Seen, recipe: ChoiceRecipe) -> Iterator[tuple[int, float]]:
    """Learn in place; yields steps done and the loss, every `LOG_EVERY` steps and at the end."""
    optimiser = torch.optim.AdamW(choice.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    for step in range(1, recipe.steps + 1):
        for group in optimiser.param_groups:
            fall = 0.5 + 0.5 * math.cos(math.pi * step / recipe.steps)
            group["lr"] = recipe.rate * min(1.0, step / WARM_UP) * fall
        draw = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
        k = torch.randint(len(seen.said), (recipe.batch,), generator=draw)
        text = seen.text[seen.said[k]]
        text = text + SCALED_STD * torch.randn(text.shape, generator=draw)
        hot = seen.hot[k] * (torch.rand(len(k), 1, generator=draw) > COLD)
        scores = choice.score(_disturbed(seen, k, draw), seen.places_px[k], hot, text)
        loss = choice_loss(scores, seen.places_px[k], seen.target_px[k])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(choice.parameters(), 1.0)
        optimiser.step()
        if step % LOG_EVERY == 0 or step == recipe.steps:
            yield step, float(loss.detach())


def _pieces(seen: Seen, k: Tensor, right_px: int = MARGIN_PX, down_px: int = MARGIN_PX) -> Tensor:
    """Pieces [b * k, 3, side, side], 0..1, of frames."""
    side = seen.pieces.shape[-1] - 2 * MARGIN_PX
    window = seen.pieces[k, :, :, down_px : down_px + side, right_px : right_px + side]
    return window.flatten(0, 1).float() / 255.0


def _disturbed(seen: Seen, k: Tensor, draw: torch.Generator) -> Tensor:
    """The same under another light, a little beside, and half of the time seen in a mirror."""
    right, down = torch.randint(2 * MARGIN_PX + 1, (2,), generator=draw).tolist()
    pieces = _pieces(seen, k, right, down)
    gain = 1 + GAIN * (2 * torch.rand(len(k), 3, 1, 1, generator=draw) - 1)
    shift = SHIFT * (2 * torch.rand(len(k), 1, 1, 1, generator=draw) - 1)
    pieces = pieces * gain.repeat_interleave(PLACES, 0) + shift.repeat_interleave(PLACES, 0)
    return pieces.flip(3) if torch.rand(1, generator=draw) < 0.5 else pieces
