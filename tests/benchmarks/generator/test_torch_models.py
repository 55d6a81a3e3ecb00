"""What torch models say of replies, and what they say: the same alone and in a batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.generator.held_out import Item
from benchmarks.generator.torch_models import TorchModel, open_model, with_opening
from rejoinder.parts.prompt import Prompt
from rejoinder.parts.sampling import Sampling
from tests.benchmarks.generator.tiny import tiny_prompt, write_tiny_model

TURNS, OWN = ["i like rain", "we miss home so", "hello"], [False, True, False]
GREEDY = Sampling(n=1, max_tokens=12, temperature=0.0, top_k=0, top_p=1.0, repetition_penalty=1.2)


@pytest.fixture(scope="module")
def prompt(tmp_path_factory: pytest.TempPathFactory) -> Prompt:
    return tiny_prompt(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="module")
def model(prompt: Prompt, tmp_path_factory: pytest.TempPathFactory) -> TorchModel:
    folder = write_tiny_model(tmp_path_factory.mktemp("model") / "tiny", prompt.vocabulary)
    return TorchModel(open_model(folder, 1), prompt)


def test_nats_are_those_of_one_pass_over_everything(model: TorchModel, prompt: Prompt) -> None:
    replies = ["you too", "i love music so", "hello"]
    for reply, nats in zip(replies, model.token_nats(TURNS, OWN, replies), strict=True):
        said = [*prompt.text(reply), prompt.end]
        ids = [*prompt.context(TURNS, OWN), *prompt.reply_header, *said]
        with torch.inference_mode():
            likely = torch.log_softmax(model._model(torch.tensor([ids])).logits[0], -1)
        expected = [-float(likely[len(ids) - len(said) - 1 + n, token]) for n, token in enumerate(said)]
        assert nats == pytest.approx(expected, abs=1e-4)


def test_nothing_before_is_a_context(model: TorchModel) -> None:
    (nats,) = model.token_nats((), (), ["hello"])
    assert len(nats) == 2


def test_among_fewer_tokens_each_is_likelier(model: TorchModel, prompt: Prompt) -> None:
    choices = np.array(sorted({prompt.end, *prompt.text("hello you")}))
    some = TorchModel(model._model, prompt, choices)
    (few,), (all_,) = (m.token_nats(TURNS, OWN, ["hello you"]) for m in (some, model))
    assert (few < all_).all()
    (lost,) = some.token_nats(TURNS, OWN, ["pizza"])
    assert np.isinf(lost[0])


def test_replies_do_not_depend_on_who_else_is_answered(model: TorchModel) -> None:
    contexts = [("hello",), ("i like rain", "you too", "we love music so"), ("pizza", "so")]
    items = [Item("c", turns, tuple(n % 2 == 1 for n in range(len(turns))), "") for turns in contexts]
    together = model.sample(items, GREEDY, 1)
    assert together == [model.sample([item], GREEDY, 1)[0] for item in items]


def test_draws_repeat_with_their_seed(model: TorchModel) -> None:
    items = [Item("c", ("hello",), (False,), "")] * 6
    drawn = Sampling(n=1, max_tokens=20, temperature=1.5, top_k=0, top_p=1.0, repetition_penalty=1.0)
    first, again, other = (model.sample(items, drawn, seed) for seed in (1, 1, 2))
    assert first == again != other


def test_another_opening_stands_before_the_same_turns(prompt: Prompt, tmp_path: Path) -> None:
    tiny_prompt(tmp_path)
    opened = with_opening(prompt, tmp_path / "tokenizer.json", "<u> so <e>")
    context = opened.context(["hello"], [False])
    assert context[-3:] == prompt.context(["hello"], [False])
    assert len(context) == 6
