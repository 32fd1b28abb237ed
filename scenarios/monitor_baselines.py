"""Published monitors on our rollouts, each with the exact threshold: what ours has to beat.

Re-implemented from the papers, on the policy's embedding and chunks; where a paper sums over time, so do we.
A policy without an embedding is known by the arm's state and the chunk itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vla_low_level.monitoring.make import Episode
from vla_low_level.monitoring.motion import disagreement
from vla_low_level.monitoring.sample import Seen

F64 = NDArray[np.float64]
Scores = Callable[[Episode], F64]
"""An episode in; a score [n] of each chunk out."""

STEPS, WIDTH, WINDOW = 400, 256, 3
NEIGHBOURS = 5


def baselines(good: Sequence[Episode], seed: int = 0) -> Mapping[str, Sequence[Scores]]:
    """Fit all to good episodes. A method with two scores alarms when both are above their bounds.

    Missing are those that the policy cannot have: chunks that do not overlap, or that are never drawn twice.
    """
    data = np.concatenate([_embeddings(e) for e in good])
    mean, spread = data.mean(0), data.std(0) + 1e-3
    x = torch.from_numpy(((data - mean) / spread).astype(np.float32))

    def white(episode: Episode) -> Tensor:
        return torch.from_numpy(((_embeddings(episode) - mean) / spread).astype(np.float32))

    flow, distilled = _logpzo(x, seed), _distilled(x, seed)

    def rnd(episode: Episode) -> F64:
        return _windowed(distilled(white(episode)))

    found: dict[str, Sequence[Scores]] = {
        "logpZO": (lambda e: flow(white(e)),),
        "RND": (rnd,),
        "kNN": (lambda e: _neighbours(x, white(e)),),
        "time": (lambda e: np.array([s.time_s for s in e.seen]) - e.started_s,),
    }
    if any(_overlaps(e).any() for e in good):
        found["STAC, single sample"] = (lambda e: np.cumsum(_overlaps(e)),)
    if not any(np.isnan(e.spread).any() for e in good):
        found["FIPER-style AND"] = (rnd, lambda e: _windowed(np.log(e.spread + 1e-9)))
    return found


def _embeddings(episode: Episode) -> NDArray[np.float32]:
    return np.stack([s.features["embedding"] if s.features else _state(s) for s in episode.seen])


def _state(seen: Seen) -> NDArray[np.float32]:
    """What there is to know of a policy that says nothing of itself: arm, fingers and chunk, float32 [13]."""
    body = [*seen.hand_m, seen.opening, seen.grip, seen.force_n]
    return np.array([*body, *seen.plan[:, :6].sum(0), seen.plan[-1, 6]], np.float32)


def _overlaps(episode: Episode) -> F64:
    found = [0.0]
    for k in range(1, len(episode.seen)):
        rows = episode.felt[k - 1].rows
        apart = disagreement(episode.seen[k - 1].plan, episode.seen[k].plan, rows)
        found.append(0.0 if np.isnan(apart) else apart**2)
    return np.array(found)


def _windowed(scores: F64) -> F64:
    return np.array([scores[max(0, k - WINDOW + 1) : k + 1].mean() for k in range(len(scores))])


def _neighbours(bank: Tensor, x: Tensor) -> F64:
    near = torch.cdist(x, bank).topk(min(NEIGHBOURS, len(bank)), largest=False).values
    found: F64 = near.mean(1).double().numpy()
    return found


def _mlp(into: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(into, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Linear(WIDTH, out)
    )


def _logpzo(x: Tensor, seed: int) -> Callable[[Tensor], F64]:
    """Flow matching from embeddings to noise; the score is |x + v(x, 0)|^2 (Xu et al. 2025, as released)."""
    torch.manual_seed(seed)
    net = _mlp(x.shape[1] + 1, x.shape[1])
    optimiser = torch.optim.AdamW(net.parameters(), 1e-3)
    for _ in range(STEPS):
        here = x[torch.randint(len(x), (128,))]
        noise, t = torch.randn_like(here), torch.rand(128, 1)
        told = net(torch.cat([(1 - t) * here + t * noise, t], 1))
        loss = ((told - (noise - here)) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    @torch.no_grad()
    def score(y: Tensor) -> F64:
        z: F64 = ((y + net(torch.cat([y, torch.zeros(len(y), 1)], 1))) ** 2).sum(1).double().numpy()
        return z

    return score


def _distilled(x: Tensor, seed: int) -> Callable[[Tensor], F64]:
    """Error of a network trained to copy a random one (Burda et al. 2019; FIPER's RND-OE)."""
    torch.manual_seed(seed + 1)
    target, net = _mlp(x.shape[1], 64), _mlp(x.shape[1], 64)
    optimiser = torch.optim.AdamW(net.parameters(), 1e-3)
    for _ in range(STEPS):
        here = x[torch.randint(len(x), (128,))]
        loss = ((net(here) - target(here).detach()) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    @torch.no_grad()
    def score(y: Tensor) -> F64:
        apart: F64 = ((net(y) - target(y)) ** 2).sum(1).double().numpy()
        return apart

    return score
