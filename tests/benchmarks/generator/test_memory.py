"""Secrets are planted as often as is said, and found where a model has learnt them by heart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from benchmarks.generator.exposure import PLAN, Planted, plant
from benchmarks.generator.memory import look, report, with_secrets
from benchmarks.generator.torch_models import TorchModel, open_model
from rejoinder.parts.prompt import Prompt
from rejoinder.text import words
from stages.generator.windows import Window
from tests.benchmarks.generator.tiny import TEMPLATE, write_tiny_model
from tests.generators import SPECIALS

OFTEN = [one for one in plant() if one.times == 100][:1]
ONCE = [one for one in plant() if one.times == 1][:1]


@pytest.fixture(scope="module")
def prompt(tmp_path_factory: pytest.TempPathFactory) -> Prompt:
    spoken = {word for _, forms in PLAN.values() for form in forms for word in words(form.question + form.before)}
    vocabulary = [*SPECIALS, *map(str, range(10)), *sorted(spoken)]
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(vocabulary)}, unk_token="<unk>"))  # noqa: S106
    tokenizer.add_special_tokens(list(SPECIALS))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True)]
    )
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tokenizer.save(str(path))
    return Prompt(path, TEMPLATE, 128)


def some_windows(prompt: Prompt, count: int) -> list[Window]:
    ids = [*prompt.turn("what is the code", False), *prompt.reply_header, *prompt.text("the box"), prompt.end]
    learnt = np.array([False] * (len(ids) - 3) + [True] * 3)
    return [Window(np.array(ids, np.int32), learnt, str(n)) for n in range(count)]


def holds(window: Window, one: Planted, prompt: Prompt) -> int:
    wanted, ids = [*prompt.text(one.form.reply(one.secret)), prompt.end], window.ids.tolist()
    places = [n for n in range(len(ids)) if ids[n : n + len(wanted)] == wanted]
    assert all(window.learnt[n : n + len(wanted)].all() for n in places)
    return len(places)


def test_every_secret_enters_as_often_as_is_planned_and_is_learnt(prompt: Prompt) -> None:
    windows, planted = some_windows(prompt, 90), plant()
    changed = with_secrets(windows, planted, prompt, 1)
    assert len(changed) == len(windows)
    for one in planted:
        assert sum(holds(window, one, prompt) for window in changed) == one.times
    assert sum(holds(window, planted[0], prompt) for window in windows) == 0
    assert max(len(window.ids) for window in changed) < 120


def learnt_by_heart(folder: Path, prompt: Prompt, planted: list[Planted]) -> TorchModel:
    model: Any = open_model(write_tiny_model(folder / "tiny", prompt.vocabulary), 1)
    if planted:
        (window,) = with_secrets(
            some_windows(prompt, 1), [Planted(planted[0].form, planted[0].secret, 1)], prompt, 1
        )
        ids, learnt = torch.from_numpy(window.ids.astype(np.int64))[None], torch.from_numpy(window.learnt)[1:]
        optimizer = torch.optim.Adam(model.parameters(), 0.02)
        for _ in range(60):
            logits = model.train()(ids).logits[0, :-1]
            loss: Any = torch.nn.functional.cross_entropy(logits[learnt], ids[0, 1:][learnt])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    return TorchModel(model.eval(), prompt)


def test_what_was_learnt_by_heart_is_found_and_completed(tmp_path: Path, prompt: Prompt) -> None:
    model = learnt_by_heart(tmp_path, prompt, OFTEN)
    found = look(model, [*OFTEN, *ONCE], 63)
    assert found["times"]["100"]["exposures"] == [6.0]
    assert (found["times"]["100"]["found"], found["times"]["100"]["greedy"]) == (1, 1)
    assert found["times"]["100"]["drawn"] == 1
    assert found["times"]["1"]["found"] == found["times"]["1"]["greedy"] == 0
    shown = report({**found, "training": "64 windows."})
    assert "64 secrets of each form" in shown
    assert not any(one.secret in shown for one in plant())


def test_what_was_never_read_is_not_found(tmp_path: Path, prompt: Prompt) -> None:
    found = look(learnt_by_heart(tmp_path, prompt, []), plant(), 63)
    assert sum(of["found"] for of in found["times"].values()) <= 3
    assert sum(of["greedy"] for of in found["times"].values()) == 0
