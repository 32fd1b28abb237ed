"""Train the planner's language model: `tandem planner train --steps 3000`.

Examples are generated as they are needed; example numbers below a thousand million train, those above
validate. Interrupted, it goes on from `<out>/checkpoint.safetensors`. With more templates a trained folder
can be the start: its tokenizer spells every word. On a CPU the same seed and settings give the same weights;
an accelerator sees the same examples in the same order, but may round differently.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections import Counter
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

from agent.planner.grammar import CHECKED, HELD
from agent.planner.language_model import BEGIN, END, PAD, WORDS_FILE, train_tokenizer, write_folder
from agent.planner.stream import CHUNK, Batch, Rows, Stream, batch_of, chunk, texts, workers
from traces.errors import TandemError

RATE = 2.5e-3
RATE_FROM_START = 1.2e-3
# The width for which the rates above are meant.
RATED_WIDTH = 128
HEAD = 64
MAX_WIDTH, MAX_LAYERS = 1024, 24
VALIDATE_EVERY, VALIDATED, VALIDATION_BATCH = 500, 1024, 256
SAVE_EVERY_S = 30.0
WARM_UP = 200
FIRST_WORDS, WORDS_JOB = 40_000, 2_000
# Said less often than this among the first examples, a word is a chance spelling and not known.
LEAST_SAID = 3
VALIDATION_FIRST = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Settings:
    """How to train.

    Attributes:
        steps: Optimiser steps in all; None for as many as `minutes` allow.
        minutes: Wall time in all, over which the learning rate falls; None for no limit.
        seed: Of examples and first weights.
        start: A folder to begin with, in place of random weights.
        device: `auto`, `cpu` or `cuda`.
        batch: Examples a step.
        width: Of the model, a multiple of 64.
        layers: Of the model.
        workers: Processes that make examples; 0 makes them in this one.
        uses: How often an example is seen, about.
    """

    steps: int | None = 2500
    minutes: float | None = None
    seed: int = 0
    start: Path | None = None
    device: str = "auto"
    batch: int = 48
    width: int = 256
    layers: int = 6
    workers: int = 0
    uses: int = 1

    def progress(self, step: int, spent_s: float) -> float:
        """How much of the training is over, 0 to 1."""
        by_steps = step / self.steps if self.steps else 0.0
        by_time = spent_s / (60.0 * self.minutes) if self.minutes else 0.0
        return min(1.0, max(by_steps, by_time))


def device_of(name: str) -> torch.device:
    """The device of a name; `auto` takes an accelerator where there is one.

    Raises:
        TandemError: `DEVICE_UNKNOWN` or `DEVICE_MISSING`.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise TandemError("DEVICE_UNKNOWN", f"there is no device {name!r}", fix="use auto, cpu or cuda")
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise TandemError("DEVICE_MISSING", "torch finds no CUDA device", fix="use --device cpu")
    return torch.device("cuda" if there and name != "cpu" else "cpu")


def size_of(text: str) -> tuple[int, int]:
    """Width and layers of `256x6`. Raises `TandemError` `BAD_SIZE`."""
    width, _, layers = text.partition("x")
    numbers = (int(width), int(layers)) if width.isdecimal() and layers.isdecimal() else (0, 0)
    if numbers[0] in range(HEAD, MAX_WIDTH + 1, HEAD) and numbers[1] in range(1, MAX_LAYERS + 1):
        return numbers
    raise TandemError(
        "BAD_SIZE", f"{text!r} is no size", fix=f"write WIDTHxLAYERS, the width a multiple of {HEAD}: 256x6"
    )


def new_model(tokenizer: Tokenizer, width: int, layers: int) -> LlamaForCausalLM:
    """A plain Llama with heads of 64, which is what servers have kernels for; sentence patterns, no nouns."""
    size = (tokenizer.get_vocab_size() + 63) // 64 * 64
    config = LlamaConfig(
        vocab_size=size,
        hidden_size=width,
        intermediate_size=width * 11 // 4,
        num_hidden_layers=layers,
        num_attention_heads=width // HEAD,
        num_key_value_heads=width // HEAD,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.token_to_id(BEGIN),
        eos_token_id=tokenizer.token_to_id(END),
        pad_token_id=tokenizer.token_to_id(PAD),
    )
    return LlamaForCausalLM(config)


def scores_of(model: LlamaForCausalLM, batch: Batch) -> Tensor:
    """Scores of every token [m, vocabulary] at the places that are asked for; bfloat16 on an accelerator."""
    device = batch.ids.device.type
    with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
        hidden = model.model(input_ids=batch.ids, use_cache=False).last_hidden_state
        return torch.as_tensor(model.lm_head(hidden.flatten(0, 1).index_select(0, batch.at))).float()


@torch.no_grad()
def validate(model: LlamaForCausalLM, rows: Rows, device: torch.device) -> tuple[float, float]:
    """Mean loss of a batch, and the share of sketches that are right in every token."""
    losses, right = [], 0
    for k in range(0, len(rows.ends), VALIDATION_BATCH):
        part = slice(k, k + VALIDATION_BATCH)
        batch = batch_of(Rows(rows.ids[part], rows.begins[part], rows.ends[part])).to(device)
        scores = scores_of(model, batch)
        losses.append(float(functional.cross_entropy(scores, batch.wanted)))
        missed = batch.at[scores.argmax(-1) != batch.wanted] // batch.ids.shape[1]
        right += len(batch.ids) - len(set(missed.tolist()))
    return sum(losses) / len(losses), right / len(rows.ends)


class Trainer:
    """Model and optimiser, as one thing that can be stopped and resumed."""

    def __init__(self, out: Path, settings: Settings, pool: Executor | None = None) -> None:
        torch.manual_seed(settings.seed)
        self.out, self.settings = out, settings
        self.device = device_of(settings.device)
        self.step, self.spent_s, self.best = 0, 0.0, -1.0
        tokens = out / "tokenizer.json"
        if not tokens.exists():
            _prepare(out, settings, pool)
        self.tokenizer = Tokenizer.from_file(str(tokens))
        self.model = self._begun().to(self.device)
        rate = RATE if settings.start is None else RATE_FROM_START
        self.rate = rate * (RATED_WIDTH / int(self.model.config.hidden_size)) ** 0.5
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), lr=self.rate, weight_decay=0.05, betas=(0.9, 0.98)
        )
        self.stream = Stream(
            str(tokens), settings.seed, settings.batch, settings.uses, pool, settings.workers
        )
        self.validation = {
            name: chunk(str(tokens), settings.seed, VALIDATION_FIRST, VALIDATED, kept)
            for name, kept in (("validation", ""), ("checked_families", CHECKED), ("held_families", HELD))
        }
        self._checkpoint = out / "checkpoint.safetensors"

    def _begun(self) -> LlamaForCausalLM:
        start = self.settings.start
        if start is None:
            return new_model(self.tokenizer, self.settings.width, self.settings.layers)
        return LlamaForCausalLM.from_pretrained(start, local_files_only=True).float()

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one."""
        if not self._checkpoint.exists():
            return
        saved = load_file(self._checkpoint)
        self.step, self.spent_s, self.best = int(saved["step"]), *saved["spent_s and best"].tolist()
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(saved[f"model.{name}"])
                state = {key: saved[f"adam.{name}.{key}"] for key in ("exp_avg", "exp_avg_sq")}
                moved = {key: value.to(self.device) for key, value in state.items()}
                self.optimiser.state[parameter] = {"step": saved[f"adam.{name}.step"], **moved}

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        told = torch.tensor([self.spent_s, self.best], dtype=torch.float64)
        data: dict[str, Tensor] = {"step": torch.tensor(self.step), "spent_s and best": told}
        for name, parameter in self.model.named_parameters():
            data[f"model.{name}"] = parameter.detach()
            data |= {f"adam.{name}.{k}": v.clone() for k, v in self.optimiser.state[parameter].items()}
        partial = self._checkpoint.with_suffix(".part")
        save_file(data, partial)
        partial.replace(self._checkpoint)

    def learn(self) -> Tensor:
        """One optimiser step: warm-up, then cosine; gradient norm clipped at 1."""
        batch = self.stream.batch(self.step).to(self.device)
        self.step += 1
        cosine = 0.5 + 0.5 * math.cos(math.pi * self.settings.progress(self.step, self.spent_s))
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * min(1.0, self.step / WARM_UP) * cosine + 1e-6
        self.optimiser.zero_grad(set_to_none=True)
        loss = functional.cross_entropy(scores_of(self.model, batch), batch.wanted)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        return loss.detach()

    def check(self) -> None:
        """Validate; ship what is best on families that only choose, and say so."""
        facts: dict[str, Any] = {"step": self.step, "examples": self.step * self.settings.batch}
        facts |= {"seed": self.settings.seed, "minutes": round(self.spent_s / 60, 2)}
        facts |= {name: validate(self.model, rows, self.device) for name, rows in self.validation.items()}
        print(json.dumps(facts), flush=True)
        if facts["checked_families"][1] >= self.best:
            self.best = facts["checked_families"][1]
            self._ship(facts)

    def _ship(self, facts: dict[str, Any]) -> None:
        """Write the folder that is served, in float16, in place of the one before."""
        model = LlamaForCausalLM(self.model.config)
        model.load_state_dict({name: value.cpu() for name, value in self.model.state_dict().items()})
        words = json.loads((self.out / WORDS_FILE).read_text())
        part, old, folder = (self.out / name for name in ("folder.part", "folder.old", "folder"))
        shutil.rmtree(part, ignore_errors=True)
        write_folder(part, model.half(), self.tokenizer, words, facts)
        if folder.exists():
            folder.replace(old)
        part.replace(folder)
        shutil.rmtree(old, ignore_errors=True)


def _prepare(out: Path, settings: Settings, pool: Executor | None) -> None:
    """Tokenizer and known words, from the first examples."""
    out.mkdir(parents=True, exist_ok=True)
    firsts = range(0, FIRST_WORDS, WORDS_JOB)
    jobs = ([settings.seed] * len(firsts), firsts, [WORDS_JOB] * len(firsts))
    first = [text for job in (pool.map if pool else map)(texts, *jobs) for text in job]
    said = Counter(word for text in first for word in text.split() if not word.startswith("<"))
    known = sorted(word for word, times in said.items() if times >= LEAST_SAID)
    (out / WORDS_FILE).write_text(json.dumps(known, ensure_ascii=False) + "\n")
    if settings.start is None:
        tokenizer = train_tokenizer(first)
    else:
        tokenizer = Tokenizer.from_file(str(settings.start / "tokenizer.json"))
    tokenizer.save(str(out / "tokenizer.json"))


def train(out: Path, settings: Settings) -> None:
    """Learn until the steps or the minutes are over, reporting, validating and saving as it goes."""
    assert settings.batch <= CHUNK
    torch.set_num_threads(1)
    with workers(settings.workers) as pool:
        trainer = Trainer(out, settings, pool)
        trainer.resume()
        _run(trainer)


def _run(trainer: Trainer) -> None:
    settings = trainer.settings
    began, first, told, saved = time.monotonic() - trainer.spent_s, trainer.step, 0.0, time.monotonic()
    while (done := settings.progress(trainer.step, trainer.spent_s)) < 1.0:
        loss = trainer.learn()
        trainer.spent_s = time.monotonic() - began
        now = time.monotonic()
        if now - told > 5.0 or trainer.step == first + 1:
            told = now
            left_min = trainer.spent_s * (1 - done) / max(done, 1e-6) / 60
            print(f"step {trainer.step} loss {float(loss):.4f} left {left_min:.1f} min", flush=True)
        over = settings.progress(trainer.step, trainer.spent_s) >= 1.0
        if trainer.step % VALIDATE_EVERY == 0 or over:
            trainer.check()
        if now - saved > SAVE_EVERY_S or over:
            trainer.save()
            saved = now
