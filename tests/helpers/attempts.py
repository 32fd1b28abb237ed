"""Made-up attempts: a policy that is steady when all is well, and shaky when it is not."""

from __future__ import annotations

import numpy as np

from vla_low_level.monitoring.keep import Kept, Label
from vla_low_level.monitoring.make import Episode
from vla_low_level.monitoring.sample import Felt, Seen

CHUNKS, CHUNK_S = 10, 0.4


def episode(seed: int, *, shaky: bool = False, dark_from: int | None = None, looks: bool = True) -> Episode:
    """Ten chunks towards an object; `shaky` from the fifth on, the camera dark from `dark_from` on."""
    rng = np.random.default_rng([seed, 0xA77])
    scene = rng.integers(0, 255, (24, 32)).astype(np.uint8)
    seen, felt, hand = [], [], np.array([0.3, 0.0, 0.3])
    for k in range(CHUNKS):
        rough = 6.0 if shaky and k >= 5 else 1.0
        step = np.array([0.02, 0.0, -0.01]) + rng.normal(0, 0.0005 * rough, 3)
        plan = np.zeros((16, 7), np.float32)
        plan[:, :3] = step / 4 + rng.normal(0, 0.0003 * rough, (16, 3))
        frame = np.zeros_like(scene) if dark_from is not None and k >= dark_from else np.roll(scene, k)
        features = {
            "embedding": rng.normal(0, rough, 12).astype(np.float32),
            "heatmap_entropy": (3 + 0.1 * rng.normal(size=2)).astype(np.float32),
            "chunk_spread": np.abs(rng.normal(0.001, 0.0002, 7)).astype(np.float32) * np.float32(rough),
            "flow_novelty": np.exp(rng.normal(0, 0.1, 1)).astype(np.float32),
            "target_m": (np.array([0.5, 0, 0]) + rng.normal(0, 0.001 * rough, 3)).astype(np.float32),
        }
        frames = {"table": frame} if looks else {}
        seen.append(Seen(k * CHUNK_S, plan, 10.0, hand, 1.0, 1.0, 0.0, features if looks else {}, frames))
        hand = hand + step + rng.normal(0, 0.0005 * rough, 3)
        felt.append(
            Felt((k + 1) * CHUNK_S, step, 4, False, 0.0008 * rough * float(rng.uniform(0.8, 1.2)), 0.0)
        )
    draws = np.abs(rng.normal(0.001, 0.0001, CHUNKS)) if looks else np.full(CHUNKS, np.nan)
    return Episode("pick", 0.0, seen, felt, np.full(CHUNKS, np.nan), draws, f"{seed:064x}")


def kept(seed: int, *, shaky: bool = False, policy: str = "test") -> Kept:
    """The same as it would lie on disk; what is shaky has failed of a fault that began at 2 s."""
    fault, onset_s = ("gain:1.7", 5 * CHUNK_S) if shaky else ("", float("nan"))
    label = Label(policy, seed, fault, onset_s, "pick", 0.0, not shaky, "done", str(not shaky).lower(), 0, 0)
    return Kept(label, episode(seed, shaky=shaky))
