"""The stage `ranker` on a tiny base: what it writes opens in a release with the heads it was weighed beside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from pydantic import ValidationError

from rejoinder.parts import HEADS, RANKER, VECTORIZER
from rejoinder.parts.opened import open_model, open_release
from rejoinder.parts.ranker import CHOICES, fact_problems
from rejoinder.release.manifest import read_manifest
from stages.common.errors import DataError, ParamsError
from stages.common.turn_vectors import write_turns
from stages.evaluation.candidates import build_candidates
from stages.ranker.model import ContextOnce, open_bert
from stages.ranker.stage import Params, run, start_model
from stages.ranker.start import write_start
from tests.bundles import _SENTENCES, build_whole, pin
from tests.stages.ranker.tiny import LAYERS, some_pairs, write_base

SMALL: dict[str, Any] = {
    "start": None, "layers": [0, 2], "frozen_layers": 1, "context_tokens": 24, "reply_tokens": 12, "candidates": 5,
    "judged": 12, "reactions": ["funny", "sad"], "least_reactions": 3, "most_reactions": 40, "batch_size": 4,
    "min_rank": 0.3, "over_themes": 0.4, "sure_fit": 0.5,
    "learning_rate": 1e-3, "warmup_steps": 1, "max_steps": 2, "validate_every": 2, "patience": 1, "seed": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the stage reads: base, ingest, dialogues, build (a release's bundles) and turns."""
    root = tmp_path_factory.mktemp("inputs")
    write_base(root / "base")
    bundles = build_whole(root / "build")
    vectorizer, _ = open_model(bundles[VECTORIZER.bundle])
    for name in ("ingest", "dialogues", "turns"):
        (root / name).mkdir()
    pl.DataFrame({"source": ["native"], "messages": [4]}).write_parquet(root / "ingest" / "erased.parquet")
    pairs = some_pairs(150)
    pairs.write_parquet(root / "dialogues" / "pairs.parquet")
    pairs.clear().with_columns(message_id="pair_id").write_parquet(root / "dialogues" / "answers.parquet")
    judged = pairs.filter(split="validation")
    lists = build_candidates(judged, items=20, pool_size=40, negatives=12, seed=0)
    lists.save(root / "dialogues" / "validation")
    texts = list(_SENTENCES)
    write_turns(root / "turns", vectorizer, texts, vectorizer.encode(texts))
    return root


def params(inputs: Path, **changes: Any) -> Params:
    return Params(**{**SMALL, "base": str(inputs / "base"), **changes})


def build(inputs: Path, out: Path, **changes: Any) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stages.ranker.reactions._ROUNDS", 50)
        run(
            params(inputs, **changes), ingest=inputs / "ingest", dialogues=inputs / "dialogues",
            export=inputs / "build", turns=inputs / "turns", heads=inputs / "build", out=out,
        )  # fmt: skip
    found: dict[str, Any] = json.loads((out / "metrics.json").read_text())
    return found


@pytest.fixture(scope="module")
def made(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("made") / "ranker"
    return out, build(inputs, out)


def test_what_it_writes_opens_in_a_release(made: tuple[Path, dict[str, Any]], inputs: Path) -> None:
    kinds = ("model", "cache", "heads", "index", "remarks")
    bundles = {kind: inputs / "build" / kind for kind in kinds} | {RANKER.bundle: made[0] / RANKER.bundle}
    ranker = open_release(pin(bundles)).ranker
    assert ranker is not None
    assert ranker.candidates == 5
    assert ranker.scores(["i like rain"], [False], ["we want home", "hello"]).shape == (2, len(ranker.outputs))


def test_its_manifest_names_the_heads_and_all_facts(made: tuple[Path, dict[str, Any]], inputs: Path) -> None:
    manifest = read_manifest(made[0] / RANKER.bundle)
    assert fact_problems(manifest) == []
    facts = dict(manifest.facts)
    assert facts.pop("ties") == {HEADS.bundle: read_manifest(inputs / "build" / "heads").digest}
    assert {name: facts.pop(name) for name in ("layers", "attention_heads", "width")} == {
        "layers": 2,
        "attention_heads": 2,
        "width": 32,
    }
    assert facts == made[1]["facts"]
    assert set(facts) == {
        "context_tokens",
        "reply_tokens",
        "candidates",
        "outputs",
        "weights",
        "temperature",
        *CHOICES,
    }
    assert facts["temperature"] > 0


def test_its_figures_tell_what_was_gained_and_what_left_out(made: tuple[Path, dict[str, Any]]) -> None:
    out, figures = made
    assert set(figures) == {"validation", "with_junk", "reactions", "facts"}
    assert set(figures["validation"]) == {"without", "with_ranker", "gain", "gain_interval", "slates"}
    assert figures["validation"]["slates"] == 2 * 12
    assert set(figures["with_junk"]) == {"before", "after"}
    assert set(figures["reactions"]) == {"funny", "sad"}
    assert figures["reactions"]["sad"]["why"].startswith("expected at least 3 labels of each class, got 0")
    kept = [name for name, told in figures["reactions"].items() if told["is_kept"]]
    assert figures["facts"]["outputs"] == ["likelihood", *kept]
    assert [row["step"] for row in json.loads((out / "validation.json").read_text())] == [0, 2]
    assert {path.name for path in out.iterdir()} == {"ranker", "loss.json", "validation.json", "metrics.json"}


def test_the_same_seed_makes_the_same_ranker(
    made: tuple[Path, dict[str, Any]], inputs: Path, tmp_path: Path
) -> None:
    assert build(inputs, tmp_path / "again") == made[1]
    digests = [read_manifest(out / RANKER.bundle).digest for out in (made[0], tmp_path / "again")]
    assert digests[0] == digests[1]


def pairs_of(inputs: Path) -> pl.DataFrame:
    return pl.read_parquet(inputs / "dialogues" / "pairs.parquet")


def write_learnt(inputs: Path, path: Path, conversations: list[str]) -> ContextOnce:
    model = ContextOnce(open_bert(inputs / "base"), [0, 2], 1)
    model.score.bias.data.fill_(7.0)
    write_start(path, model.state_dict(), conversations)
    return model


def test_it_begins_with_what_was_learnt(inputs: Path, tmp_path: Path) -> None:
    path = tmp_path / "start.safetensors"
    pairs = pairs_of(inputs)
    seen = pairs.filter(split="train", source="chitchat")["conversation_id"].unique().to_list()
    learnt = write_learnt(inputs, path, seen)
    model = start_model(params(inputs, start=str(path)), pairs, inputs / "ingest")
    assert not model.training
    assert torch.equal(model.score.bias, learnt.score.bias)
    other = start_model(params(inputs), pairs, inputs / "ingest")
    assert not torch.equal(other.score.bias, learnt.score.bias)


def test_frozen_layers_stay_as_they_are_and_the_others_learn(inputs: Path) -> None:
    model = start_model(params(inputs), pairs_of(inputs), inputs / "ingest")
    frozen, free = (list(layer.parameters()) for layer in model.layers)
    assert not any(part.requires_grad for part in (*frozen, model.words.weight))
    assert all(part.requires_grad for part in (*free, *model.score.parameters()))


def test_a_start_that_has_seen_what_it_is_judged_by_begins_nothing(inputs: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "start.safetensors", tmp_path / "ranker"
    write_learnt(inputs, path, pairs_of(inputs)["conversation_id"].unique().to_list())
    with pytest.raises(DataError, match=r"of the validation or test split and .* somebody was erased"):
        build(inputs, out, start=str(path))
    assert not out.exists()


@pytest.mark.parametrize(("layers", "frozen"), [([0, LAYERS], 1), ([0, 2], 3)])
def test_layers_that_there_are_not_are_refused(inputs: Path, layers: list[int], frozen: int) -> None:
    with pytest.raises(ParamsError, match=f"expected numbers from 0 to {LAYERS - 1}"):
        start_model(params(inputs, layers=layers, frozen_layers=frozen), pairs_of(inputs), inputs / "ingest")


@pytest.mark.parametrize(
    "changes", [{"layers": []}, {"candidates": 1}, {"context_tokens": 4}, {"validate_every": 3}]
)
def test_params_that_cannot_be_are_refused(inputs: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        params(inputs, **changes)
