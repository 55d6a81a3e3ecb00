"""Annotators learn from files, from question marks and from laughter; what is not worth it is left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl
import pytest
import yaml

from rejoinder.parts import ANNOTATORS, VECTORIZER
from rejoinder.parts.annotators import open_annotators
from rejoinder.parts.opened import open_model, open_release
from rejoinder.release.manifest import read_manifest
from stages.annotators.heads import METRICS, Head, fit_head
from stages.annotators.labels import SOURCES, WEAK, Labelled, Sources, Wanted, from_laughter, from_question_marks
from stages.annotators.stage import HeadParams, Params, run
from stages.common.errors import DataError
from stages.common.turn_vectors import write_turns
from tests.bundles import _SENTENCES, build_whole, pin

WHO = ("i", "you", "we", "they")
MOOD = HeadParams(labels=["wet", "fed"], source="file", metric="macro_f1", floor=0.5)
WET, FED = (
    [f"{who} {words}" for who in WHO for words in of] for of in (("miss rain", "want rain"), ("know pizza",))
)


def params(**heads: HeadParams) -> Params:
    return Params(heads=heads, strength=10.0, most_written=50, most_drawn=100, seed=0)


def write_labels(folder: Path, name: str, labels: Any) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.yaml").write_text(yaml.safe_dump({"labels": labels}))


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A folder with what the stage reads."""
    bundles = build_whole(tmp_path / "build")
    vectorizer, _ = open_model(bundles["model"])
    sentences = list(_SENTENCES)
    rows = [
        {
            "pair_id": f"{n}", "conversation_id": f"c{n % 7}", "split": "validation" if n % 3 == 0 else "train",
            "context": [text + ("?" if n * 7919 % 11 < 5 else ".")], "reply": text,
            "reaction": "funny" if n % 4 == 0 else None,
        }
        for n, text in enumerate(sentences)
    ]  # fmt: skip
    (tmp_path / "dialogues").mkdir()
    pl.DataFrame(rows).write_parquet(tmp_path / "dialogues" / "pairs.parquet")
    (tmp_path / "turns").mkdir()
    write_turns(tmp_path / "turns", vectorizer, sentences, vectorizer.encode(sentences))
    write_labels(tmp_path / "annotations", "mood", {"wet": WET[:6], "fed": FED[:3]})
    write_labels(tmp_path / "annotations" / "held-out", "mood", {"wet": WET[6:], "fed": FED[3:]})
    return tmp_path


def build(built: Path, given: Params) -> dict[str, Any]:
    run(
        given, annotations=built / "annotations", dialogues=built / "dialogues", export=built / "build",
        turns=built / "turns", out=built / "annotators",
    )  # fmt: skip
    found: dict[str, Any] = json.loads((built / "annotators" / "metrics.json").read_text())
    return found


def test_a_head_opens_in_a_release_and_says_what_it_learnt(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Head, "is_worth_it", True)  # the tests' few words are told apart by a bag of them as well
    told = build(built, params(mood=MOOD))["mood"]
    assert (told["is_kept"], told["learnt"], told["judged"]) == (True, {"wet": 6, "fed": 3}, {"wet": 2, "fed": 1})
    bundle = built / "annotators" / ANNOTATORS.bundle
    vectorizer, _ = open_model(built / "build" / VECTORIZER.bundle)
    annotators = open_annotators(bundle, read_manifest(bundle), vectorizer.dim)
    label, probability = annotators.best(vectorizer.encode(["they want rain"])[0])["mood"]
    assert (label, probability > 0.5) == ("wet", True)
    kinds = ("model", "cache", "heads", "index", "remarks", "guard", "intents", "deny")
    opened = open_release(pin({**{kind: built / "build" / kind for kind in kinds}, "annotators": bundle}))
    assert opened.annotators is not None


def test_a_head_that_is_not_worth_it_is_left_out_with_its_figure(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match="beats its baselines"):
        build(built, params(mood=MOOD))
    monkeypatch.setattr(Head, "is_worth_it", True)
    guess = HeadParams(labels=["no", "yes"], source="question-mark", metric="auc", floor=0.99)
    told = build(built, params(mood=MOOD, question=guess))
    assert told["question"]["is_weak"]
    assert not told["question"]["is_kept"]
    assert 0 <= told["question"]["low"] <= told["question"]["figure"] <= told["question"]["high"] <= 1
    assert list(read_manifest(built / "annotators" / ANNOTATORS.bundle).facts["heads"]) == ["mood"]
    with pytest.raises(DataError, match="got none"):
        build(built, params(question=guess))


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        ({"wet": WET[:6], "dry": FED[:3]}, "label 'dry' is not among those of params"),
        ({"wet": WET[:6]}, "no turns of label 'fed'"),
        ({"wet": WET[:6], "fed": [1, *FED]}, "fed, turn 1: expected text"),
        ([1], "expected `labels` with turns of each"),
        ({"wet": WET[6:], "fed": FED[:3]}, "expected turns that are not learnt, got 2"),
    ],
)
def test_labels_that_cannot_be_used_are_named(built: Path, labels: Any, problem: str) -> None:
    write_labels(built / "annotations", "mood", labels)
    with pytest.raises(DataError, match=problem):
        build(built, params(mood=MOOD))


def test_a_file_without_a_head_and_a_head_without_a_file_are_named(built: Path) -> None:
    write_labels(built / "annotations", "modo", {"wet": WET})
    with pytest.raises(DataError, match=r"got none for modo\.yaml"):
        build(built, params(mood=MOOD))
    (built / "annotations" / "modo.yaml").unlink()
    with pytest.raises(DataError, match="no such file"):
        build(built, params(mood=MOOD, modo=MOOD))


def test_question_marks_are_hidden_from_who_learns_them(built: Path) -> None:
    sources = Sources(built / "annotations", built / "dialogues" / "pairs.parquet")
    learnt, judged = from_question_marks(Wanted("question", ["no", "yes"], 1000, 0), sources)
    assert set(learnt.numbers.tolist()) == {0, 1}
    assert not any("?" in text for text in (*learnt.texts, *judged.texts))
    with pytest.raises(DataError, match="expected two"):
        from_question_marks(Wanted("question", ["a", "b", "c"], 1000, 0), sources)


def test_laughter_is_learnt_where_anybody_laughs(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = built / "dialogues" / "pairs.parquet"
    pairs = pl.read_parquet(path).with_columns(
        pl.when(pl.col("conversation_id") == "c1").then(None).otherwise(pl.col("reaction")).alias("reaction")
    )
    pairs.write_parquet(path)
    found = from_laughter(Wanted("laughter", ["no", "yes"], 1000, 0), Sources(built / "annotations", path))
    assert {group for part in found for group in part.groups} == {f"c{n}" for n in range(7) if n != 1}
    pairs.with_columns(pl.lit(None, pl.String).alias("reaction")).write_parquet(path)
    monkeypatch.setattr(Head, "is_worth_it", True)
    laughter = HeadParams(labels=["no", "yes"], source="laughter", metric="auc", floor=0.5)
    told = build(built, params(mood=MOOD, laughter=laughter))
    assert (told["mood"]["is_kept"], told["laughter"]["is_kept"]) == (True, False)
    assert "got one" in told["laughter"]["why"]


def test_a_head_is_measured_beside_what_reads_nothing_but_lengths_and_words() -> None:
    random = np.random.default_rng(0)
    numbers = np.arange(200) % 2
    vectors = random.standard_normal((200, 8)).astype(np.float32)
    vectors[:, 0] += 3 * numbers
    texts = ["same words"] * 200
    part = Labelled(texts, numbers, [str(n) for n in range(200)]), vectors
    figures = fit_head(part, part, 2, "auc", 1.0).figures
    assert figures["figure"] > 0.9
    assert {figures[name] for name in ("majority", "length", "bag_of_words")} == {0.5}
    long = Labelled(["word " * (9 if n else 1) for n in numbers], numbers, part[0].groups), vectors * 0
    blind = fit_head(long, long, 2, "accuracy", 1.0)
    assert blind.figures["length"] == 1.0
    assert not blind.is_worth_it


def test_params_offer_what_there_is() -> None:
    fields = HeadParams.model_fields
    assert set(get_args(fields["source"].annotation)) == set(SOURCES) >= WEAK
    assert set(get_args(fields["metric"].annotation)) == set(METRICS)


def test_metrics_know_the_best_and_a_guess() -> None:
    numbers, sure = np.array([0, 1, 1, 0]), np.array([[1, 0], [0, 1], [0, 1], [1, 0]], np.float32)
    guess = np.full((4, 2), 0.5, np.float32)
    assert [measure(numbers, sure) for measure in METRICS.values()] == [1.0, 1.0, 1.0]
    assert [round(measure(numbers, guess), 3) for measure in METRICS.values()] == [0.5, 0.333, 0.5]


@pytest.mark.parametrize("heads", [{"Mood": MOOD}, {"mood": MOOD.model_copy(update={"labels": ["a", "a"]})}])
def test_names_and_labels_that_cannot_be_are_refused(heads: dict[str, HeadParams]) -> None:
    with pytest.raises(ValueError, match="expected"):
        params(**heads)
