"""Tokens: the one way in which training and serving read a text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from rejoinder.errors import FormatError, Problem, first_line
from rejoinder.text import normalize


def open_tokenizer(path: Path, max_length: int) -> Tokenizer:
    """Open a tokenizer the one way that training and serving share.

    Args:
        path: tokenizer.json.
        max_length: tokens kept of a text, special tokens counted.

    Returns:
        A tokenizer that does not pad and cuts long texts at their beginning.

    Raises:
        FormatError: if the file is no tokenizer that this version of the library can read.
    """
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing more precise
        raise FormatError(str(path), [Problem("tokenizer", "a readable tokenizer", first_line(error))]) from None
    tokenizer.no_padding()  # some tokenizer.json pad everything to 128
    # What was said last matters most in a context, so the cut is at its beginning.
    tokenizer.enable_truncation(max_length, direction="left")
    # A user who types "[SEP]" means five characters, not the control token.
    tokenizer.encode_special_tokens = True
    return tokenizer


def token_ids(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Normalise and tokenise.

    Args:
        tokenizer: from `open_tokenizer`.
        texts: n texts.

    Returns:
        n lists of token ids.
    """
    encodings = tokenizer.encode_batch_fast([normalize(text) for text in texts])
    return [encoding.ids for encoding in encodings]


def lengths(tokenizer: Tokenizer, texts: Sequence[str]) -> list[int]:
    """Count the tokens of whole texts, control tokens left out.

    Args:
        tokenizer: from `open_tokenizer`; what it cuts is counted.
        texts: n texts.

    Returns:
        n counts.
    """
    control = tokenizer.num_special_tokens_to_add(False)
    encodings = tokenizer.encode_batch([normalize(text) for text in texts])
    return [sum(len(part.ids) - control for part in (whole, *whole.overflowing)) for whole in encodings]
