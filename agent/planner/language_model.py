"""The planner's language model as a folder: tokenizer, prompt format, weights.

A plain Llama (`transformers`), so that any server that serves such folders can serve it. Every piece of a
sketch is one token, and the prompt is the instruction with its mentions set aside.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from agent.planner.mentions import SORTS
from agent.planner.sketch import PIECES, POINTERS, spelled

FOLDER = Path(__file__).parent / "weights"
PAD, BEGIN, PLAN, END = "<pad>", "<s>", "<plan>", "</s>"
WORDS_FILE = "words.json"
VOCABULARY = 3072
# What a chat server renders: the last message is the marked instruction.
CHAT_TEMPLATE = BEGIN + "{{ messages[-1]['content'] }}" + PLAN


def prompt(marked: str) -> str:
    """The text that the model continues; the chat template renders the same."""
    return f"{BEGIN}{spelled(marked)}{PLAN}"


def train_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """Byte-level BPE on marked instructions; nothing is out of its vocabulary."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - 64,
        special_tokens=[PAD, BEGIN, PLAN, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    pieces = [*POINTERS, *(f"<{sort}>" for sort in SORTS), *PIECES]
    tokenizer.add_tokens([AddedToken(spelled(piece), normalized=False) for piece in pieces])
    return tokenizer


def checksum(folder: Path) -> str:
    """sha256 over the files that decide what the model says."""
    digest = hashlib.sha256()
    for name in ("config.json", "tokenizer.json", "model.safetensors", WORDS_FILE):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def write_folder(
    folder: Path, model: Any, tokenizer: Tokenizer, words: Iterable[str], facts: dict[str, Any]
) -> None:
    """Write the folder as Hugging Face lays it out; the words it was trained on and a checksum beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / WORDS_FILE).write_text(json.dumps(sorted(words), ensure_ascii=False) + "\n")
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BEGIN,
        "eos_token": END,
        "pad_token": PAD,
        "add_bos_token": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 512,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n")
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    (folder / "checksum.json").write_text(
        json.dumps({"sha256": checksum(folder), "training": facts}, indent=1) + "\n"
    )
