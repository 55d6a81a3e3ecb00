"""Growth counts what both releases have; what joined has a budget of its own and is named."""

from __future__ import annotations

from stages.gate.growth import growth
from stages.gate.stage import judge
from tests.stages.gate.test_stage import PARAMS, against_champion, audited

BEFORE = {"model": {"model.cpu.onnx": 60.0, "tokenizer.json": 2.0}, "index": {"shard-N.faiss": 4.0}}


def test_a_form_that_takes_anothers_place_is_no_growth() -> None:
    found = growth({**BEFORE, "model": {"model.int8.onnx": 20.0, "tokenizer.json": 2.0}}, BEFORE)
    assert found.shares == {"model": 0.0, "index": 0.0}
    assert found.joined == {"model/model.int8.onnx": 20.0}


def test_files_beside_those_of_the_champion_do_not_make_a_bundle_grow() -> None:
    found = growth({**BEFORE, "index": {"shard-N.faiss": 5.0, "turns.npy": 9.0}}, BEFORE)
    assert found.shares["index"] == 0.25
    assert found.joined == {"index/turns.npy": 9.0}


def test_a_part_that_the_champion_lacks_has_no_share() -> None:
    found = growth({**BEFORE, "heads": {"context.onnx": 8.0}}, BEFORE)
    assert set(found.shares) == {"model", "index"}
    assert str(found) == (
        "the champion has no counterpart of heads/context.onnx 8.0 MB: judged by gate.max_joined_mb alone"
    )


def test_what_joined_is_told_and_within_its_budget_blessed() -> None:
    metrics = against_champion(0.01)
    metrics["files_mb"]["heads"] = {"context.onnx": PARAMS.max_joined_mb}
    verdict = judge(metrics, audited(), PARAMS)
    assert verdict["verdict"] == "BLESSED"
    assert "heads/context.onnx" in verdict["reasons"][0]
    metrics["files_mb"]["heads"]["reply.onnx"] = 1.0
    refused = judge(metrics, audited(), PARAMS)
    assert refused["verdict"] == "NOT_BLESSED"
    assert "MB of files that the champion has no counterpart of" in refused["reasons"][0]
