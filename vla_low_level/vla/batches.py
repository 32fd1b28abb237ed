"""From frames to training batches: pictures decoded and their light changed, chunks cut out of episodes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from vla_low_level.action import ACTION_DIM, SHOWN_ROWS
from vla_low_level.dataset.read import Demonstrations
from vla_low_level.dataset.schema import (
    AHEAD,
    CAMERA,
    DONE,
    EMBODIMENT,
    IMAGE_SHAPES,
    STATE,
    TABLE,
    TABLE_UV,
    TARGET,
    TARGET_YAW,
    WRIST,
    WRIST_UV,
)
from vla_low_level.dataset.statistics import decode
from vla_low_level.vla.network import Inputs
from vla_low_level.vla.text import SentenceEncoder

# The close look is trained around places that are a little wrong, as the heat-map's are.
LOOK_JITTER_PX = 2.5
# Of the words' features, which have unit length: half of what sentences differ by, so that one that was
# never heard is taken for one near it.
WORDS_STD = 0.02
TASK, FRAME = "task_index", "frame_index"
ROUGH_M = (0.03, 0.03, 0.02)
LEARNED = (STATE, AHEAD, CAMERA, TARGET, TARGET_YAW, TABLE_UV, WRIST_UV, EMBODIMENT, DONE)


class Batch(NamedTuple):
    """Inputs and what is to be learnt from them.

    Attributes:
        inputs: What the policy is given.
        look_px: [B, 2], where to look closely.
        rough_m: [B, 3], how wrong looking is told where the hand is.
        chunk: [B, H, 7], rows to come, in their units.
        target_m: [B, 3].
        target_yaw: [B, 2].
        table_uv: [B, 2], the target in the table camera, px.
        wrist_uv: [B, 2].
        done: [B].
    """

    inputs: Inputs
    look_px: Tensor
    rough_m: Tensor
    chunk: Tensor
    target_m: Tensor
    target_yaw: Tensor
    table_uv: Tensor
    wrist_uv: Tensor
    done: Tensor


Pictures = Callable[[Tensor], Tensor]
"""Indices [B] in, pictures uint8 [B, H, W, 3] out."""


@dataclass(frozen=True)
class Batches:
    """Draws batches from demonstrations, on the device where the numbers lie.

    Attributes:
        numbers: Columns by name, [n] or [n, d]; see `vla_low_level.dataset.schema`.
        pictures: By camera: decoded when they are asked for, or all at once where there is room.
        horizon: Rows of a chunk.
        text: [tasks, 384], sentence features.
    """

    numbers: dict[str, Tensor]
    pictures: dict[str, Pictures]
    horizon: int
    text: Tensor

    @staticmethod
    def of(shown: Demonstrations, horizon: int, encoder: SentenceEncoder, device: str = "cpu") -> Batches:
        """Prepare: encode every sentence once.

        A GPU is given every picture decoded, 100 kB a frame: else it would wait for them.
        """
        stored = _decoding if device == "cpu" else _decoded
        numbers = {name: torch.tensor(shown.numbers[name], device=device) for name in (*LEARNED, TASK, FRAME)}
        pictures = {name: stored(shown.pictures[name], name, device) for name in IMAGE_SHAPES}
        return Batches(numbers, pictures, horizon, encoder.encode(shown.texts).to(device))

    def __len__(self) -> int:
        return len(self.numbers[STATE])

    def draw(self, size: int, rng: np.random.Generator) -> Batch:
        """A batch of frames, uniformly; light, tint and words vary."""
        return self.at(rng.integers(0, len(self), size), rng)

    def at(self, indices: NDArray[np.int64], rng: np.random.Generator | None) -> Batch:
        """A batch of these frames; unchanged when there is no `rng`."""
        k = torch.from_numpy(indices).to(self.text.device)
        found = {name: self.numbers[name][k] for name in LEARNED}
        table, wrist = (self._picture(name, k) for name in (TABLE, WRIST))
        look, rough = found[TABLE_UV], torch.zeros(len(k), 3, device=k.device)
        text = self.text[self.numbers[TASK][k]]
        if rng is not None:
            gain, shift = (
                rng.uniform(0.85, 1.15, (2, len(k), 3, 1, 1)),
                rng.uniform(-0.06, 0.06, (2, len(k), 1, 1, 1)),
            )
            table = table * self._told(gain[0]) + self._told(shift[0])
            wrist = wrist * self._told(gain[1]) + self._told(shift[1])
            look = look + self._told(rng.normal(0, LOOK_JITTER_PX, look.shape))
            rough = self._told(rng.normal(0, ROUGH_M, rough.shape))
            text = text + self._told(rng.normal(0, WORDS_STD, tuple(text.shape)))
        inputs = Inputs(
            table.contiguous(memory_format=torch.channels_last),
            wrist.contiguous(memory_format=torch.channels_last),
            found[STATE],
            text,
            found[CAMERA],
            found[EMBODIMENT],
        )
        where = (found[TARGET], found[TARGET_YAW], found[TABLE_UV], found[WRIST_UV])
        chunk = found[AHEAD].view(len(k), SHOWN_ROWS, ACTION_DIM)[:, : self.horizon]
        return Batch(inputs, look, rough, chunk, *where, found[DONE].float())

    def _picture(self, name: str, k: Tensor) -> Tensor:
        return self.pictures[name](k).permute(0, 3, 1, 2).float() / 255.0

    def _told(self, values: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(self.text.device)


def held(pixels: Tensor) -> Pictures:
    """Pictures that are there already, uint8 [n, H, W, 3]."""
    return pixels.__getitem__


def _decoding(stored: pa.ChunkedArray, _name: str, _device: str) -> Pictures:
    """PNGs [n], decoded when they are asked for."""

    def decoded(k: Tensor) -> Tensor:
        return torch.from_numpy(np.stack([decode(stored[int(i)].as_py()) for i in k]))

    return decoded


def _decoded(stored: pa.ChunkedArray, name: str, device: str) -> Pictures:
    """PNGs [n], decoded once."""
    pixels = torch.empty((len(stored), *IMAGE_SHAPES[name]), dtype=torch.uint8)

    def put(i: int) -> None:
        pixels[i] = torch.from_numpy(decode(stored[i].as_py()).copy())

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(put, range(len(stored)), chunksize=256))
    return held(pixels.to(device))


def draw(
    mixture: Sequence[Batches], share: NDArray[np.float64], size: int, rng: np.random.Generator
) -> Batch:
    """One batch of frames of several datasets, each with its share [datasets] of them, which sum to 1."""
    counts = rng.multinomial(size, share)
    drawn = [batches.draw(int(n), rng) for batches, n in zip(mixture, counts, strict=True) if n]
    if len(drawn) == 1:
        return drawn[0]
    inputs = Inputs(*(torch.cat(parts) for parts in zip(*(b.inputs for b in drawn), strict=True)))
    return Batch(inputs, *(torch.cat(parts) for parts in zip(*(b[1:] for b in drawn), strict=True)))
