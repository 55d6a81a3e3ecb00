"""A tiny BERT in the words of the tests' tiny model, and pairs in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import torch

from rejoinder.parts.reading import Reading
from rejoinder.release.tokenizer_file import TOKENIZER
from stages.ranker.model import ContextOnce
from tests.bundles import _SENTENCES, WORDS, write_tokenizer

LAYERS = 3
VOCABULARY = len(WORDS) + 4


def tiny_bert(seed: int = 0) -> Any:
    """A BERT of large random weights, so that whatever it reads makes a difference."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=LAYERS, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=64, attn_implementation="eager",
    )  # fmt: skip
    bert = BertModel(config).eval()
    for part in bert.parameters():
        if part.dim() > 1:
            torch.nn.init.normal_(part, std=0.2)
    return bert


def tiny_ranker(seed: int = 0, layers: Sequence[int] = (0, 2), outputs: int = 1) -> ContextOnce:
    model = ContextOnce(tiny_bert(seed), layers, outputs).eval()
    torch.nn.init.normal_(model.score.weight, std=0.5)
    return model


def write_base(folder: Path) -> Path:
    """Write such a BERT in Hugging Face's layout."""
    tiny_bert().save_pretrained(folder)
    write_tokenizer(folder / TOKENIZER)
    return folder


def open_reading(folder: Path) -> Reading:
    write_tokenizer(folder / TOKENIZER)
    return Reading(folder / TOKENIZER, 24, 12)


def some_pairs(count: int = 90) -> pl.DataFrame:
    """Pairs of two splits in talks of six."""
    texts = _SENTENCES
    rows = [
        {
            "pair_id": f"{n:03}",
            "source": "chitchat" if n // 6 % 2 else "native",
            "split": "validation" if n // 6 % 3 == 0 else "train",
            "conversation_id": f"c{n // 6}",
            "context": [texts[(7 * n + turn) % len(texts)] for turn in range(1 + n % 3)],
            "context_own": [(n + turn) % 2 == 0 for turn in range(1 + n % 3)],
            "reply": texts[(11 * n + 5) % len(texts)],
            "reaction": "funny" if n % 4 == 0 else None,
            "role": "user",
        }
        for n in range(count)
    ]
    return pl.DataFrame(rows)
