"""From frames to training batches: pictures decoded and their light changed, chunks cut out of episodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vla_low_level.dataset.read import Demonstrations
from vla_low_level.dataset.schema import (
    ACTION,
    CAMERA,
    DONE,
    EMBODIMENT,
    FOLLOWED,
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
ROUGH_M = (0.03, 0.03, 0.02)


class Batch(NamedTuple):
    """Inputs and what is to be learnt from them.

    Attributes:
        inputs: What the policy is given.
        look_px: [B, 2], where to look closely.
        rough_m: [B, 3], how wrong looking is told where the hand is.
        chunk: [B, H, 7], rows to come, in their units.
        valid: [B, H], 1 where they are the teacher's.
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
    valid: Tensor
    target_m: Tensor
    target_yaw: Tensor
    table_uv: Tensor
    wrist_uv: Tensor
    done: Tensor


@dataclass(frozen=True)
class Batches:
    """Draws batches from demonstrations.

    Attributes:
        shown: The demonstrations.
        horizon: Rows of a chunk.
        text: [tasks, 384], sentence features.
        last: [n], index of the last frame of each frame's episode.
    """

    shown: Demonstrations
    horizon: int
    text: Tensor
    last: NDArray[np.int64]

    @staticmethod
    def of(shown: Demonstrations, horizon: int, encoder: SentenceEncoder) -> Batches:
        """Prepare: encode every sentence once and find where episodes end."""
        episode = shown.numbers["episode_index"]
        ends = np.flatnonzero(np.append(episode[1:] != episode[:-1], True))
        last = ends[np.searchsorted(ends, np.arange(len(shown)))]
        return Batches(shown, horizon, encoder.encode(shown.texts), last)

    def draw(self, size: int, rng: np.random.Generator) -> Batch:
        """A batch of frames, uniformly; light and tint vary."""
        return self.at(rng.integers(0, len(self.shown), size), rng)

    def at(self, indices: NDArray[np.int64], rng: np.random.Generator | None) -> Batch:
        """A batch of these frames; unchanged when there is no `rng`."""
        numbers = self.shown.numbers
        table = self._pictures(TABLE, indices)
        wrist = self._pictures(WRIST, indices)
        look = numbers[TABLE_UV][indices]
        rough = np.zeros((len(indices), 3))
        if rng is not None:
            gain, shift = (
                rng.uniform(0.85, 1.15, (2, len(indices), 3, 1, 1)),
                rng.uniform(-0.06, 0.06, (2, len(indices))),
            )
            table = table * _f(gain[0]) + _f(shift[0])[:, None, None, None]
            wrist = wrist * _f(gain[1]) + _f(shift[1])[:, None, None, None]
            look = look + rng.normal(0, LOOK_JITTER_PX, look.shape)
            rough = rng.normal(0, ROUGH_M, rough.shape)
        chunk, valid = self._chunks(indices)
        inputs = Inputs(
            table.contiguous(memory_format=torch.channels_last),
            wrist.contiguous(memory_format=torch.channels_last),
            _f(numbers[STATE][indices]),
            self.text[torch.from_numpy(numbers["task_index"][indices])],
            _f(numbers[CAMERA][indices]),
            torch.from_numpy(numbers[EMBODIMENT][indices]),
        )
        return Batch(
            inputs,
            _f(look),
            _f(rough),
            chunk,
            valid,
            _f(numbers[TARGET][indices]),
            _f(numbers[TARGET_YAW][indices]),
            _f(numbers[TABLE_UV][indices]),
            _f(numbers[WRIST_UV][indices]),
            _f(numbers[DONE][indices]),
        )

    def _pictures(self, name: str, indices: NDArray[np.int64]) -> Tensor:
        found = np.stack([decode(self.shown.pictures[name][int(k)].as_py()) for k in indices])
        return torch.from_numpy(found).permute(0, 3, 1, 2).float() / 255.0

    def _chunks(self, indices: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Rows to come [B, H, 7] and which are the teacher's [B, H].

        A row counts while all before it were followed. After the end there is nothing to do: still, fingers
        as they are.
        """
        steps = indices[:, None] + np.arange(self.horizon)
        ends = self.last[indices][:, None]
        beyond = steps > ends
        steps = np.minimum(steps, ends)
        chunk = self.shown.numbers[ACTION][steps].copy()
        chunk[..., :6][beyond] = 0.0
        followed = self.shown.numbers[FOLLOWED][steps].astype(bool) | beyond
        before = np.concatenate([np.ones((len(indices), 1), bool), followed[:, :-1]], 1)
        return _f(chunk), _f(np.logical_and.accumulate(before, 1))


def _f(values: NDArray[np.float64] | NDArray[np.float32] | NDArray[np.bool_]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
