"""Train the planner's language model: `tandem planner train --steps 3000`.

Examples are generated as they are needed; example numbers below ten million train, those above validate.
One thread; deterministic in steps; interrupted, it goes on from `<out>/checkpoint.safetensors`. With more
templates a trained folder can be the start: its tokenizer spells every word.
"""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

from agent.planner.generate import example
from agent.planner.language_model import BEGIN, END, PAD, WORDS_FILE, prompt, train_tokenizer, write_folder
from agent.planner.sketch import spelled

BATCH = 48
GROUP = 8
RATE = 2.5e-3
RATE_FROM_START = 1.2e-3
SAVE_EVERY, VALIDATE_EVERY = 50, 250
WARM_UP = 100
FIRST_WORDS = 20_000
# Said less often than this among the first examples, a word is a chance spelling and not known.
LEAST_SAID = 3
VALIDATION_FIRST = 10_000_000


def new_model(tokenizer: Tokenizer) -> LlamaForCausalLM:
    """4 layers of 128; about 1.2 million parameters: sentence patterns only, no nouns."""
    size = (tokenizer.get_vocab_size() + 63) // 64 * 64
    config = LlamaConfig(
        vocab_size=size,
        hidden_size=128,
        intermediate_size=352,
        num_hidden_layers=4,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.token_to_id(BEGIN),
        eos_token_id=tokenizer.token_to_id(END),
        pad_token_id=tokenizer.token_to_id(PAD),
    )
    return LlamaForCausalLM(config)


def batch(
    tokenizer: Tokenizer, seed: int, number: int, *, first: int = 0, held: bool = False
) -> tuple[Tensor, Tensor]:
    """Token ids and labels [BATCH, length] of batch `number`; only the sketch is learned.

    Batches are cut from a group of examples ordered by length, so that little is padding.
    """
    group, within = divmod(number, GROUP)
    start = first + group * GROUP * BATCH
    rows = _rows(tokenizer, seed, start, held)[within * BATCH : (within + 1) * BATCH]
    length = max(len(head) + len(tail) for head, tail in rows)
    ids = torch.full((BATCH, length), int(tokenizer.token_to_id(PAD) or 0))
    labels = torch.full((BATCH, length), -100)
    for k, (head, tail) in enumerate(rows):
        ids[k, : len(head) + len(tail)] = torch.tensor(head + tail)
        labels[k, len(head) : len(head) + len(tail)] = torch.tensor(tail)
    return ids, labels


Row = tuple[list[int], list[int]]


@lru_cache(maxsize=2)
def _rows(tokenizer: Tokenizer, seed: int, start: int, held: bool) -> list[Row]:  # noqa: FBT001
    """A group's examples as tokens of prompt and sketch: by length, the order of its batches shuffled."""
    rows = []
    for number in range(start, start + GROUP * BATCH):
        item = example(seed, number, held=held)
        head = tokenizer.encode(prompt(item.marked.text), add_special_tokens=False).ids
        rows.append((head, tokenizer.encode(spelled(item.sketch) + END, add_special_tokens=False).ids))
    rows.sort(key=lambda row: len(row[0]) + len(row[1]))
    order = np.random.default_rng([seed, start]).permutation(GROUP)
    return [row for k in order for row in rows[k * BATCH : (k + 1) * BATCH]]


def loss_of(model: LlamaForCausalLM, ids: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy of the next token where there is a label."""
    hidden = model.model(input_ids=ids).last_hidden_state[:, :-1]
    wanted = labels[:, 1:]
    logits = model.lm_head(hidden[wanted >= 0])
    return functional.cross_entropy(logits, wanted[wanted >= 0])


@torch.no_grad()
def validate(model: LlamaForCausalLM, tokenizer: Tokenizer, seed: int, *, held: bool) -> tuple[float, float]:
    """Loss, and the share of sketches that are right in every token, over 384 examples."""
    losses, right = [], 0
    for k in range(GROUP):
        ids, labels = batch(tokenizer, seed, k, first=VALIDATION_FIRST, held=held)
        logits = model(input_ids=ids).logits[:, :-1].float()
        wanted = labels[:, 1:]
        losses.append(float(functional.cross_entropy(logits[wanted >= 0], wanted[wanted >= 0])))
        right += int(((logits.argmax(-1) == wanted) | (wanted < 0)).all(1).sum())
    return sum(losses) / len(losses), right / (GROUP * BATCH)


class Trainer:
    """Model and optimiser, as one thing that can be stopped and resumed."""

    def __init__(self, out: Path, steps: int, seed: int, start: Path | None = None) -> None:
        torch.manual_seed(seed)
        self.out, self.steps, self.seed, self.step = out, steps, seed, 0
        self.rate = RATE if start is None else RATE_FROM_START
        tokens = out / "tokenizer.json"
        if not tokens.exists():
            out.mkdir(parents=True, exist_ok=True)
            texts = [example(seed, n).marked.text for n in range(FIRST_WORDS)]
            said = Counter(word for text in texts for word in text.split() if not word.startswith("<"))
            known = sorted(word for word, times in said.items() if times >= LEAST_SAID)
            (out / WORDS_FILE).write_text(json.dumps(known, ensure_ascii=False) + "\n")
            known_tokens = train_tokenizer(texts) if start is None else _tokenizer_of(start)
            known_tokens.save(str(tokens))
        self.tokenizer = Tokenizer.from_file(str(tokens))
        self.model = new_model(self.tokenizer)
        if start is not None:
            self.model.load_state_dict(LlamaForCausalLM.from_pretrained(start).float().state_dict())
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), lr=self.rate, weight_decay=0.05, betas=(0.9, 0.98)
        )
        self._checkpoint = out / "checkpoint.safetensors"

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one."""
        if not self._checkpoint.exists():
            return
        saved = load_file(self._checkpoint)
        self.step = int(saved["step"])
        parameters = dict(self.model.named_parameters())
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(saved[f"model.{name}"])
                keys = ("step", "exp_avg", "exp_avg_sq")
                self.optimiser.state[parameter] = {key: saved[f"adam.{name}.{key}"] for key in keys}

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        data: dict[str, Tensor] = {"step": torch.tensor(self.step)}
        for name, parameter in self.model.named_parameters():
            data[f"model.{name}"] = parameter.detach()
            data |= {f"adam.{name}.{k}": v.clone() for k, v in self.optimiser.state[parameter].items()}
        partial = self._checkpoint.with_suffix(".part")
        save_file(data, partial)
        partial.replace(self._checkpoint)

    def learn(self) -> float:
        """One optimiser step: warm-up, then cosine; gradient norm clipped at 1."""
        ids, labels = batch(self.tokenizer, self.seed, self.step)
        self.step += 1
        cosine = 0.5 + 0.5 * math.cos(math.pi * min(1.0, self.step / self.steps))
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * min(1.0, self.step / WARM_UP) * cosine + 1e-6
        self.optimiser.zero_grad(set_to_none=True)
        loss = loss_of(self.model, ids, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        return float(loss.detach())

    def ship(self, facts: dict[str, Any]) -> None:
        """Write the folder that is served, in float16."""
        model = new_model(self.tokenizer)
        model.load_state_dict(self.model.state_dict())
        words = json.loads((self.out / WORDS_FILE).read_text())
        write_folder(self.out / "folder", model.half(), self.tokenizer, words, facts)


def _tokenizer_of(folder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def train(out: Path, steps: int, seed: int, start: Path | None = None) -> None:
    """Learn until the steps are done, on one thread, reporting, validating and saving as it goes.

    `start` is a folder to begin with, in place of random weights.
    """
    torch.set_num_threads(1)
    trainer = Trainer(out, steps, seed, start)
    trainer.resume()
    began, first = time.monotonic(), trainer.step
    while trainer.step < trainer.steps:
        loss = trainer.learn()
        if trainer.step % 25 == 0:
            left = (time.monotonic() - began) / (trainer.step - first) * (trainer.steps - trainer.step)
            print(f"step {trainer.step}/{trainer.steps} loss {loss:.4f} left {left / 60:.1f} min", flush=True)
        if trainer.step % SAVE_EVERY == 0 or trainer.step == trainer.steps:
            trainer.save()
        if trainer.step % VALIDATE_EVERY == 0 or trainer.step == trainer.steps:
            known = validate(trainer.model, trainer.tokenizer, trainer.seed, held=False)
            held = validate(trainer.model, trainer.tokenizer, trainer.seed, held=True)
            facts = {"step": trainer.step, "seed": trainer.seed, "validation": known, "held_families": held}
            print(json.dumps(facts), flush=True)
            trainer.ship(facts)
