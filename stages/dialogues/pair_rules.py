"""The rules for the pairs, over facts about them: counts and flags, never texts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, get_args

import polars as pl

from stages.checks.great_expectations import check
from stages.checks.report import problems, report_of
from stages.checks.rule import Rule
from stages.common.errors import DataError
from stages.common.messages import REACTIONS
from stages.common.text_keys import normalized
from stages.dialogues.pairs import Split

if TYPE_CHECKING:
    from great_expectations.data_context import AbstractDataContext


def facts(pairs: pl.DataFrame, copies: Collection[str]) -> pl.DataFrame:
    """Boil the pairs down to what the rules look at.

    Args:
        pairs: the table as it is written.
        copies: conversations that repeat another one of these pairs.

    Returns:
        One row a pair: pair_id, split, splits (of its conversation), context_turns, own_left_out (of a turn it is
        not told whose it is), shortest_turn and reply_chars (characters), reaction, weak_reaction,
        weak_outside_training, weak_and_explicit, gold_among_distractors, copy.
    """
    weak = pl.col("weak_reaction").is_not_null()
    table = pairs.select(
        "pair_id",
        "split",
        "reaction",
        "weak_reaction",
        splits=pl.col("split").n_unique().over("conversation_id").cast(pl.Int64),
        context_turns=pl.col("context").list.len().cast(pl.Int64),
        own_left_out=(pl.col("context").list.len() != pl.col("context_own").list.drop_nulls().list.len()),
        shortest_turn=pl.col("context").list.eval(pl.element().str.strip_chars().str.len_chars()).list.min(),
        reply_chars=pl.col("reply").str.strip_chars().str.len_chars(),
        weak_outside_training=weak & (pl.col("split") != "train"),
        weak_and_explicit=weak & pl.col("reaction").is_not_null(),
        copy=pl.col("conversation_id").is_in(list(copies)),
    )
    return table.with_columns(gold_among_distractors=_gold_among_distractors(pairs))


def _gold_among_distractors(pairs: pl.DataFrame) -> pl.Series:
    rows = pairs.select("reply", wrong="distractors").with_row_index("row").explode("wrong").drop_nulls("wrong")
    gold, wrong = rows["reply"], rows["wrong"]
    equal = rows.filter(normalized(gold) == normalized(wrong))["row"]
    return pl.Series(range(len(pairs)), dtype=pl.UInt32).is_in(equal.unique().implode())


def pair_rules() -> tuple[Rule, ...]:
    """List the rules of the suite "pairs"; all are critical, since a breach is a mistake of ours, not of a row."""
    return (
        _rule("pair_unique", "pair_id occurs once", "ExpectColumnValuesToBeUnique", "pair_id"),
        _one_of("split", get_args(Split)),
        _rule("one_split", "all pairs of a conversation are in one split", _BETWEEN, "splits", max_value=1),
        _never("copy", "a conversation repeats another one, of whatever split"),
        _rule("context_present", "there is a context", _BETWEEN, "context_turns", min_value=1),
        _never("own_left_out", "it is not told of every turn of the context whose it is"),
        _rule("context_filled", "no turn of the context is empty", _BETWEEN, "shortest_turn", min_value=1),
        _rule("reply_filled", "the reply is not empty", _BETWEEN, "reply_chars", min_value=1),
        _one_of("reaction", REACTIONS),
        _one_of("weak_reaction", REACTIONS),
        _never("weak_outside_training", "a weak reaction stands outside training"),
        _never("weak_and_explicit", "a weak reaction stands beside an explicit one"),
        _never("gold_among_distractors", "a distractor equals the reply"),
    )


_BETWEEN = "ExpectColumnValuesToBeBetween"


def _rule(rule: str, description: str, expectation: str, column: str, **arguments: Any) -> Rule:
    return Rule(rule, "critical", description, expectation, {"column": column, **arguments})


def _one_of(column: str, values: Sequence[str]) -> Rule:
    description = f"{column}, where given, is one of {', '.join(values)}"
    return _rule(f"{column}_known", description, "ExpectColumnValuesToBeInSet", column, value_set=list(values))


def _never(column: str, what: str) -> Rule:
    return _rule(f"no_{column}", f"never: {what}", "ExpectColumnValuesToBeInSet", column, value_set=[False])


def check_pairs(context: AbstractDataContext, pairs: pl.DataFrame, copies: Collection[str]) -> dict[str, Any]:
    """Check the pairs; the result stays in the context, for the pages.

    Args:
        context: from `open_context`.
        pairs: the table as it is written.
        copies: conversations that repeat another one of these pairs.

    Returns:
        The report, as the pages show it: counts only.

    Raises:
        DataError: naming every broken rule.
    """
    report = report_of("Pairs", {"pairs": check(context, "pairs", facts(pairs, copies), pair_rules())})
    _date_by_data(context, pairs["started_at"].max())
    if report["broken"]:
        raise DataError("\n".join(["pairs break their rules", *problems(report), "next: report this, it is a bug"]))
    return report


def _date_by_data(context: AbstractDataContext, newest: Any) -> None:
    """Date the result by the newest pair, not by the clock: equal pairs must make equal pages.

    DVC compares the whole output, and a page that changes by itself would train every model again.
    """
    from great_expectations import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import ValidationResultIdentifier

    store = context.validation_results_store
    for key in store.list_keys():
        result = store.get(key)
        run = RunIdentifier(run_name="dialogues", run_time=newest)
        result.meta |= {"run_id": run, "batch_markers": {}}
        store.remove_key(key)
        identifier = ValidationResultIdentifier(key.expectation_suite_identifier, run, key.batch_identifier)
        store.set(identifier, result)
