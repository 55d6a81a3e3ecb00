"""Reply rules, checked again: whether what an index offers is common in its words and in its meaning, nobody's own.

Written apart from the stages that apply the rules, over all validated messages: they may know more people than the
training split, never fewer.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from rejoinder.parts.arrays import Vectors
from rejoinder.parts.vector_table import VectorTable
from rejoinder.progress import track
from rejoinder.text import normalize
from stages import common
from stages.common.messages import part_paths

_WORDS = Path(common.__file__).with_name("data") / "personal_words.txt"
_FIRST_PERSON = r"\b(i|im|ive|id|me|my|mine|myself|we|us|our|ours)\b"
_ROWS = 256
#: What rounding to fp16 may move a cosine by: vectors turn by at most 1e-5 in 1 - cos, and sqrt(2e-5) is .0045.
_ROUNDING = 0.005


def _runs(text: str, most: int) -> dict[str, int]:
    """Every run of one word, of two, and so on up to `most`, with its number of words."""
    said = re.findall(r"\w+", normalize(text))
    return {" ".join(said[at : at + n]): n for n in range(1, most + 1) for at in range(len(said) - n + 1)}


def rare(replies: Collection[str], messages: Path, least: Sequence[int]) -> int:
    """Count the replies with a word, pair or triple that few people have used.

    Args:
        replies: what an index offers.
        messages: a validated messages table.
        least: people that must have used every run of one word, of two, and so on.

    Returns:
        How many replies hold a run of fewer.
    """
    users: dict[str, set[str]] = {run: set() for reply in replies for run in _runs(reply, len(least))}
    parts = part_paths(messages)
    for part in track(parts, "audit: n-grams", "part"):
        said = pl.read_parquet(part, columns=["text", "sender", "role"]).filter(role="user").unique()
        for text, sender in said.select("text", "sender").iter_rows():
            for run in _runs(text, len(least)):
                if (known := users.get(run)) is not None:
                    known.add(sender)
    return sum(
        any(len(users[run]) < least[n - 1] for run, n in _runs(reply, len(least)).items()) for reply in replies
    )


@cache
def _personal() -> re.Pattern[str]:
    lines = [line for line in _WORDS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return re.compile(rf"\d|\b({'|'.join(sorted(set(' '.join(lines).split())))})\b")


def of_one_person(replies: Iterable[str], senders: dict[str, int], least: int) -> int:
    """Count the statements about one person, and those that name something, that few have made word for word.

    Args:
        replies: what an index offers.
        senders: canonical phrase -> distinct people, as from `senders_by_phrase`.
        least: people that must have said it.

    Returns:
        How many have fewer.
    """
    return sum(senders.get(normalize(reply), 0) < least for reply in replies if _states(reply) or _names(reply))


def _states(reply: str) -> bool:
    key = normalize(reply)
    return bool(re.search(_FIRST_PERSON, key) and _personal().search(key))


def _names(reply: str) -> bool:
    """Whether a word in the midst of a sentence begins with a capital, but for "I" and what is joined to it."""
    said = reply.split(" ")
    followed = [word for before, word in pairwise(said) if re.search(r"[\w,;:'’]$", before)]
    return any(re.match(r"[A-Z]\w", word) for word in followed)


def uncommon(vectors: Vectors, turns: VectorTable, pairs: pl.DataFrame, near: float, least: int) -> int:
    """Count the replies that mean what fewer people have said.

    Args:
        vectors: float32 [n, dim] of the replies, as they are shipped.
        turns: vectors of all turns.
        pairs: with sender, role, split and reply.
        near: cosine from which a turn is near.
        least: people that must have said something near.

    Returns:
        How many have fewer.
    """
    said = pairs.filter(split="train", role="user").select("sender", "reply").unique()
    rows = turns.rows_of(said["reply"].to_list())
    known = turns.vectors(rows[rows >= 0])
    _, people = np.unique(said["sender"].to_numpy()[rows >= 0], return_inverse=True)
    few = 0
    for start in track(range(0, len(vectors), _ROWS), "audit: meanings", "block"):
        close = vectors[start : start + _ROWS] @ known.T >= near - _ROUNDING
        few += sum(len(set(people[row].tolist())) < least for row in close)
    return few
