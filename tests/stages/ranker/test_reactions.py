"""An output for a reaction: where labels suffice, and only if it knows more than how long a reply is."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rejoinder.parts.reading import Reading
from stages.ranker.learn import over_slates
from stages.ranker.model import ContextOnce
from stages.ranker.reactions import fit_reaction
from stages.ranker.slates import Slates, read_tokens
from tests.stages.ranker.tiny import open_reading, some_pairs, tiny_ranker


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.ranker.reactions._ROUNDS", 100)


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Reading:
    return open_reading(tmp_path_factory.mktemp("reading"))


@pytest.fixture(scope="module")
def model() -> ContextOnce:
    return tiny_ranker()


def funny(pairs: pl.DataFrame, is_it: pl.Expr) -> pl.DataFrame:
    return pairs.with_columns(reaction=pl.when(is_it).then(pl.lit("funny")).otherwise(pl.lit("sad")))


IS_OF_THINGS = pl.col("reply").str.contains("pizza|rain|home")
IS_LONG = pl.col("reply").str.len_chars() > 14


def test_too_few_labels_make_no_output_and_tell_why(model: ContextOnce, reading: Reading) -> None:
    pairs = some_pairs()
    for least, name in ((2, "angry"), (50, "funny")):
        output, figures = fit_reaction(model, reading, pairs, name, least=least, most=100)
        assert output is None
        assert figures["is_kept"] is False
        assert figures["why"].startswith(f"expected at least {least} labels of each class, got ")
    assert fit_reaction(model, reading, pairs, "angry", least=2, most=100)[1]["why"].endswith("got 0")


def test_a_reaction_to_what_is_said_is_learnt(model: ContextOnce, reading: Reading) -> None:
    pairs = funny(some_pairs(360), IS_OF_THINGS)
    output, figures = fit_reaction(model, reading, pairs, "funny", least=20, most=200)
    assert output is not None
    assert figures["is_kept"] is True
    assert figures["auc"] > 0.8 > figures["auc_of_length"]
    assert figures["over_length_interval"][0] > 0
    assert 0 < figures["judged"] <= 200
    assert 0 < figures["learnt"] <= 200
    assert output.weights.shape == (model.width,)
    judged = pairs.filter(split="validation")
    read = judged["context"].to_list(), judged["context_own"].to_list(), judged["reply"].to_list()
    slates = Slates(read_tokens(reading, *read), np.arange(len(judged))[:, None], [])
    said = over_slates(model, slates, model.states)[:, 0] @ output.weights + output.bias
    is_it = (judged["reaction"] == "funny").to_numpy()
    assert said[is_it].mean() > 0 > said[~is_it].mean()


def test_a_reaction_to_length_is_left_out_with_its_figures(model: ContextOnce, reading: Reading) -> None:
    texts = ["i like rain", "we know pizza and my cat want hello music"]
    longer = some_pairs(360).with_columns(reply=pl.Series([texts[n * 7919 % 5 % 2] for n in range(360)]))
    output, figures = fit_reaction(model, reading, funny(longer, IS_LONG), "funny", least=20, most=200)
    assert output is None
    assert figures["is_kept"] is False
    assert figures["auc_of_length"] == 1.0
    assert figures["over_length_interval"][0] <= 0


def test_talks_in_which_nobody_reacts_are_not_learnt_from(model: ContextOnce, reading: Reading) -> None:
    pairs = funny(some_pairs(360), IS_OF_THINGS)
    silent = pairs.with_columns(
        reaction=pl.when(pl.col("conversation_id").str.ends_with("1")).then(None).otherwise(pl.col("reaction"))
    )
    _, every = fit_reaction(model, reading, pairs, "funny", least=10, most=1000)
    _, some = fit_reaction(model, reading, silent, "funny", least=10, most=1000)
    left = silent.filter(~pl.col("conversation_id").str.ends_with("1"))
    assert some["judged"] + some["learnt"] == len(left) < every["judged"] + every["learnt"]


def test_what_a_bot_said_is_held_against_what_it_said_besides_and_not_against_people(
    model: ContextOnce, reading: Reading
) -> None:
    pairs = some_pairs(360).with_columns(reaction=pl.lit(None, pl.String))
    bot = pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.lit("bot")).otherwise(pl.lit("user"))
    pairs = pairs.with_columns(role=bot)
    loved = (pl.col("role") == "bot") & IS_OF_THINGS
    pairs = pairs.with_columns(reaction=pl.when(loved).then(pl.lit("love")))
    _, figures = fit_reaction(model, reading, pairs, "love", least=5, most=1000)
    talks = pairs.filter((pl.col("reaction") == "love").fill_null(value=False).any().over("conversation_id"))
    assert figures["judged"] + figures["learnt"] == len(talks.filter(role="bot"))
