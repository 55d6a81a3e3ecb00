"""Anonymize: messages -> typed slots in place of what identifies people, keyed pseudonyms in place of senders."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import Field
from tqdm import tqdm

from stages.output import whole_directory, write_json, write_rows
from stages.params import StageParams
from stages.pii.engine import anonymize_shards
from stages.pii.key import key_id, load_key, pseudonym
from stages.pii.names import common_words
from stages.pii.spans import TYPES
from stages.table import read_messages


class Params(StageParams):
    """Section `anonymize` of params.yaml. None of them changes what is found."""

    workers: int = Field(ge=1, le=256)
    """Processes; each holds the recogniser (about 400 MB)."""
    shards: int = Field(ge=1, le=100_000)
    """Parts of the data handed to the workers one by one: more than workers, so that none idles at the end."""
    batch_size: int = Field(ge=1, le=10_000)
    """Messages that the recogniser takes at a time; larger is faster, up to some hundreds, but needs memory."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What was done to a table."""

    messages: int
    #: Messages that the name recogniser saw.
    recognized: int
    #: Spans replaced, by type.
    replaced: Counter[str]

    def per_1000(self, kind: str) -> float:
        """Spans of one type per 1,000 messages."""
        return round(1000 * self.replaced[kind] / max(self.messages, 1), 4)


def shard_rows(conversation_ids: Sequence[str], shards: int) -> list[list[list[int]]]:
    """Split rows into shards of whole conversations, by hash.

    Args:
        conversation_ids: one a row.
        shards: how many; empty ones are left out.

    Returns:
        Per shard, per conversation, its row numbers, rising.
    """
    conversations: dict[str, list[int]] = {}
    for row, conversation_id in enumerate(conversation_ids):
        conversations.setdefault(conversation_id, []).append(row)
    found: list[list[list[int]]] = [[] for _ in range(shards)]
    for conversation_id, rows in conversations.items():
        found[zlib.crc32(conversation_id.encode()) % shards].append(rows)
    return [shard for shard in found if shard]


def anonymize_texts(
    conversation_ids: Sequence[str], texts: Sequence[str], params: Params
) -> tuple[list[str], Counts]:
    """Replace what identifies people in a corpus.

    Args:
        conversation_ids: one a row.
        texts: one a row; the order of a conversation's rows is the order of its slots.
        params: section `anonymize`.

    Returns:
        The texts with slots, row by row, and counts.
    """
    common = common_words(texts)
    shards = shard_rows(conversation_ids, params.shards)
    inputs = ([[texts[row] for row in rows] for rows in shard] for shard in shards)
    results = anonymize_shards(inputs, common, workers=params.workers, batch_size=params.batch_size)
    out = [""] * len(texts)
    replaced: Counter[str] = Counter()
    recognized = 0
    for shard, result in zip(shards, tqdm(results, "anonymize", len(shards), unit=" shards"), strict=True):
        for rows, filled in zip(shard, result.conversations, strict=True):
            for row, text in zip(rows, filled, strict=True):
                out[row] = text
        replaced += result.replaced
        recognized += result.recognized
    return out, Counts(len(texts), recognized, replaced)


def anonymize_senders(messages: pl.DataFrame, key: bytes) -> pl.Series:
    """Replace senders by pseudonyms.

    Args:
        messages: a messages table.
        key: the secret.

    Returns:
        One pseudonym a row; the same person in two sources has two.
    """
    people = messages.select("source", "sender").unique()
    named = people.with_columns(
        pseudonym=pl.Series([pseudonym(key, *row) for row in people.iter_rows()], dtype=pl.String())
    )
    joined = messages.select("source", "sender").join(
        named, on=["source", "sender"], how="left", maintain_order="left"
    )
    return joined["pseudonym"]


def card(counts: Counts, key: bytes) -> dict[str, Any]:
    """Compose the card: what was done, and by which key; never what was found."""
    return {
        "messages": counts.messages,
        "key_id": key_id(key),
        "recognized_share": round(counts.recognized / max(counts.messages, 1), 6),
        "replaced": {kind: counts.replaced[kind] for kind in TYPES},
        "replaced_per_1000": {kind: counts.per_1000(kind) for kind in TYPES},
    }


def run(params: Params, *, messages: Path, out: Path) -> None:
    """Anonymise a messages table.

    Args:
        params: section `anonymize`.
        messages: messages.parquet of the ingest stage.
        out: directory to fill with messages.parquet, card.json and entities.json.

    Raises:
        DataError: if the table or the key is not usable.
    """
    table = read_messages(messages)
    key = load_key()
    texts, counts = anonymize_texts(table["conversation_id"].to_list(), table["text"].to_list(), params)
    anonymized = table.with_columns(sender=anonymize_senders(table, key), text=pl.Series(texts, dtype=pl.String()))
    with whole_directory(out) as directory:
        anonymized.write_parquet(directory / "messages.parquet")
        write_json(directory / "card.json", card(counts, key))
        write_rows(
            directory / "entities.json",
            [{"entity": k, "count": counts.replaced[k], "per_1000": counts.per_1000(k)} for k in TYPES],
        )
