"""Messages -> counts that add up over parts -> one row a source: sizes, shares, lengths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl
from pydantic import Field

from stages.common.params import StageParams
from stages.validate.leftover_pii import LEFTOVERS

#: What is counted: how often a measure has a value in a source. Sums over parts of whole conversations are exact.
COUNTS = pl.Schema({"source": pl.String(), "measure": pl.String(), "value": pl.String(), "count": pl.Int64()})

#: Shares and losses of fewer are not judged: some rows more or less are chance.
FLOOR = 50

#: Rows of a conversation that must not all be lost: an export may be one conversation, and a source many exports.
CONVERSATION_FLOOR = 20

#: Rows with personal data left in a source below which their share is not judged: ordinary rows that look like it.
LEFTOVER_FLOOR = 3

SLOT = r"<([A-Z_]+)_([1-9][0-9]*)>"

#: Slots with nothing but marks around them.
ONLY_SLOTS = r"^[^\pL\pN<>]*(?:<[A-Z_]+_[1-9][0-9]*>[^\pL\pN<>]*)+$"

#: Shares of messages at which the length is told.
QUANTILES = (0.5, 0.9, 0.99)


class Band(StageParams):
    """A range of shares, both ends included."""

    least: float = Field(ge=0.0, le=1.0)
    """Smallest share."""
    most: float = Field(ge=0.0, le=1.0)
    """Largest share."""


def count(messages: pl.DataFrame, max_repeats: int) -> pl.DataFrame:
    """Count what the report and the snapshot need.

    Args:
        messages: rows of a messages table that passed, in whole conversations.
        max_repeats: how often one sender may say the same in one conversation; what is beyond counts as repeated.

    Returns:
        Columns of `COUNTS`.
    """
    place = pl.int_range(pl.len()).over("conversation_id", "sender", "text")
    bare = pl.col("text").str.replace_all(SLOT, "")
    letters, ascii_letters = bare.str.count_matches(r"\pL"), bare.str.count_matches("[A-Za-z]")
    one_each: dict[str, pl.Expr] = {
        "message": pl.lit(""),
        "sender": pl.col("sender"),
        "reaction": pl.col("reaction"),
        "chars": pl.col("text").str.len_chars().cast(pl.String),
        "repeated": pl.when(place >= max_repeats).then(pl.lit("")),
        "only_slots": pl.when(pl.col("text").str.contains(ONLY_SLOTS)).then(pl.lit("")),
        "foreign": pl.when(letters > 2 * ascii_letters).then(pl.lit("")),
    }
    conversations = messages.group_by("source", "conversation_id").agg(
        messages=pl.len(), senders=pl.col("sender").n_unique()
    )
    return merge(
        [
            *(_values(messages, measure, value) for measure, value in one_each.items()),
            _values(_slots(messages), "slot", pl.col("type")),
            _values(conversations, "conversation_messages", pl.col("messages").cast(pl.String)),
            _values(conversations, "conversation_senders", pl.col("senders").cast(pl.String)),
        ]
    )


def count_lost(messages: pl.DataFrame, rejected: pl.DataFrame) -> pl.DataFrame:
    """Count what goes to quarantine, and the conversations of which nothing is left.

    Args:
        messages: rows of a messages table before any goes to quarantine, in whole conversations.
        rejected: those that go, with `rules`, the ids of what they broke.

    Returns:
        Columns of `COUNTS`.
    """
    before, gone = (table.group_by("source", "conversation_id").len() for table in (messages, rejected))
    lost = before.join(gone, on=before.columns, how="semi").filter(pl.col("len") >= CONVERSATION_FLOOR)
    everything = pl.lit("")
    leftover = rejected.filter(pl.col("rules").list.set_intersection(list(LEFTOVERS)).list.len() > 0)
    return merge(
        [
            _values(rejected, "quarantined", everything),
            _values(leftover, "leftover", everything),
            _values(lost, "conversation_lost", everything),
        ]
    )


def count_holes(messages: pl.DataFrame) -> pl.DataFrame:
    """Count conversations and slot types whose numbers are not 1 to n.

    Args:
        messages: rows of a messages table before any goes to quarantine.

    Returns:
        Columns of `COUNTS`.
    """
    numbers = _slots(messages).group_by("source", "conversation_id", "type").agg(
        last=pl.col("number").max(), distinct=pl.col("number").n_unique()
    )  # fmt: skip
    return _values(numbers.filter(pl.col("last") != pl.col("distinct")), "slot_hole", pl.col("type"))


def merge(counts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Add counts up."""
    return (
        pl.concat([COUNTS.to_frame(), *counts])
        .group_by("source", "measure", "value")
        .agg(pl.col("count").sum())
        .sort("source", "measure", "value")
    )


def _slots(messages: pl.DataFrame) -> pl.DataFrame:
    found = messages.select(
        "source", "conversation_id", slot=pl.col("text").str.extract_all(SLOT)
    ).explode("slot")  # fmt: skip
    slot = pl.col("slot")
    return found.drop_nulls("slot").select(
        "source",
        "conversation_id",
        type=slot.str.extract(SLOT, 1),
        # A number beyond 64 bits is somebody's own text.
        number=slot.str.extract(SLOT, 2).cast(pl.Int64, strict=False),
    )


def _values(rows: pl.DataFrame, measure: str, value: pl.Expr) -> pl.DataFrame:
    counted = rows.lazy().select("source", value=value).drop_nulls("value").group_by("source", "value")
    return counted.agg(count=pl.len().cast(pl.Int64)).select(
        "source", measure=pl.lit(measure), value="value", count="count"
    ).collect()  # fmt: skip


def summarize(counts: pl.DataFrame, bands: Mapping[str, Band]) -> pl.DataFrame:
    """Put counts into one row a source.

    Args:
        counts: from `merge`.
        bands: by source, where the share of messages with a reaction must lie.

    Returns:
        source, counts, shares of the source's messages or conversations, and lengths at `QUANTILES`. `sender_share`
        and `conversation_share` are the largest sender's and conversation's share of all messages.
    """
    n, value = pl.col("count"), pl.col("value")

    def of(measure: str, most: pl.Expr = n) -> pl.Expr:
        return most.filter(pl.col("measure") == measure)

    number = value.cast(pl.Int64, strict=False)
    whole = counts.group_by("source", maintain_order=True).agg(
        messages=of("message").sum(),
        conversations=of("conversation_messages").sum(),
        senders=of("sender").len().cast(pl.Int64),
        reacted=of("reaction").sum(),
        label=of("reaction").max().fill_null(0),
        sender=of("sender").max().fill_null(0),
        conversation=of("conversation_messages", number).max().fill_null(0),
        one_sender=n.filter(pl.col("measure") == "conversation_senders", value == "1").sum(),
        slot_holes=of("slot_hole").sum(),
        conversations_lost=of("conversation_lost").sum(),
        quarantined=of("quarantined").sum(),
        leftover=of("leftover").sum(),
        **{name: of(name).sum() for name in ("repeated", "only_slots", "foreign")},
    )
    shares = [
        *((name, pl.col("messages")) for name in ("reacted", "label", "repeated", "only_slots", "foreign")),
        ("quarantined", pl.col("rows_in")),
        ("leftover", pl.col("rows_in")),
        ("one_sender", pl.col("conversations")),
        ("sender", pl.col("messages").sum()),
        ("conversation", pl.col("messages").sum()),
    ]
    return (
        whole.with_columns(rows_in=pl.col("messages") + pl.col("quarantined"))
        .select(
            "source",
            "rows_in",
            "messages",
            "quarantined",
            "leftover",
            "conversations",
            "conversations_lost",
            "senders",
            "slot_holes",
            # A source whose rows all went to quarantine has 0 of 0.
            *((pl.col(name) / total).fill_nan(0.0).alias(f"{name}_share") for name, total in shares),
        )
        .with_columns(out_of_band=_out_of_band(bands))
    )


def judged(sources: pl.DataFrame) -> pl.DataFrame:
    """Take out shares of too few messages or conversations: a source of ten lines must not stop a run.

    A source that lost every row does, however small it is.

    Args:
        sources: from `summarize`.

    Returns:
        The same, with 0 in place of shares that are not judged.
    """
    names = ("repeated_share", "only_slots_share", "foreign_share", "label_share", "out_of_band")
    total = {
        **dict.fromkeys(names, "messages"),
        "one_sender_share": "conversations",
        "quarantined_share": "rows_in",
    }
    few = pl.col("leftover") < LEFTOVER_FLOOR
    return sources.with_columns(
        *(
            pl.when((pl.col(of) >= FLOOR) | _is_lost(name)).then(pl.col(name)).otherwise(0.0).alias(name)
            for name, of in total.items()
        ),
        leftover_share=pl.when(few).then(0.0).otherwise("leftover_share"),
    )


def _is_lost(share: str) -> pl.Expr:
    return pl.lit(share == "quarantined_share") & (pl.col("quarantined") > 0) & (pl.col("messages") == 0)


def _out_of_band(bands: Mapping[str, Band]) -> pl.Expr:
    source, share = pl.col("source"), pl.col("reacted_share")
    least = source.replace_strict({k: b.least for k, b in bands.items()}, default=0.0, return_dtype=pl.Float64())
    most = source.replace_strict({k: b.most for k, b in bands.items()}, default=1.0, return_dtype=pl.Float64())
    return pl.max_horizontal(least - share, share - most, 0.0)


def labels(counts: pl.DataFrame) -> pl.DataFrame:
    """Class balance: how often each reaction was given.

    Args:
        counts: from `merge`.

    Returns:
        source, reaction, messages, share of the source's messages, share of its reactions.
    """
    total = counts.filter(pl.col("measure") == "message").select("source", total="count")
    found = counts.filter(pl.col("measure") == "reaction").join(total, on="source", maintain_order="left")
    return found.select(
        "source",
        reaction="value",
        messages="count",
        of_messages_share=pl.col("count") / pl.col("total"),
        of_reactions_share=pl.col("count") / pl.col("count").sum().over("source"),
    )


def lengths(counts: pl.DataFrame) -> pl.DataFrame:
    """Lengths in characters at `QUANTILES`: the shortest that so many messages do not exceed.

    Args:
        counts: from `merge`.

    Returns:
        source, p50, p90, p99.
    """
    chars = counts.filter(pl.col("measure") == "chars").select(
        "source", "count", chars=pl.col("value").cast(pl.Int64)
    )
    share = chars.sort("source", "chars").with_columns(
        share=(pl.col("count").cum_sum() / pl.col("count").sum()).over("source")
    )
    return share.group_by("source", maintain_order=True).agg(
        pl.col("chars").filter(pl.col("share") >= q).first().alias(f"p{100 * q:.0f}") for q in QUANTILES
    )
