"""Training: a thing that can be stopped at any step and goes on as if it had not been."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from safetensors.torch import load_file, save_file
from torch import Tensor

from traces.errors import TandemError
from vla_low_level.dataset.schema import ACTION, STATE
from vla_low_level.vla.batches import Batch, Batches, draw
from vla_low_level.vla.config import VLAConfig
from vla_low_level.vla.losses import WEIGHTS, losses, total
from vla_low_level.vla.network import VLANetwork
from vla_low_level.vla.pretrained import save_pretrained
from vla_low_level.vla.text import spread_out

# Below these a column hardly varies, and dividing by it would make noise of it: state; m, rad, gripper.
LEAST_STATE_STD = 0.02
LEAST_ACTION_STD = (0.004,) * 3 + (0.02,) * 3 + (0.2,)
LOG_EVERY = 50
# Who is interrupted loses no more than this.
SAVE_EVERY_S = 60.0


class Recipe(BaseModel):
    """How to train.

    Attributes:
        steps: Optimiser steps.
        batch: Frames in each.
        rate: Highest learning rate; after a warm-up it falls like a cosine.
        warm_up: Steps of it.
        decay: Weight decay of AdamW.
        clip: Largest norm of a gradient.
        average: Decay of the weights' moving average, which is what is shipped.
        seed: Of initial weights, batches and noise.
        validate_every: Steps between validations; each writes a checkpoint first, as does every minute.
        weights: Of the losses.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(default=20_000, ge=1)
    batch: int = Field(default=64, ge=1)
    rate: float = Field(default=1e-3, gt=0)
    warm_up: int = Field(default=300, ge=1)
    decay: float = 1e-3
    clip: float = 1.0
    average: float = Field(default=0.999, ge=0, lt=1)
    seed: int = 0
    validate_every: int = Field(default=2000, ge=1)
    weights: dict[str, float] = Field(default_factory=lambda: dict(WEIGHTS))


@dataclass(frozen=True, slots=True)
class Step:
    """Where training is.

    Attributes:
        step: Steps done.
        of: Steps in all.
        losses: The latest, by name.
        left_s: Time left, estimated from this run.
        score: Of a validation that has just been made, else None; higher is better.
        best: Whether it is the best so far.
    """

    step: int
    of: int
    losses: dict[str, float]
    left_s: float
    score: float | None = None
    best: bool = False


Validate = Callable[[VLANetwork], float]
"""Scores weights on validation seeds: higher is better."""


class Trainer:
    """Weights, their moving average, and the optimiser."""

    def __init__(self, out: Path, recipe: Recipe, config: VLAConfig, device: str = "cpu") -> None:
        torch.manual_seed(recipe.seed)
        self.out, self.recipe, self.device = out, recipe, torch.device(device)
        self.step, self.best = 0, -math.inf
        self.network = self._placed(VLANetwork(config))
        self.average = self._placed(VLANetwork(config))
        self.average.load_state_dict(self.network.state_dict())
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=recipe.rate, weight_decay=recipe.decay
        )
        self._checkpoint = out / "checkpoint.safetensors"

    def start_from(self, trained: VLANetwork) -> None:
        """Begin with trained weights. Raises RuntimeError when they are of another shape."""
        for module in (self.network, self.average):
            module.load_state_dict(trained.state_dict())

    def know_words(self, features: Tensor) -> None:
        """Learn from sentence features [n, 384] how to scale them, and what a subgoal sounds like."""
        known = spread_out(features, self.network.config.known_sentences)
        for module in (self.network, self.average):
            module.text_known.copy_(known)
            module.text_mean.copy_(features.mean(0))
            if module.config.scale_text:
                module.text_std.copy_(features.std(0).clamp(min=1e-3))

    def resume(self) -> bool:
        """Go on from the checkpoint, if there is one.

        Raises:
            TandemError: `CHECKPOINT_MISMATCH` when it was made by another recipe.
        """
        if not self._checkpoint.exists():
            return False
        said = json.loads((self.out / "recipe.json").read_text())
        if said["recipe"] != self._identity():
            raise TandemError(
                "CHECKPOINT_MISMATCH",
                f"{self.out} holds a training with another recipe",
                fix="repeat its options, or choose another folder with --out",
            )
        saved = load_file(self._checkpoint)
        self.step, self.best = int(saved["step"]), float(saved["best"])
        for prefix, module in (("network.", self.network), ("average.", self.average)):
            module.load_state_dict({k[len(prefix) :]: v for k, v in saved.items() if k.startswith(prefix)})
        for index, parameter in enumerate(self.network.parameters()):
            self.optimiser.state[parameter] = {
                key: saved[f"adam.{index}.{key}"].to(parameter.device if key != "step" else "cpu")
                for key in ("step", "exp_avg", "exp_avg_sq")
            }
        return True

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        self.out.mkdir(parents=True, exist_ok=True)
        data = {"step": torch.tensor(self.step), "best": torch.tensor(self.best, dtype=torch.float64)}
        for prefix, module in (("network.", self.network), ("average.", self.average)):
            data |= {prefix + k: v.contiguous() for k, v in module.state_dict().items()}
        for index, parameter in enumerate(self.network.parameters()):
            for key, value in self.optimiser.state[parameter].items():
                data[f"adam.{index}.{key}"] = value.contiguous()
        (self.out / "recipe.json").write_text(json.dumps({"recipe": self._identity()}, indent=1) + "\n")
        partial = self._checkpoint.with_suffix(".part")
        save_file(data, partial)
        partial.replace(self._checkpoint)

    def learn(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """One optimiser step; returns the losses, which a GPU may still be working at.

        Args:
            batch: What to learn from, where the network is.
            progress: How much of the training is done, 0..1: the learning rate falls with it.
        """
        self.step += 1
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate(progress)
        generator = torch.Generator(self.device).manual_seed(self.recipe.seed * 1_000_003 + self.step)
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=fast_bfloat16(self.device)):
            parts = losses(self.network, batch, generator)
        loss = total(parts, self.recipe.weights)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        self.optimiser.step()
        keep = min(self.recipe.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), 1 - keep)
        return {name: value.detach() for name, value in (parts | {"total": loss}).items()}

    def _rate(self, progress: float) -> float:
        warm = min(1.0, self.step / self.recipe.warm_up)
        return self.recipe.rate * (warm * (0.5 + 0.5 * math.cos(math.pi * min(1.0, progress))) + 1e-3)

    def _identity(self) -> dict[str, Any]:
        return {
            "recipe": self.recipe.model_dump(mode="json"),
            "network": self.network.config.model_dump(mode="json"),
        }

    def _placed(self, network: VLANetwork) -> VLANetwork:
        return network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def train(
    trainer: Trainer, mixture: Sequence[tuple[Batches, float]], validate: Validate, facts: dict[str, Any]
) -> Iterator[Step]:
    """Learn until the steps are done; writes checkpoints, logs and the best weights as it goes.

    Args:
        trainer: New, or resumed.
        mixture: Datasets, and how often a frame of each is drawn relative to the others'.
        validate: Called every `validate_every` steps with the averaged weights.
        facts: What `config.json` shall say about where the weights come from.

    Yields:
        Every `LOG_EVERY` steps, and after every validation.
    """
    from torch.utils.tensorboard import SummaryWriter

    share = np.array([len(batches) * weight for batches, weight in mixture])
    share = share / share.sum()
    recipe, first, began = trainer.recipe, trainer.step, time.monotonic()
    saved = began
    trainer.out.mkdir(parents=True, exist_ok=True)
    with SummaryWriter(trainer.out / "tensorboard") as board, (trainer.out / "log.jsonl").open("a") as log:
        while trainer.step < recipe.steps:
            # Each batch has its own stream: a resumed run sees what it would have seen.
            rng = np.random.default_rng([recipe.seed, 0x71A, trainer.step])
            batch = draw([batches for batches, _ in mixture], share, recipe.batch, rng)
            lost = trainer.learn(batch, (trainer.step + 1) / recipe.steps)
            if time.monotonic() - saved > SAVE_EVERY_S:
                trainer.save()
                saved = time.monotonic()
            now, due = trainer.step, trainer.step % recipe.validate_every == 0 or trainer.step == recipe.steps
            if now % LOG_EVERY and not due:
                continue
            parts = {name: float(value) for name, value in lost.items()}
            if not math.isfinite(parts["total"]):
                raise TandemError(
                    "TRAINING_DIVERGED", f"the loss is not finite at step {now}", fix="lower --rate"
                )
            left = (time.monotonic() - began) / (now - first) * (recipe.steps - now)
            score, best = None, False
            if due:
                trainer.save()
                score = validate(copy.deepcopy(trainer.average).cpu())
                best = score > trainer.best
                if best:
                    trainer.best = score
                    save_pretrained(trainer.out, trainer.average, facts | {"step": now, "validation": score})
                    trainer.save()
            for name, value in (parts | ({} if score is None else {"validation": score})).items():
                board.add_scalar(name, value, now)
            log.write(json.dumps({"step": now, **parts, "validation": score}) + "\n")
            log.flush()
            yield Step(now, recipe.steps, parts, left, score, best)


def choose_device(name: str) -> str:
    """`cpu` or `cuda`; `auto` takes a GPU where there is one.

    Raises:
        TandemError: `NO_GPU` when one is asked for and there is none.
    """
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise TandemError("NO_GPU", "torch sees no CUDA device", fix="use --device cpu")
    return "cuda" if there and name != "cpu" else "cpu"


def fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is quicker there than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def statistics(config: VLAConfig, stats: dict[str, Any]) -> VLAConfig:
    """The configuration with mean and spread of a dataset's `meta/stats.json`."""
    state, action = stats[STATE], stats[ACTION]
    return config.model_copy(
        update={
            "state_mean": tuple(state["mean"]),
            "state_std": tuple(max(LEAST_STATE_STD, s) for s in state["std"]),
            # Deltas go either way: their mean is left at zero, so that zero noise means standing still.
            "action_mean": (0.0,) * 6 + (0.5,),
            "action_std": tuple(
                max(least, s) for least, s in zip(LEAST_ACTION_STD, action["std"], strict=True)
            ),
        }
    )
