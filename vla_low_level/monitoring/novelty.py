"""Is what the policy makes of a scene like what it made of scenes in which it did well?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

WIDTH = 48
NEIGHBOURS = 5
BANK = 1500


@dataclass(frozen=True, slots=True)
class Novelty:
    """Distances of an embedding from those of good episodes, per skill.

    Attributes:
        skills: Names, in the order of `means`.
        means: float32 [S, d], mean embedding of each skill.
        whiten: float32 [d, k], to k directions of unit variance about the skills' means.
        bank: float32 [N, k], whitened embeddings.
        owner: int64 [N], whose skill each of them is of.
    """

    skills: tuple[str, ...]
    means: F32
    whiten: F32
    bank: F32
    owner: NDArray[np.int64]

    def scores(self, embedding: F32, skill: str) -> dict[str, float]:
        """Mahalanobis distance, and mean distance of the nearest `NEIGHBOURS`; none for a skill not known."""
        if skill not in self.skills:
            return {}
        k = self.skills.index(skill)
        white = (embedding - self.means[k]) @ self.whiten
        bank = self.bank[self.owner == k]
        apart = ((bank - white) ** 2).sum(1)
        near = np.sort(np.partition(apart, min(NEIGHBOURS, len(apart)) - 1)[:NEIGHBOURS])
        return {
            "mahalanobis": float(np.sqrt((white**2).sum())),
            "neighbours": float(np.sqrt(near).mean()),
        }


def fit_novelty(embeddings: Mapping[str, Sequence[F32]], width: int = WIDTH) -> Novelty:
    """Fit to embeddings [n, d] of good episodes by skill; the covariance about the means is shared.

    It is shrunk towards a multiple of the identity as far as Ledoit and Wolf (2004) say.
    """
    skills = tuple(sorted(embeddings))
    groups = [np.concatenate([np.atleast_2d(e) for e in embeddings[s]]).astype(np.float64) for s in skills]
    means = np.stack([g.mean(0) for g in groups])
    centred = np.concatenate([g - m for g, m in zip(groups, means, strict=True)])
    values, vectors = np.linalg.eigh(shrunk(centred))
    top = np.argsort(values)[::-1][:width]
    whiten = vectors[:, top] / np.sqrt(values[top])
    owner = np.concatenate([np.full(len(g), k, np.int64) for k, g in enumerate(groups)])
    every = max(1, -(-len(centred) // BANK))
    bank = (centred @ whiten)[::every]
    # As they are stored, so that a calibration that was read back gives the same scores.
    return Novelty(skills, _half(means), _half(whiten), _half(bank), owner[::every])


def _half(values: NDArray[np.float64]) -> F32:
    """In row order, too: products of another order differ in their last digits."""
    return np.ascontiguousarray(values.astype(np.float16).astype(np.float32))


def shrunk(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ledoit and Wolf's covariance [d, d] of centred rows [n, d]."""
    n, d = centred.shape
    sample = centred.T @ centred / n
    mean = np.trace(sample) / d
    spread = ((sample - mean * np.eye(d)) ** 2).sum()
    noise = (((centred**2).sum(1) ** 2).sum() / n - (sample**2).sum()) / n
    share = 1.0 if spread == 0 else min(1.0, max(0.0, noise / spread))
    shrink: NDArray[np.float64] = (1.0 - share) * sample + share * mean * np.eye(d)
    return shrink
