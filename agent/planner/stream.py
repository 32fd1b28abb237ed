"""Generated examples as batches of tokens, in an order that only the seed decides.

Chunk by chunk: a round is a new chunk and, when examples are used more than once, earlier ones drawn by
chance. Other processes make chunks ahead of time, so that an accelerator need not wait.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from agent.planner.generate import example
from agent.planner.language_model import END, prompt
from agent.planner.sketch import spelled

CHUNK = 4096
# Longer examples are left out; the planner refuses to read them too.
WIDTH = 192
# As many chunks are kept for further use, and as many are made ahead by each process.
KEPT, AHEAD = 1000, 2


@dataclass(frozen=True, slots=True)
class Rows:
    """Examples as tokens.

    Attributes:
        ids: Prompt and sketch, then zeros, [n, WIDTH].
        begins: Where each sketch begins, [n].
        ends: The first place after it, [n].
    """

    ids: NDArray[np.uint16]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]

    def __getitem__(self, chosen: NDArray[np.int64]) -> Rows:
        return Rows(self.ids[chosen], self.begins[chosen], self.ends[chosen])


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step learns from.

    Attributes:
        ids: Token ids [n, length], padded at the end.
        at: Places in the flattened batch whose next token is to be foretold, [m].
        wanted: Those next tokens [m].
    """

    ids: Tensor
    at: Tensor
    wanted: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        return Batch(
            *(part.to(device, non_blocking=True) for part in (self.ids, self.at, self.wanted)),
        )


def batch_of(rows: Rows) -> Batch:
    """Rows as one batch, as long as the longest; only the sketch is learned."""
    length = int(rows.ends.max())
    places = np.arange(length)
    asked = (places >= rows.begins[:, None] - 1) & (places < rows.ends[:, None] - 1)
    ids = torch.from_numpy(rows.ids[:, :length].astype(np.int64))
    at = torch.from_numpy(np.flatnonzero(asked))
    return Batch(ids, at, ids.flatten()[at + 1])


def chunk(tokenizer: str, seed: int, first: int, count: int, kept: str = "") -> Rows:
    """Examples `first` to `first + count` of a seed, as the tokenizer of that file cuts them."""
    ids = np.zeros((count, WIDTH), np.uint16)
    begins, ends = np.zeros(count, np.int64), np.zeros(count, np.int64)
    row = 0
    for number in range(first, first + count):
        item = example(seed, number, kept=kept)
        head = _tokenizer(tokenizer).encode(prompt(item.marked.text), add_special_tokens=False).ids
        tail = _tokenizer(tokenizer).encode(spelled(item.sketch) + END, add_special_tokens=False).ids
        if len(head) + len(tail) <= WIDTH:
            ids[row, : len(head) + len(tail)] = head + tail
            begins[row], ends[row] = len(head), len(head) + len(tail)
            row += 1
    return Rows(ids, begins, ends)[np.resize(np.arange(row), count)]


def texts(seed: int, first: int, count: int) -> list[str]:
    """What the model reads of some examples."""
    return [example(seed, number).marked.text for number in range(first, first + count)]


@cache
def _tokenizer(path: str) -> Tokenizer:
    return Tokenizer.from_file(path)


@contextmanager
def workers(count: int) -> Iterator[Executor | None]:
    """So many processes, or none for 0. Ctrl-C is for the one that started them."""
    if count == 0:
        yield None
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, context, signal.signal, (signal.SIGINT, signal.SIG_IGN))
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class Stream:
    """Batches by the number of their step. Whichever process makes them, they are the same."""

    def __init__(
        self,
        tokenizer: str,
        seed: int,
        batch: int,
        uses: int,
        pool: Executor | None = None,
        processes: int = 0,
    ) -> None:
        """`uses`: how often an example is seen, about; `batch` examples a step, `CHUNK` at most.

        `processes`: of the pool; as many times `AHEAD` chunks are made before they are needed.
        """
        self._source, self._batch, self._uses = (tokenizer, seed), batch, uses
        self._pool, self._ahead = pool, AHEAD * processes
        self._coming: dict[int, Future[Rows]] = {}
        self._made: dict[int, Rows] = {}
        self._round: tuple[int, list[Rows]] = (-1, [])

    def batch(self, step: int) -> Batch:
        """The batch of a step, from 0."""
        number, within = divmod(step, self._uses * CHUNK // self._batch)
        if self._round[0] != number:
            self._round = (number, self._dealt(number))
        return batch_of(self._round[1][within])

    def _dealt(self, number: int) -> list[Rows]:
        """A round's batches: of like length inside, so that little is padding; their order shuffled."""
        rng = np.random.default_rng([self._source[1], number, 5])
        oldest = max(0, number - KEPT)
        again = rng.integers(oldest, number + 1, self._uses - 1)
        parts = [self._chunk(int(k)) for k in (number, *again)]
        rows = Rows(*(np.concatenate([getattr(p, name) for p in parts]) for name in Rows.__slots__))
        order = np.argsort(rows.ends + rng.random(len(rows.ends)))
        cut = [order[k : k + self._batch] for k in range(0, len(order), self._batch)]
        whole = [part for part in cut if len(part) == self._batch]
        for gone in [k for k in self._made if k < oldest]:
            del self._made[gone]
        return [rows[whole[k]] for k in rng.permutation(len(whole))]

    def _chunk(self, number: int) -> Rows:
        if self._pool is not None:
            for k in range(number, number + self._ahead + 1):
                if k not in self._made and k not in self._coming:
                    self._coming[k] = self._pool.submit(chunk, *self._source, k * CHUNK, CHUNK)
        if number not in self._made:
            coming = self._coming.pop(number, None)
            self._made[number] = coming.result() if coming else chunk(*self._source, number * CHUNK, CHUNK)
        return self._made[number]
