"""Selection: which messages of a part stay. A part holds whole conversations, so each can be judged as one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from rejoinder.text import normalize
from stages.common import canaries
from stages.ingest.chunks import MAX_ROW, PLACED
from stages.ingest.language import conversation_languages
from stages.ingest.order import in_order

#: No text with one of these is blank; tests hold it against `normalize`, which decides about the others.
_VISIBLE = r"[!-~\p{L}\p{N}]"

#: Letters and symbols that show nothing: an empty cell of Braille, fillers of Hangul, variation selectors.
_EMPTY = r"[\x{2800}\x{3164}\x{115F}\x{1160}\x{FFA0}\x{034F}\x{FE00}-\x{FE0F}]"

_ID = ("conversation_id", "message_id")

#: What is the same in a copy of a message.
_COPY = (*_ID, "sender", "sent_at", "text")


@dataclass(frozen=True, slots=True)
class Selected:
    """A part's rows by fate, each once and in order, and the language of its conversations."""

    #: With the columns of `PLACED`.
    messages: pl.DataFrame
    #: With the columns of `QUARANTINE`.
    quarantine: pl.DataFrame
    duplicates: pl.DataFrame
    #: The same, and `language`.
    foreign: pl.DataFrame
    #: `source` and `language` of the conversations that stay; null where it is not known.
    conversations: pl.DataFrame
    #: `source` and `rule` of the conversations that were put in another order, or whose times were corrected.
    reordered: pl.DataFrame


def select_messages(part: pl.DataFrame, languages: Collection[str]) -> Selected:
    """Sort out blank texts, repeated ids and conversations in other languages, and put in order what is left.

    A repeated id is a duplicate if its sender, time and text are those of the row that has it first, as in exports
    that overlap; else it is rejected.

    Args:
        part: whole conversations, with the columns of `PLACED`, in the order of the source.
        languages: ISO 639 codes of those that stay. So do conversations whose language cannot be told.

    Returns:
        Every row, in exactly one of four tables.
    """
    visible = visible_texts(part["text"])
    kept, blank = part.filter(visible), part.filter(~visible)
    first = kept.select(pl.struct(_ID).is_first_distinct()).to_series()
    distinct, again = kept.filter(first), kept.filter(~first)
    copies = again.join(distinct, on=_COPY, how="semi", maintain_order="left")
    repeated = again.join(distinct, on=_COPY, how="anti", maintain_order="left")
    told = distinct.join(conversation_languages(distinct), on="conversation_id", how="left", maintain_order="left")
    stays = (
        pl.col("language").is_null()
        | pl.col("language").is_in(list(languages))
        | (pl.col("source") == canaries.SOURCE)
    )
    messages, reordered = in_order(known_replies(told.filter(stays)))
    foreign = told.filter(~stays)
    language = "other_language: " + pl.col("language")
    return Selected(
        messages=messages.select(PLACED.names()),
        quarantine=pl.concat(
            [
                _review(blank, pl.lit("blank text")),
                _review(repeated, pl.lit("duplicate conversation_id, message_id")),
            ]
        ),
        duplicates=_review(copies, pl.lit("duplicate: same id, sender, time and text")),
        foreign=_review(foreign, language).with_columns(foreign["language"]),
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
    texts = texts.str.replace_all(_EMPTY, "")
    visible = texts.str.contains(_VISIBLE)
    doubtful = texts.filter(~visible).unique()
    seen = doubtful.filter(pl.Series([normalize(text) != "" for text in doubtful], dtype=pl.Boolean()))
    return visible | texts.is_in(seen.implode())


def _review(table: pl.DataFrame, reason: pl.Expr) -> pl.DataFrame:
    row = pl.struct(pl.exclude("source", "order", "file", "line", "language")).struct.json_encode()
    return table.select("source", "file", "line", reason=reason, row=row.str.head(MAX_ROW))
