"""int8: weights and activations quantised once and for all, by NNCF, as one QDQ file that both engines run.

Static scales, set by training turns of all lengths: a text's vector does not depend on what it is encoded with.
Half the range of weights is left unused, because processors without VNNI add pairs of products in 16 bits: with the
whole range they saturate, and the same file would give other vectors there (docs/decisions/0025).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from rejoinder.parts.tokens import open_tokenizer, token_ids
from stages.training.onnx_files import save_clean


def to_int8(source: Path, target: Path, tokens: Sequence[Sequence[int]]) -> None:
    """Quantise.

    Args:
        source: the fp32 form.
        target: the file to write.
        tokens: token ids of the texts that scales are set by.
    """
    with _nncf() as nncf:
        from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix

        feeds = [_feed(ids) for ids in tokens]
        model = nncf.quantize(
            onnx.load(source),
            nncf.Dataset(feeds),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(feeds),
            advanced_parameters=AdvancedQuantizationParameters(overflow_fix=OverflowFix.ENABLE),
        )
    save_clean(model, target)


@contextmanager
def _nncf() -> Iterator[Any]:
    """NNCF, without what calls its vendor; its bars are shown to people and kept out of logs."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    with nullcontext() if sys.stdout.isatty() else redirect_stdout(StringIO()):
        import logging

        import nncf

        nncf.set_log_level(logging.ERROR)
        yield nncf


def _feed(ids: Sequence[int]) -> dict[str, np.ndarray[Any, Any]]:
    tokens = np.array([ids], np.int64)
    return {"input_ids": tokens, "attention_mask": np.ones_like(tokens)}


def spread(texts: Sequence[str], tokenizer_file: Path, max_length: int, wanted: int) -> list[list[int]]:
    """Token ids of texts of all lengths: evenly spaced once they are sorted by length.

    Args:
        texts: to choose from, in a fixed order.
        tokenizer_file: of the encoder.
        max_length: tokens read of a text.
        wanted: how many.

    Returns:
        At most `wanted` lists of token ids, shortest first.
    """
    every = max(1, len(texts) // (20 * wanted))  # to tokenise all of a large log would take longer than the rest
    ids = sorted(token_ids(open_tokenizer(tokenizer_file, max_length), texts[::every]), key=len)
    places = np.linspace(0, len(ids) - 1, min(wanted, len(ids))).astype(int)
    return [ids[place] for place in places]
