"""Selection: which messages of a part stay. A part holds whole conversations, so each can be judged as one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from rejoinder.text import normalize
from stages.common import canaries
from stages.common.messages import MESSAGES
from stages.ingest.chunks import MAX_ROW
from stages.ingest.language import conversation_languages
from stages.ingest.order import in_order

#: No text with one of these is blank; tests hold it against `normalize`, which decides about the others.
_VISIBLE = r"[!-~\p{L}\p{N}]"


@dataclass(frozen=True, slots=True)
class Selected:
    """A part's rows by fate, each once and in order, and the language of its conversations."""

    messages: pl.DataFrame
    quarantine: pl.DataFrame
    #: `source` and `language` of the rows of conversations in other languages.
    foreign: pl.DataFrame
    #: `source` and `language` of the conversations that stay; null where it is not known.
    conversations: pl.DataFrame
    #: `source` and `rule` of the conversations that were put in another order, or whose times were corrected.
    reordered: pl.DataFrame


def select_messages(part: pl.DataFrame, languages: Collection[str]) -> Selected:
    """Sort out blank texts, repeated ids and conversations in other languages, and put in order what is left.

    Args:
        part: whole conversations, with the columns of `PLACED`, in the order of the source.
        languages: ISO 639 codes of those that stay. So do conversations whose language cannot be told.

    Returns:
        Every row, in exactly one of three tables.
    """
    visible = visible_texts(part["text"])
    kept, blank = part.filter(visible), part.filter(~visible)
    first = kept.select(pl.struct("conversation_id", "message_id").is_first_distinct()).to_series()
    distinct, repeated = kept.filter(first), kept.filter(~first)
    told = distinct.join(conversation_languages(distinct), on="conversation_id", how="left", maintain_order="left")
    stays = (
        pl.col("language").is_null()
        | pl.col("language").is_in(list(languages))
        | (pl.col("source") == canaries.SOURCE)
    )
    messages, reordered = in_order(known_replies(told.filter(stays)))
    return Selected(
        messages=messages.select(MESSAGES.names()),
        quarantine=pl.concat(
            [_reject(blank, "blank text"), _reject(repeated, "duplicate conversation_id, message_id")]
        ),
        foreign=told.filter(~stays).select("source", "language"),
        conversations=messages.unique("conversation_id").select("source", "language"),
        reordered=reordered,
    )


def known_replies(messages: pl.DataFrame) -> pl.DataFrame:
    """Clear `reply_to` where the conversation has no such message: what is no id might tell who somebody is."""
    asked = messages.select("conversation_id", message_id="reply_to").drop_nulls().unique()
    if asked.is_empty():
        return messages
    known = asked.join(messages, on=asked.columns, how="semi").rename({"message_id": "reply_to"})
    found = pl.struct("conversation_id", "reply_to").is_in(known.to_struct().implode())
    return messages.with_columns(pl.when(found).then("reply_to"))


def visible_texts(texts: pl.Series) -> pl.Series:
    """Tell of each text whether anything is left of it in its canonical form."""
    visible = texts.str.contains(_VISIBLE)
    doubtful = texts.filter(~visible).unique()
    seen = doubtful.filter(pl.Series([normalize(text) != "" for text in doubtful], dtype=pl.Boolean()))
    return visible | texts.is_in(seen.implode())


def _reject(table: pl.DataFrame, reason: str) -> pl.DataFrame:
    row = pl.struct(pl.exclude("source", "order", "file", "line")).struct.json_encode().str.head(MAX_ROW)
    return table.select("source", "file", "line", reason=pl.lit(reason), row=row)
