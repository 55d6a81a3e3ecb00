"""Sentence encoder in torch: transformer body -> mean pooling -> optional projection -> unit length."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rejoinder.parts.arrays import Vectors
from rejoinder.parts.tokens import open_tokenizer, token_ids
from rejoinder.progress import progress
from rejoinder.release.tokenizer_file import TOKENIZER
from stages.common.base_encoder import base_folder
from stages.training.precision import multiplies_bf16

CONFIG = "encoder.json"
PROJECTION = "projection.safetensors"


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """What an encoder directory says about itself.

    Attributes:
        dim: length of a vector.
        max_length: tokens read of a text, special tokens counted.
        context_turns: turns of a dialogue that are encoded as its context.
    """

    dim: int
    max_length: int
    context_turns: int


class SentenceEncoder(nn.Module):
    """A transformer that turns token ids into unit vectors."""

    def __init__(
        self, body: nn.Module, tokenizer_file: Path, config: EncoderConfig, *, projected: bool = False
    ) -> None:
        """Put pooling, and perhaps a projection, on a body.

        Args:
            body: a Hugging Face encoder.
            tokenizer_file: its tokenizer.json.
            config: dimensions and lengths.
            projected: whether there is a projection even where `config.dim` is the body's width.
        """
        super().__init__()
        self.body = body
        self.config = config
        self.tokenizer_file = tokenizer_file
        self.tokenizer = open_tokenizer(tokenizer_file, config.max_length)
        width = int(body.config.hidden_size)  # type: ignore[union-attr, arg-type]
        self.projection = nn.Linear(width, config.dim, bias=False) if projected or width != config.dim else None

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Encode token ids.

        Args:
            input_ids: int64 [n, t].
            attention_mask: int64 [n, t], 1 for tokens, 0 for padding.

        Returns:
            float32 [n, dim], rows of unit length.
        """
        tokens = self.body(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(tokens.dtype)
        pooled = (tokens * mask).sum(1) / mask.sum(1).clamp(min=1)
        if self.projection is not None:
            pooled = self.projection(pooled)
        return nn.functional.normalize(pooled.float(), dim=-1)

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokenise exactly as the runtime does."""
        return token_ids(self.tokenizer, texts)

    def save(self, directory: Path) -> None:
        """Write body, tokenizer, projection and config into a new directory."""
        from safetensors.torch import save_file

        self.body.save_pretrained(directory)  # type: ignore[operator]
        shutil.copyfile(self.tokenizer_file, directory / TOKENIZER)
        if self.projection is not None:
            save_file(self.projection.state_dict(), directory / PROJECTION)
        (directory / CONFIG).write_text(json.dumps(asdict(self.config), indent=2) + "\n")

    @classmethod
    def load(cls, directory: Path) -> SentenceEncoder:
        """Read what `save` wrote."""
        from safetensors.torch import load_file

        config = EncoderConfig(**json.loads((directory / CONFIG).read_text()))
        projected = (directory / PROJECTION).exists()
        encoder = cls(_body(directory), directory / TOKENIZER, config, projected=projected)
        if encoder.projection is not None:
            encoder.projection.load_state_dict(load_file(directory / PROJECTION))
        return encoder.eval()


def load_base(name: str, *, max_length: int, context_turns: int) -> SentenceEncoder:
    """Load an untrained encoder.

    Args:
        name: a folder in Hugging Face's layout, or an installed package that carries one in `model/`.
        max_length: tokens read of a text.
        context_turns: turns encoded as context.

    Returns:
        The encoder, without projection.

    Raises:
        ParamsError: if there is neither such a folder nor such a package.
    """
    folder = base_folder(name)
    body: Any = _body(folder)
    config = EncoderConfig(int(body.config.hidden_size), max_length, context_turns)
    return SentenceEncoder(body, folder / TOKENIZER, config).eval()


def _body(folder: Path) -> nn.Module:
    from transformers import AutoModel
    from transformers.utils import logging

    logging.set_verbosity_error()  # its report on the pooler, which we leave out on purpose
    logging.disable_progress_bar()
    body: nn.Module = AutoModel.from_pretrained(
        folder, local_files_only=True, add_pooling_layer=False, dtype=torch.float32
    )
    return body


def pad(ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Pad token ids to the longest row.

    Args:
        ids: n lists of token ids.

    Returns:
        input_ids and attention_mask, int64 [n, t].
    """
    width = max(map(len, ids))
    tokens = torch.zeros(len(ids), width, dtype=torch.long)
    mask = torch.zeros(len(ids), width, dtype=torch.long)
    for row, line in enumerate(ids):
        tokens[row, : len(line)] = torch.tensor(line)
        mask[row, : len(line)] = 1
    return tokens, mask


@torch.inference_mode()
def encode(
    encoder: SentenceEncoder, texts: Sequence[str], *, fast: bool, batch: int = 64, label: str | None = None
) -> Vectors:
    """Encode texts in torch.

    Args:
        encoder: put into evaluation mode while it works.
        texts: n texts.
        fast: autocast to bfloat16 where the hardware multiplies it; off for reference vectors.
        batch: rows at a time, sorted by length.
        label: names the work, where progress is to be shown.

    Returns:
        float32 [n, dim], in the order of `texts`.
    """
    was_training = encoder.training
    encoder.eval()
    device = next(encoder.parameters()).device
    ids = encoder.token_ids(texts)
    order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
    vectors = np.empty((len(ids), encoder.config.dim), np.float32)
    shown = progress(label, "text", len(order)) if label else nullcontext(lambda _: None)
    with torch.autocast(device.type, torch.bfloat16, enabled=fast and multiplies_bf16(device)), shown as advance:
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            tokens, mask = pad([ids[row] for row in rows])
            vectors[rows] = encoder(tokens.to(device), mask.to(device)).float().cpu().numpy()
            advance(len(rows))
    encoder.train(was_training)
    return vectors
