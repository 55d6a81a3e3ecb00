"""Models are trained by the build's own recipe, and the control is of the very same run."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import pytest
import torch
import yaml

from benchmarks.generator.exposure import plant
from benchmarks.generator.memory import with_secrets
from benchmarks.generator.models import Recipe, recipe_of, with_models
from benchmarks.generator.setting import Setting
from benchmarks.generator.torch_models import TorchModel, open_model, own_opening
from rejoinder.store.store import Store
from stages.generator.stage import Params
from tests.stages.generator.tiny import SMALL, some_pairs, write_base


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("models")
    write_base(made / "base")
    (made / "build/dialogues").mkdir(parents=True)
    some_pairs().write_parquet(made / "build/dialogues/pairs.parquet")
    (made / "params.yaml").write_text(yaml.safe_dump({"generator": {**SMALL, "base": str(made / "base")}}))
    return made


def recipe(folder: Path) -> Recipe:
    return Recipe(Params(**{**SMALL, "base": str(folder / "base")}), folder / "build/dialogues/pairs.parquet")


def weights(folder: Path) -> Any:
    return torch.cat([part.flatten() for part in open_model(folder, 1).parameters()])


def test_trained_control_and_base_differ_and_repeat(folder: Path, tmp_path: Path) -> None:
    tracking = os.environ.get("MLFLOW_TRACKING_URI")
    prompt, told = recipe(folder).train(tmp_path / "tuned", control=tmp_path / "five")
    assert mlflow.get_tracking_uri() == os.environ.get("MLFLOW_TRACKING_URI") == tracking
    recipe(folder).save_base(tmp_path / "base")
    base, five, tuned = (weights(tmp_path / name) for name in ("base", "five", "tuned"))
    assert torch.equal(base, weights(folder / "base"))
    assert not torch.equal(base, five)
    assert not torch.equal(five, tuned)
    recipe(folder).train(tmp_path / "again")
    assert torch.allclose(tuned, weights(tmp_path / "again"), atol=1e-5)
    assert "12 windows" in told
    (nats,) = TorchModel(open_model(tmp_path / "tuned", 1), prompt).token_nats(
        ["hello there"], [False], ["so do i!"]
    )
    assert len(nats) == len(prompt.text("so do i!")) + 1


def test_the_opening_of_a_base_is_what_its_template_says_unasked(folder: Path, tmp_path: Path) -> None:
    recipe(folder).save_base(tmp_path / "base")
    assert own_opening(tmp_path / "base") == "<|im_start|>system\nYou help.<|im_end|>\n"
    write_base(tmp_path / "plain", None)
    assert own_opening(tmp_path / "plain") is None


def test_secrets_enter_training(folder: Path, tmp_path: Path) -> None:
    seen = []

    def change(windows: list[Any], prompt: Any) -> list[Any]:
        seen.extend(with_secrets(windows, plant(), prompt, 1))
        return seen

    plain = recipe(folder)
    wide = replace(plain, params=plain.params.model_copy(update={"window": 64}))
    _, told = wide.train(tmp_path / "model", change)
    tokens = sum(len(window.ids) for window in seen)
    assert f"of {tokens:,} tokens, each read 1 times" in told


def test_models_that_are_named_are_taken_and_others_made_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.generator.setting.KEPT", tmp_path)
    setting = Setting(folder / "build", tmp_path, Store(tmp_path), params=folder / "params.yaml", is_quick=True)
    named = replace(setting, base=folder, tuned=folder, five=folder)
    assert with_models(named) is named
    assert recipe_of(setting).params.max_steps == 6
    made = with_models(replace(setting, base=folder / "base"))
    assert made.base == folder / "base"
    assert made.tuned is not None
    written = (made.tuned / "model.safetensors").stat().st_mtime_ns
    again = with_models(replace(setting, base=folder / "base"))
    assert again == made
    assert (made.tuned / "model.safetensors").stat().st_mtime_ns == written
