from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from stages import dialogues
from stages.dialogues import (
    Params,
    add_gaps,
    count_said,
    cut_dialogues,
    gap_thresholds,
    make_pairs,
    merge_turns,
    near_duplicates,
    phrase_tables,
    split_of,
)
from stages.errors import DataError
from stages.table import MESSAGES

PARAMS = Params(
    gap_percentile=90.0, min_gap_s=60.0, context_turns=2, validation_share=0.2, test_share=0.2,
    duplicate_overlap=0.5, min_reply_senders=2, max_reply_chars=30, late_share=0.2,
    test_items=20, validation_items=20, test_pool=200, validation_pool=200, negatives=5, seed=1,
)  # fmt: skip
START = datetime(2024, 1, 1, tzinfo=UTC)


def messages(*rows: tuple[str, str, float, str]) -> pl.DataFrame:
    """(conversation, sender, seconds, text) -> a messages table."""
    full = [
        ("s", c, f"{n}", sender, START + timedelta(seconds=at), n, text, "funny" if "!" in text else None, "user")
        for n, (c, sender, at, text) in enumerate(rows)
    ]
    return pl.DataFrame(full, schema=MESSAGES, orient="row")


def turns_of(*rows: tuple[str, str, float, str]) -> pl.DataFrame:
    table = add_gaps(merge_turns(messages(*rows)))
    return cut_dialogues(table, gap_thresholds(table, PARAMS))


def test_merges_one_senders_messages_in_time_order_and_keeps_the_reaction() -> None:
    merged = merge_turns(
        messages(("a", "x", 5, "there"), ("a", "x", 0, "hi!"), ("a", "y", 9, "yo"), ("b", "y", 0, "z"))
    )
    assert merged["text"].to_list() == ["hi!\nthere", "yo", "z"]
    assert merged["reaction"].to_list() == ["funny", None, None]
    assert merged["messages"].to_list() == [2, 1, 1]


def test_gaps_are_silences_between_turns() -> None:
    found = add_gaps(merge_turns(messages(("a", "x", 0, "1"), ("a", "x", 50, "2"), ("a", "y", 57.5, "3"))))
    assert found["gap_s"].to_list() == [None, 7.5]


def test_a_long_silence_starts_a_new_dialogue_and_a_short_one_never_does() -> None:
    found = turns_of(("a", "x", 0, "1"), ("a", "y", 59, "2"), ("a", "x", 900, "3"), ("b", "y", 0, "4"))
    assert found["dialogue"].to_list() == [0, 0, 1, 0]


def test_pairs_never_reach_over_a_dialogue_or_conversation() -> None:
    one = [("a", "xy"[n % 2], float(n), str(n + 1)) for n in range(4)]
    found = turns_of(*one, ("a", "x", 900, "5"), ("b", "y", 0, "6"), ("b", "x", 1, "7"))
    pairs = make_pairs(found.with_columns(split=pl.lit("train")), context_turns=2)
    assert pairs.select("context", "reply").rows() == [
        (["1"], "2"), (["1", "2"], "3"), (["2", "3"], "4"), (["6"], "7"),
    ]  # fmt: skip
    assert pairs["pair_id"].n_unique() == 4


def test_only_later_copies_are_duplicates() -> None:
    lines = ["I really like green tea", "so do I my friend", "what else do you like"]
    copied = [(c, "xy"[n % 2], n, line) for c in "ab" for n, line in enumerate(lines)]
    chance = [("c", "x", 0, lines[0]), ("c", "y", 1, "a very different answer here"), ("c", "x", 2, "ok")]
    assert near_duplicates(turns_of(*copied, *chance), 0.5) == {"b"}


def test_a_conversation_inside_a_longer_one_is_a_copy_and_a_common_opener_is_not() -> None:
    lines = ["I really like green tea", "so do I my friend", "what else do you like"]
    short = [("a", "xy"[n % 2], n, line) for n, line in enumerate(lines)]
    longer = [("b", "xy"[n % 2], n, f"something else number {n}" if n > 2 else lines[n]) for n in range(12)]
    assert near_duplicates(turns_of(*short, *longer), 0.5) == {"b"}
    openers = [(f"o{c}", "xy"[n], n, line) for c in range(60) for n, line in enumerate(lines[:2])]
    assert near_duplicates(turns_of(*openers), 0.5) == set()


def test_split_depends_on_the_conversation_alone_and_keeps_its_shares() -> None:
    splits = [split_of(f"c{n}", PARAMS) for n in range(5000)]
    assert splits == [split_of(f"c{n}", PARAMS) for n in range(5000)]
    assert splits.count("test") / 5000 == pytest.approx(0.2, abs=0.02)
    assert splits.count("validation") / 5000 == pytest.approx(0.2, abs=0.02)


def test_replies_need_k_different_people_no_slot_and_a_sane_length() -> None:
    said = messages(
        ("a", "x", 0, "Sure"), ("b", "y", 0, "sure"), ("c", "x", 0, "SURE"), ("a", "x", 1, "only me"),
        ("b", "x", 1, "only me"), ("a", "x", 2, "hi <PERSON_1>"), ("b", "y", 2, "hi <PERSON_1>"),
        ("a", "x", 3, "l" * 31), ("b", "y", 3, "l" * 31),
    )  # fmt: skip
    assert count_said(said, PARAMS).select("key", "senders", "count").rows() == [("sure", 2, 3)]


def test_phrases_are_counted_before_the_traffic_they_are_measured_on() -> None:
    early = [("a", "xy"[n % 2], n, "hello") for n in range(8)]
    late = [("a", "x", 100, "Hello"), ("a", "y", 101, "bye")]
    phrases, traffic = phrase_tables(messages(*early, *late), PARAMS)
    assert phrases["key"].to_list() == ["hello"]
    assert dict(traffic.rows()) == {"hello": 1, "bye": 1}


def some_messages(conversations: int) -> pl.DataFrame:
    rows = [
        (f"c{c}", f"p{(c + t) % 7}", 10.0 * t, f"this is turn {t} of talk {c}" if t % 3 else "yeah sure")
        for c in range(conversations)
        for t in range(9)
    ]
    return messages(*rows)


def test_run_keeps_splits_apart_and_counts_add_up(tmp_path: Path) -> None:
    some_messages(60).write_parquet(tmp_path / "messages.parquet")
    dialogues.run(PARAMS, messages=tmp_path / "messages.parquet", out=tmp_path / "out")
    pairs = pl.read_parquet(tmp_path / "out" / "pairs.parquet")
    assert pairs.group_by("conversation_id").agg(pl.col("split").n_unique())["split"].max() == 1
    card = pl.read_json(tmp_path / "out" / "card.json").to_dicts()[0]
    assert card["messages"] == 60 * 9
    assert card["turns"] - card["duplicate_turns"] == card["pairs"] + card["opening_turns"]
    assert sum(split["pairs"] for split in card["splits"].values()) == card["pairs"] == len(pairs)
    training = set(pairs.filter(pl.col("split") == "train")["conversation_id"])
    for split in ("test", "validation"):
        lists = pl.read_parquet(tmp_path / "out" / split / "lists.parquet")
        assert not training & set(lists["conversation_id"])


def test_too_little_data_is_named(tmp_path: Path) -> None:
    some_messages(1).write_parquet(tmp_path / "messages.parquet")
    with pytest.raises(DataError, match="no pairs in split"):
        dialogues.run(PARAMS, messages=tmp_path / "messages.parquet", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    some_messages(2).drop("sender").write_parquet(tmp_path / "messages.parquet")
    with pytest.raises(DataError, match="sender: expected String, got no such column"):
        dialogues.run(PARAMS, messages=tmp_path / "messages.parquet", out=tmp_path / "out")
