"""Learning: what is trained, what the loss is of, and what a killed training goes on with."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from rejoinder.parts.prompt import Prompt
from stages.common.errors import DataError
from stages.generator.learn import LINEAR, collate, losses, measured, prepare, train_generator
from stages.generator.stage import Params
from stages.generator.windows import COLUMNS, Window, judged_windows, learning_windows
from stages.training.resume import Plan, Resume
from tests.stages.generator.tiny import SMALL, open_prompt, some_pairs, tiny_llama

KILLED = """
import os, signal, sys
from pathlib import Path
from stages.training.resume import Resume
from tests.stages.generator.test_learn import trained

write = Resume._write

def write_and_die(self, trainer):
    write(self, trainer)
    if trainer.global_step >= int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

Resume._write = write_and_die
trained(Path(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def prompt(tmp_path_factory: pytest.TempPathFactory) -> Prompt:
    return open_prompt(tmp_path_factory.mktemp("tokenizer"))


def params(**changes: Any) -> Params:
    return Params(**{**SMALL, "base": "tiny", **changes})


def windows(folder: Path, some: Params) -> tuple[list[Window], list[Window]]:
    prompt, rows = open_prompt(folder / "tokenizer"), some_pairs().select(COLUMNS)
    most = some.max_steps * some.batch_size * some.accumulation
    return learning_windows(rows, prompt, most, 1), judged_windows(rows, prompt, some.judged, 1)


def trained(folder: Path, model: Any = None, **changes: Any) -> tuple[Any, dict[str, Any]]:
    """Train in a folder, whose checkpoints stay."""
    some, directory = params(**changes), folder / "out"
    directory.mkdir(parents=True, exist_ok=True)
    learning, judged = windows(folder, some)
    (folder / "pairs.parquet").write_bytes(b"pairs")
    return train_generator(
        model or tiny_llama(), learning, judged, some, source=folder / "pairs.parquet", directory=directory,
        resume=Resume(folder / "resume", some.save_every),
    )  # fmt: skip


def curves(folder: Path) -> list[Any]:
    return [json.loads((folder / "out" / f"{name}.json").read_text()) for name in ("loss", "validation")]


def same(one: Any, other: Any) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_logits_are_computed_only_where_there_is_loss(tmp_path: Path) -> None:
    model, seen = tiny_llama(), list[int]()
    model.lm_head.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[0]))
    some = windows(tmp_path, params())[0][:3]
    found, is_learnt = losses(model, collate(some))
    assert seen == [sum(int(window.learnt.sum()) for window in some)] == [len(found)] == [int(is_learnt.sum())]


def test_the_loss_is_that_of_each_window_alone_whatever_stands_beside_it(tmp_path: Path) -> None:
    model, (learning, _) = tiny_llama(), windows(tmp_path, params())
    some = sorted(learning, key=lambda window: len(window.ids))
    some = [some[0], some[-1]]
    assert len(some[0].ids) < len(some[1].ids)
    together = losses(model, collate(some))[0]
    apart = []
    for window in some:
        ids = torch.from_numpy(window.ids.astype(np.int64))
        nats = cross_entropy(model(ids[None]).logits[0, :-1], ids[1:], reduction="none")
        apart.append(nats[torch.from_numpy(window.learnt[1:])])
    assert torch.allclose(together, torch.cat(apart), atol=1e-5)


def test_perplexities_are_of_texts_replies_ends_and_all(tmp_path: Path) -> None:
    model, (_, judged) = tiny_llama(), windows(tmp_path, params())
    found = measured(model, judged)
    nats = [losses(model, collate([window]))[0].detach().numpy() for window in judged]
    assert found["all"] == pytest.approx(np.exp(np.concatenate(nats).mean()), rel=1e-5)
    assert found["token"] == pytest.approx(np.exp(np.concatenate([n[:-1] for n in nats]).mean()), rel=1e-5)
    assert found["end"] == pytest.approx(np.exp(np.mean([n[-1] for n in nats])), rel=1e-5)
    assert found["reply"] == pytest.approx(np.exp(np.mean([n[:-1].mean() for n in nats])), rel=1e-5)


def test_adapters_stand_on_all_linear_layers_of_what_is_not_frozen() -> None:
    model = prepare(tiny_llama(), params(frozen_layers=1))
    names = [name for name, part in model.named_parameters() if part.requires_grad]
    assert {name.split(".")[-4] for name in names} == set(LINEAR)
    assert all(".layers.1." in name and ".lora_" in name for name in names)
    assert len(names) == 2 * len(LINEAR)


def test_full_tuning_trains_everything_above_what_is_frozen() -> None:
    assert all(part.requires_grad for part in prepare(tiny_llama(), params(method="full")).parameters())
    model = prepare(tiny_llama(), params(method="full", frozen_layers=1))
    names = {name for name, part in model.named_parameters() if part.requires_grad}
    assert names
    assert all(name.startswith(("model.layers.1.", "model.norm")) for name in names)


@pytest.mark.parametrize("changes", [{}, {"method": "full", "learning_rate": 1e-2}, {"accumulation": 2}])
def test_it_learns_and_tells_of_the_untrained_and_the_control(tmp_path: Path, changes: dict[str, Any]) -> None:
    before = tiny_llama()
    model, figures = trained(tmp_path, **changes)
    assert set(figures) == {"untrained", "control", "trained"}
    assert figures["trained"]["all"] < 0.97 * figures["untrained"]["all"]
    assert not model.training
    assert type(model) is type(before)  # adapters are merged
    assert not same(model, before)
    judged = windows(tmp_path, params())[1]
    assert measured(model, judged)["all"] == pytest.approx(figures["trained"]["all"], rel=1e-4)
    loss, validation = curves(tmp_path)
    assert [row["step"] for row in validation] == [0, 3, 6]
    assert validation[0]["perplexity"] == figures["untrained"]["all"]
    assert loss == []  # a mean of ten steps


def test_frozen_weights_stay_and_the_seed_decides(tmp_path: Path) -> None:
    model, figures = trained(tmp_path / "a", frozen_layers=1)
    again, same_figures = trained(tmp_path / "b", frozen_layers=1)
    assert figures == same_figures
    assert same(model, again)
    assert same(model.model.layers[0], tiny_llama().model.layers[0])
    assert not same(model, trained(tmp_path / "c", frozen_layers=1, seed=2)[0])


@pytest.mark.parametrize(("killed_at", "changes"), [(2, {}), (3, {}), (4, {}), (6, {})])
def test_a_killed_training_goes_on_as_if_nothing_had_happened(
    tmp_path: Path, killed_at: int, changes: dict[str, Any]
) -> None:
    whole, figures = trained(tmp_path / "whole")
    killed = tmp_path / "killed"
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(killed), str(killed_at)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    resume = Resume(killed / "resume", 2)
    assert resume.steps == killed_at
    model, resumed = trained(killed)
    assert resumed == figures
    assert same(model, whole)
    assert curves(killed) == curves(tmp_path / "whole")


def test_a_training_that_was_told_to_stop_makes_no_more_steps(tmp_path: Path) -> None:
    changes = {"learning_rate": 0.9, "validate_every": 1, "patience": 1, "save_every": 1}
    model, figures = trained(tmp_path, **changes)
    steps = [row["step"] for row in curves(tmp_path)[1]]
    assert steps[-1] < params().max_steps
    again, resumed = trained(tmp_path, **changes)
    assert [row["step"] for row in curves(tmp_path)[1]] == steps
    assert resumed == figures
    assert same(model, again)


def test_checkpoints_hold_what_is_trained_alone(tmp_path: Path) -> None:
    trained(tmp_path, save_every=4)
    kept = torch.load(tmp_path / "resume" / "last.ckpt", weights_only=True)
    assert kept["global_step"] == 6
    assert kept["state_dict"]
    assert all(".lora_" in name for name in kept["state_dict"])
    assert {path.name for path in (tmp_path / "resume").iterdir()} == {"last.ckpt", "best.ckpt"}


def test_a_loss_that_is_no_number_names_pairs(tmp_path: Path) -> None:
    model = tiny_llama()
    model.model.norm.weight.data[3] = float("nan")
    with pytest.raises(DataError, match=r"expected a finite loss, got nan at step 0 over 2 pairs \(c\d\d/0/\d"):
        trained(tmp_path, model)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_too_little_to_learn_or_to_be_judged_by_is_said(tmp_path: Path, split: str) -> None:
    learning, judged = windows(tmp_path, params())
    given = (learning[:1], judged) if split == "train" else (learning, [])
    with pytest.raises(DataError, match=r"expected at least . windows to (learn from|be judged by), got"):
        train_generator(
            tiny_llama(), *given, params(), source=tmp_path, directory=tmp_path, resume=Resume(tmp_path, 1)
        )


def test_a_plan_goes_over_the_rows_as_often_as_it_must() -> None:
    plan = Plan([1, 2, 3, 4], 2, 5, seed=1)
    batches = list(plan)
    assert len(plan) == len(batches) == 5
    assert sorted(batches[0] + batches[1]) == sorted(batches[2] + batches[3]) == [0, 1, 2, 3]
    plan.learnt = 3
    assert list(plan) == batches[3:]
    assert len(plan) == 5
