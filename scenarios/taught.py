"""What a policy is taught while it is being recorded: parts as they come, drawable from a GPU's memory."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor

from vla_low_level.dataset.assemble import TEXT
from vla_low_level.dataset.schema import IMAGE_SHAPES
from vla_low_level.dataset.statistics import column, decode
from vla_low_level.vla.batches import INDICES, LEARNED, Batches, ends_of, held
from vla_low_level.vla.text import SentenceEncoder


class Part(NamedTuple):
    """One recorded scene.

    Attributes:
        kind: `demos`, `glances` or `corrections`.
        numbers: Columns by name.
        pixels: By camera, uint8 [n, H, W, 3].
        text: [sentences, 384], which `task_index` points into.
    """

    kind: str
    numbers: dict[str, NDArray[Any]]
    pixels: dict[str, NDArray[np.uint8]]
    text: NDArray[np.float32]


def read_part(kind: str, path: Path) -> Part:
    """The part of one scene, as `tandem data record` leaves it."""
    table = pq.read_table(path)
    wordings: list[list[str]] = json.loads(table.schema.metadata[TEXT])
    numbers = {name: column(table, name) for name in (*LEARNED, *INDICES)}
    starts = np.cumsum([0, *(len(said) for said in wordings)])[:-1]
    numbers["task_index"] = starts[numbers["episode_index"]] + numbers["task_index"]
    pixels = {
        name: np.stack([decode(row["bytes"]) for row in table.column(name).to_pylist()])
        for name in IMAGE_SHAPES
    }
    text = _encoder().encode([text for said in wordings for text in said])
    return Part(kind, numbers, pixels, text.numpy())


@cache
def _encoder() -> SentenceEncoder:
    torch.set_num_threads(1)
    return SentenceEncoder()


class Taught:
    """All frames of one kind so far, on the GPU."""

    def __init__(self, horizon: int, device: str) -> None:
        self._horizon, self._device, self._waiting = horizon, device, list[Part]()
        self.batches: Batches | None = None
        self._pixels: dict[str, Tensor] = {}

    def add(self, part: Part) -> None:
        """Remember a part until the next `take`."""
        self._waiting.append(part)

    def take(self) -> None:
        """Make what has been added drawable."""
        if not self._waiting:
            return
        parts, self._waiting = self._waiting, []
        new = self._of(parts)
        old = self.batches
        numbers = {k: v if old is None else torch.cat([old.numbers[k], v]) for k, v in new.numbers.items()}
        text = new.text if old is None else torch.cat([old.text, new.text])
        self.batches = Batches(
            numbers,
            {name: held(pixels) for name, pixels in self._pixels.items()},
            self._horizon,
            text,
            ends_of(numbers["episode_index"]),
        )

    def _of(self, parts: list[Part]) -> Batches:
        """Parts as one, numbered on from what is there."""
        episode = 0 if self.batches is None else int(self.batches.numbers["episode_index"][-1]) + 1
        task = 0 if self.batches is None else len(self.batches.text)
        columns: dict[str, list[NDArray[Any]]] = {name: [] for name in (*LEARNED, *INDICES)}
        for part in parts:
            shifted = part.numbers | {
                "episode_index": part.numbers["episode_index"] + episode,
                "task_index": part.numbers["task_index"] + task,
            }
            for name, kept in columns.items():
                kept.append(shifted[name])
            episode, task = int(shifted["episode_index"][-1]) + 1, task + len(part.text)
        for name in IMAGE_SHAPES:
            pixels = torch.from_numpy(np.concatenate([p.pixels[name] for p in parts])).to(self._device)
            self._pixels[name] = torch.cat([self._pixels[name], pixels]) if name in self._pixels else pixels
        numbers = {
            name: torch.from_numpy(np.concatenate(kept)).to(self._device) for name, kept in columns.items()
        }
        text = torch.from_numpy(np.concatenate([p.text for p in parts])).to(self._device)
        return Batches(numbers, {}, self._horizon, text, ends_of(numbers["episode_index"]))
