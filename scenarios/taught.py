"""What a policy is taught while it is being recorded: parts as they come, drawable from a GPU's memory."""

from __future__ import annotations

import json
from functools import lru_cache
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
from vla_low_level.vla.batches import LEARNED, TASK, Batches, held
from vla_low_level.vla.text import SentenceEncoder


class Part(NamedTuple):
    """One recorded scene.

    Attributes:
        kind: `demos`, `glances` or `corrections`.
        numbers: Columns by name.
        pixels: By camera, uint8 [n, H, W, 3].
        said: Sentences, which `task_index` points into.
    """

    kind: str
    numbers: dict[str, NDArray[Any]]
    pixels: dict[str, NDArray[np.uint8]]
    said: list[str]


def read_part(kind: str, path: Path) -> Part:
    """The part of one scene, as `tandem data record` leaves it."""
    table = pq.read_table(path)
    wordings: list[list[str]] = json.loads(table.schema.metadata[TEXT])
    said = list(dict.fromkeys(text for texts in wordings for text in texts))
    numbers = {name: column(table, name) for name in LEARNED}
    spoken = zip(column(table, "episode_index"), column(table, TASK), strict=True)
    numbers[TASK] = np.array([said.index(wordings[int(episode)][int(k)]) for episode, k in spoken])
    decoded = lru_cache(maxsize=2)(decode)
    pixels = {
        name: np.stack([decoded(row["bytes"]) for row in table.column(name).to_pylist()])
        for name in IMAGE_SHAPES
    }
    return Part(kind, numbers, pixels, said)


class Taught:
    """All frames of one kind so far, on the GPU."""

    def __init__(self, horizon: int, device: str, encoder: SentenceEncoder) -> None:
        self._horizon, self._device, self._waiting = horizon, device, list[Part]()
        self._encoder = encoder
        self.batches: Batches | None = None
        self._pixels: dict[str, Tensor] = {}

    def __len__(self) -> int:
        """Frames that can be drawn."""
        return 0 if self.batches is None else len(self.batches)

    def add(self, part: Part) -> None:
        """Remember a part until the next `take`."""
        self._waiting.append(part)

    def take(self) -> None:
        """Make what has been added drawable."""
        if not self._waiting:
            return
        parts, self._waiting = self._waiting, []
        numbers = {name: self._sent([part.numbers[name] for part in parts]) for name in LEARNED}
        numbers[TASK] = self._sent(self._tasks(parts))
        text = self._encoder.encode([text for part in parts for text in part.said]).to(self._device)
        for name in IMAGE_SHAPES:
            pixels = self._sent([part.pixels[name] for part in parts])
            self._pixels[name] = torch.cat([self._pixels[name], pixels]) if name in self._pixels else pixels
        if (old := self.batches) is not None:
            numbers = {name: torch.cat([old.numbers[name], new]) for name, new in numbers.items()}
            text = torch.cat([old.text, text])
        pictures = {name: held(pixels) for name, pixels in self._pixels.items()}
        self.batches = Batches(numbers, pictures, self._horizon, text)

    def _tasks(self, parts: list[Part]) -> list[NDArray[Any]]:
        """The parts' sentences, numbered on from those that are there."""
        first, found = 0 if self.batches is None else len(self.batches.text), []
        for part in parts:
            found.append(part.numbers[TASK] + first)
            first += len(part.said)
        return found

    def _sent(self, arrays: list[NDArray[Any]]) -> Tensor:
        """Arrays one after the other, on the device."""
        return torch.from_numpy(np.concatenate(arrays)).to(self._device)
