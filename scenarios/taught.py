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
from vla_low_level.dataset.schema import IMAGE_SHAPES, INDICES
from vla_low_level.dataset.statistics import column, decode
from vla_low_level.vla.batches import LEARNED, Batches, ends_of, held
from vla_low_level.vla.text import SentenceEncoder

COLUMNS = (*LEARNED, *INDICES)


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
    numbers = {name: column(table, name) for name in COLUMNS}
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
        columns = self._numbered(parts)
        numbers = {name: self._sent([each[name] for each in columns]) for name in COLUMNS}
        text = self._sent([part.text for part in parts])
        for name in IMAGE_SHAPES:
            pixels = self._sent([part.pixels[name] for part in parts])
            self._pixels[name] = torch.cat([self._pixels[name], pixels]) if name in self._pixels else pixels
        if (old := self.batches) is not None:
            numbers = {name: torch.cat([old.numbers[name], new]) for name, new in numbers.items()}
            text = torch.cat([old.text, text])
        pictures = {name: held(pixels) for name, pixels in self._pixels.items()}
        last = ends_of(numbers["episode_index"])
        self.batches = Batches(numbers, pictures, self._horizon, text, last)

    def _numbered(self, parts: list[Part]) -> list[dict[str, NDArray[Any]]]:
        """The parts' columns, numbered on from what is there."""
        episode = 0 if self.batches is None else int(self.batches.numbers["episode_index"][-1]) + 1
        task = 0 if self.batches is None else len(self.batches.text)
        found = []
        for part in parts:
            shifted = part.numbers | {
                "episode_index": part.numbers["episode_index"] + episode,
                "task_index": part.numbers["task_index"] + task,
            }
            found.append(shifted)
            episode, task = int(shifted["episode_index"][-1]) + 1, task + len(part.text)
        return found

    def _sent(self, arrays: list[NDArray[Any]]) -> Tensor:
        """Arrays one after the other, on the device."""
        return torch.from_numpy(np.concatenate(arrays)).to(self._device)
