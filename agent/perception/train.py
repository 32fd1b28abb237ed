"""Train the detector: `python -m agent.perception.train data/perception --validation data/perception_val`.

Reads the shards that `sim.labelled` writes. One thread; the same seed and shards give the same weights.
Interrupted, it goes on from `<out>/checkpoint.safetensors`. The best weights by validation loss are
written to `<out>` as the folder that `Detector.from_pretrained` reads.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from agent.perception.network import COLOUR, STATE, STRIDE, XYZ, YAW2, YAW4, Network
from agent.perception.pretrained import load_pretrained, save_pretrained
from agent.perception.rays import grid, ground_points, network_input
from agent.perception.targets import encode

BATCH = 16
# Without normalisation layers 2e-3 diverges after a while; the clip holds back the odd huge gradient.
RATE = 7e-4
MAX_GRADIENT = 1.0
WARM_UP = 100
EMA = 0.998
CHECKPOINT_EVERY = 200
KEYS = ("rgb", "height_mm", "pose", "objects", "places", "furniture")


@dataclass(frozen=True, slots=True)
class Shards:
    """All pictures and labels of a folder, in memory. Arrays as in `sim.labelled.Sample`, stacked."""

    rgb: NDArray[np.uint8]
    height_mm: NDArray[np.int16]
    pose: NDArray[np.float64]
    objects: NDArray[np.float32]
    places: NDArray[np.float32]
    furniture: NDArray[np.float32]
    intrinsics: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rgb)


def load_shards(folder: Path, intrinsics: NDArray[np.float64]) -> Shards:
    """Read every shard of a folder, in name order. Raises FileNotFoundError when there is none."""
    files = sorted(folder.glob("*.npz"))
    if not files:
        raise FileNotFoundError(f"no shards in {folder}; make them with python -m sim.labelled {folder}")
    parts = []
    for file in files:
        with np.load(file, allow_pickle=False) as shard:
            parts.append({key: shard[key] for key in KEYS})
    # Key by key, letting go of the parts: the pictures are held twice only for a moment.
    joined = {key: np.concatenate([part.pop(key) for part in parts]) for key in list(parts[0])}
    return Shards(intrinsics=intrinsics, **joined)


def batch(shards: Shards, indices: NDArray[np.int64], rng: np.random.Generator | None) -> tuple[Tensor, ...]:
    """Inputs and target maps of some samples; colours are jittered when `rng` is given."""
    images, heats, cares, properties, masks = [], [], [], [], []
    size = (shards.rgb.shape[1], shards.rgb.shape[2])
    cells = grid(*size, STRIDE)
    for i in indices:
        rgb = shards.rgb[i] if rng is None else _jitter(shards.rgb[i], rng)
        ground = ground_points(shards.intrinsics, shards.pose[i], *cells)
        images.append(network_input(rgb, shards.height_mm[i].astype(np.float32) / 1000.0, ground))
        calibration = (shards.intrinsics, shards.pose[i])
        maps = encode(shards.objects[i], shards.places[i], shards.furniture[i], calibration, size)
        heats.append(maps.heat)
        cares.append(maps.care)
        properties.append(maps.properties)
        masks.append(maps.mask)
    return tuple(torch.from_numpy(np.stack(x)) for x in (images, heats, cares, properties, masks))


def _jitter(rgb: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Brightness, contrast, a slight tint and sensor noise."""
    gain = rng.uniform(0.8, 1.2) * rng.uniform(0.95, 1.05, 3)
    noisy = (rgb.astype(np.float32) - 128) * gain.astype(np.float32) + 128 + rng.uniform(-18, 18)
    noisy += rng.standard_normal(rgb.shape, dtype=np.float32) * rng.uniform(0, 5)
    return noisy.clip(0, 255).astype(np.uint8)


def loss_of(network: Network, data: tuple[Tensor, ...]) -> tuple[Tensor, dict[str, float]]:
    """Focal loss of the heat-map (Law & Deng 2018) plus the properties' losses where there is an object."""
    image, heat, care, properties, mask = data
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits, said = network(image.contiguous(memory_format=torch.channels_last))
    logits, said = logits.float(), said.float()
    probability = torch.sigmoid(logits)
    peak = (heat == 1).float()
    positive = -functional.logsigmoid(logits) * (1 - probability) ** 2 * peak
    negative = -functional.logsigmoid(-logits) * probability**2 * (1 - heat) ** 4 * (1 - peak)
    count = peak.sum().clamp(min=1)
    focal = ((positive + negative) * care[:, None]).sum() / count
    weight = mask / 9
    metres = (
        functional.smooth_l1_loss(said[:, XYZ], properties[:, XYZ], beta=0.004, reduction="none")
        * weight[:, XYZ]
    ).sum() / count
    turn = (
        sum(
            (functional.mse_loss(said[:, c], properties[:, c], reduction="none") * weight[:, c]).sum()
            for c in (YAW2, YAW4)
        )
        / count
    )
    colour = (
        -(functional.log_softmax(said[:, COLOUR], 1) * properties[:, COLOUR] * weight[:, COLOUR]).sum()
        / count
    )
    state = (
        functional.mse_loss(said[:, STATE], properties[:, STATE], reduction="none") * weight[:, STATE]
    ).sum()
    state = state / count
    total = focal + 80 * metres + turn + 0.5 * colour + 8 * state
    parts = {"focal": focal, "metres": metres, "turn": turn, "colour": colour, "state": state, "total": total}
    return total, {name: float(value.detach()) for name, value in parts.items()}


def batches(shards: Shards, seed: int, start: int) -> Iterator[tuple[Tensor, ...]]:
    """Endless batches, each from its own stream: a resumed run sees what it would have seen."""
    for step in range(start, 1 << 40):
        rng = np.random.default_rng([seed, 0xDE7EC7, step])
        yield batch(shards, rng.integers(0, len(shards), BATCH), rng)


@torch.no_grad()
def validate(network: Network, shards: Shards) -> dict[str, float]:
    """Mean losses over the validation shards."""
    sums: dict[str, list[float]] = {}
    for first in range(0, len(shards), BATCH):
        indices = np.arange(first, min(first + BATCH, len(shards)))
        for name, value in loss_of(network, batch(shards, indices, None))[1].items():
            sums.setdefault(name, []).append(value)
    return {name: float(np.mean(values)) for name, values in sums.items()}


class Trainer:
    """Weights, their moving average and the optimiser, as one thing that can be stopped and resumed."""

    def __init__(self, out: Path, steps: int, seed: int) -> None:
        torch.manual_seed(seed)
        self.out, self.steps, self.step = out, steps, 0
        self.network = Network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = Network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average.load_state_dict(self.network.state_dict())
        self.optimiser = torch.optim.AdamW(self.network.parameters(), lr=RATE, weight_decay=1e-3)
        self._checkpoint = out / "checkpoint.safetensors"

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one."""
        if not self._checkpoint.exists():
            return
        saved = load_file(self._checkpoint)
        self.step = int(saved["step"])
        for prefix, module in (("network.", self.network), ("average.", self.average)):
            module.load_state_dict({k[len(prefix) :]: v for k, v in saved.items() if k.startswith(prefix)})
        for index, parameter in enumerate(self.network.parameters()):
            state = {key: saved[f"adam.{index}.{key}"] for key in ("step", "exp_avg", "exp_avg_sq")}
            self.optimiser.state[parameter] = state

    def start_from(self, folder: Path) -> None:
        """Begin with the weights of a trained detector. Raises `TandemError` as `load_pretrained` does."""
        trained, _ = load_pretrained(folder)
        for module in (self.network, self.average):
            module.load_state_dict(trained.state_dict())

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        data = {"step": torch.tensor(self.step)}
        for prefix, module in (("network.", self.network), ("average.", self.average)):
            data |= {prefix + k: v.contiguous() for k, v in module.state_dict().items()}
        for index, parameter in enumerate(self.network.parameters()):
            for key, value in self.optimiser.state[parameter].items():
                data[f"adam.{index}.{key}"] = value.contiguous()
        partial = self._checkpoint.with_suffix(".part")
        save_file(data, partial)
        partial.replace(self._checkpoint)

    def learn(self, data: tuple[Tensor, ...]) -> dict[str, float]:
        """One optimiser step: warm-up, then cosine; gradient norm clipped."""
        self.step += 1
        progress = min(1.0, self.step / self.steps)
        rate = RATE * min(1.0, self.step / WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * progress)) + 1e-6
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        loss, parts = loss_of(self.network, data)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), MAX_GRADIENT)
        self.optimiser.step()
        keep = min(EMA, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(value, 1 - keep)
        return parts


def _best_so_far(trainer: Trainer) -> float:
    """The validation loss of the weights that a resumed run has written already."""
    config = trainer.out / "config.json"
    if trainer.step == 0 or not config.exists():
        return math.inf
    return float(json.loads(config.read_text())["training"]["validation"]["total"])


def train(trainer: Trainer, shards: Shards, validation: Shards, seed: int) -> None:
    """Learn until the steps are done, reporting, validating and saving as it goes."""
    best = _best_so_far(trainer)
    began, first = time.monotonic(), trainer.step
    for data in batches(shards, seed, trainer.step):
        parts = trainer.learn(data)
        if trainer.step % 20 == 0:
            left = (time.monotonic() - began) / (trainer.step - first) * (trainer.steps - trainer.step)
            shown = " ".join(f"{name} {value:.4f}" for name, value in parts.items())
            print(f"step {trainer.step}/{trainer.steps} {shown} left {left / 60:.1f} min", flush=True)
        if trainer.step % CHECKPOINT_EVERY == 0 or trainer.step >= trainer.steps:
            trainer.save()
            scores = validate(trainer.average, validation)
            print(f"validation {json.dumps(scores)}", flush=True)
            if scores["total"] < best:
                best = scores["total"]
                facts = {"step": trainer.step, "seed": seed, "samples": len(shards), "validation": scores}
                save_pretrained(trainer.out, trainer.average, facts)
        if trainer.step >= trainer.steps:
            return


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("build/perception"))
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=Path, help="folder of a trained detector to begin with")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    intrinsics = np.array(json.loads((args.data / "intrinsics.json").read_text()), dtype=np.float64)
    trainer = Trainer(args.out, args.steps, args.seed)
    if args.start is not None:
        trainer.start_from(args.start)
    trainer.resume()
    shards, validation = load_shards(args.data, intrinsics), load_shards(args.validation, intrinsics)
    print(f"{len(shards)} samples, {len(validation)} for validation, stride {STRIDE}", flush=True)
    train(trainer, shards, validation, args.seed)


if __name__ == "__main__":
    main()
