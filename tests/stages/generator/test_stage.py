"""The stage `generator` on a tiny base: what it writes opens, and what it says and counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from pydantic import ValidationError

from rejoinder.parts import GENERATOR, VECTORIZER
from rejoinder.parts.generator import open_generator
from rejoinder.parts.generator_facts import fact_problems
from rejoinder.parts.sampling import Sampling
from rejoinder.release.manifest import read_manifest
from stages.common.errors import DataError, ParamsError
from stages.generator.base import Base
from stages.generator.stage import Params, open_resume, run, training_rows
from tests.bundles import build_whole
from tests.stages.generator.tiny import SENTENCES, SMALL, TEMPLATE, some_pairs, tiny_llama, write_base


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the stage reads: base, build (the vectorizer's bundle) and dialogues."""
    root = tmp_path_factory.mktemp("inputs")
    write_base(root / "base")
    build_whole(root / "build")
    (root / "dialogues").mkdir()
    some_pairs().write_parquet(root / "dialogues" / "pairs.parquet")
    return root


def params(inputs: Path, **changes: Any) -> Params:
    return Params(**{**SMALL, "base": str(inputs / "base"), **changes})


def build(inputs: Path, out: Path, **changes: Any) -> dict[str, Any]:
    run(params(inputs, **changes), dialogues=inputs / "dialogues", export=inputs / "build", out=out)
    found: dict[str, Any] = json.loads((out / "metrics.json").read_text())
    return found


@pytest.fixture(scope="module")
def made(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("made") / "generator"
    return out, build(inputs, out)


def test_what_it_writes_opens_and_speaks(made: tuple[Path, dict[str, Any]], inputs: Path) -> None:
    bundle = made[0] / GENERATOR.bundle
    manifest = read_manifest(bundle)
    assert fact_problems(manifest) == []
    assert manifest.vectorizer_id == read_manifest(inputs / "build" / VECTORIZER.bundle).vectorizer_id
    generator = open_generator(bundle, manifest)
    assert generator.sampling == Sampling.of(SMALL["sampling"])
    nats, tokens = generator.log_probabilities(["hello there"], [False], ["so do i!"])
    assert nats[0] < 0
    assert tokens[0] > 1


def test_its_facts_are_what_the_params_say(made: tuple[Path, dict[str, Any]]) -> None:
    facts = read_manifest(made[0] / GENERATOR.bundle).facts
    assert facts["template"] == {
        "opening": "",
        "user": list(TEMPLATE.user),
        "bot": list(TEMPLATE.bot),
    }
    assert {name: facts[name] for name in ("window", "when", "below")} == {
        "window": 64,
        "when": "off",
        "below": 0.0,
    }
    assert facts["base"]["name"] == "base"
    assert len(facts["base"]["sha256"]) == 64


def test_its_figures_tell_of_base_control_and_what_was_learnt(made: tuple[Path, dict[str, Any]]) -> None:
    out, figures = made
    assert set(figures) == {"perplexity", "learning"}
    assert set(figures["perplexity"]) == {"untrained", "control", "trained"}
    assert all(set(of) == {"token", "reply", "end", "all"} for of in figures["perplexity"].values())
    assert figures["perplexity"]["trained"]["all"] < figures["perplexity"]["untrained"]["all"]
    assert figures["learning"]["windows"] == 12
    assert figures["learning"]["judged"] == 6
    assert 0 < figures["learning"]["learnt"] < figures["learning"]["tokens"]
    names = {"generator", "samples.parquet", "loss.json", "validation.json", "metrics.json"}
    assert {path.name for path in out.iterdir()} == names
    assert [row["step"] for row in json.loads((out / "validation.json").read_text())] == [0, 3, 6]


def test_nothing_to_go_on_with_is_left(made: tuple[Path, dict[str, Any]]) -> None:
    assert not [path for path in (made[0].parent / "resume").rglob("*") if path.is_file()]


def test_the_same_seed_makes_the_same_generator(
    made: tuple[Path, dict[str, Any]], inputs: Path, tmp_path: Path
) -> None:
    assert build(inputs, tmp_path / "again") == made[1]
    digests = [read_manifest(out / GENERATOR.bundle).digest for out in (made[0], tmp_path / "again")]
    assert digests[0] == digests[1]


def test_only_its_sources_are_learnt_from(inputs: Path) -> None:
    source = inputs / "dialogues" / "pairs.parquet"
    rows = training_rows(params(inputs), source)
    assert set(rows) == {"train", "validation"}
    assert all(set(of["source"]) == {"chitchat"} for of in rows.values())
    assert set(rows["train"]["split"]) == {"train"}
    assert set(rows["validation"]["split"]) == {"validation"}
    with pytest.raises(DataError, match="windows to learn from, got 0"):
        build(inputs, inputs / "nothing", sources=["telegram"])
    assert not (inputs / "nothing").exists()


def test_a_loss_that_is_no_number_leaves_no_output(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: Any) -> Any:
        nats, learnt = losses(*given)
        return nats * float("nan"), learnt

    from stages.generator.learn import losses

    monkeypatch.setattr("stages.generator.learn.losses", broken)
    with pytest.raises(DataError, match="expected a finite loss, got nan at step 0") as caught:
        build(inputs, tmp_path / "generator")
    assert not (tmp_path / "generator").exists()
    assert not any(sentence in str(caught.value) for sentence in SENTENCES)


def test_a_base_that_is_not_there_leaves_no_output(inputs: Path, tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"generator\.base"):
        build(inputs, tmp_path / "generator", base="no-such-package")
    assert not (tmp_path / "generator").exists()


def test_only_the_very_same_training_goes_on(inputs: Path, tmp_path: Path) -> None:
    source, out = inputs / "dialogues" / "pairs.parquet", tmp_path / "generator"
    nothing: Any = None
    base, other = (Base(nothing, tmp_path, TEMPLATE, {"name": "tiny", "sha256": digit * 64}) for digit in "01")
    found = open_resume(params(inputs), base, source, out).folder
    assert found == open_resume(params(inputs), base, source, out).folder
    assert out not in found.parents
    changed = tmp_path / "pairs.parquet"
    some_pairs(12).write_parquet(changed)
    for again in (
        open_resume(params(inputs, seed=2), base, source, out),
        open_resume(params(inputs), other, source, out),
        open_resume(params(inputs), base, changed, out),
    ):
        assert again.folder != found


def test_nothing_to_be_judged_by_is_said(inputs: Path, tmp_path: Path) -> None:
    (tmp_path / "dialogues").mkdir()
    some_pairs().filter(pl.col("split") == "train").write_parquet(tmp_path / "dialogues" / "pairs.parquet")
    with pytest.raises(DataError, match="windows to be judged by, got 0"):
        run(params(inputs), dialogues=tmp_path / "dialogues", export=inputs / "build", out=tmp_path / "generator")


@pytest.mark.parametrize(
    "changes",
    [
        {"sources": []}, {"sources": ["nobody"]}, {"window": 8}, {"users": [5]}, {"method": "none"},
        {"base_sha256": "abc"}, {"validate_every": 7}, {"forms": []}, {"when": "sometimes"}, {"save_every": 0},
        {"sampling": {**SMALL["sampling"], "top_p": 2.0}}, {"sampling": {"n": 1}},
    ],
)  # fmt: skip
def test_params_that_cannot_be_are_refused(inputs: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        params(inputs, **changes)


def test_more_frozen_layers_than_there_are_is_refused(inputs: Path, tmp_path: Path) -> None:
    layers = len(tiny_llama().model.layers)
    with pytest.raises(ParamsError, match=f"generator.frozen_layers: expected fewer than {layers}, got {layers}"):
        build(inputs, tmp_path / "generator", frozen_layers=layers)
    assert torch.is_grad_enabled()
