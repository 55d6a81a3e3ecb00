"""Annotators: opened only as their manifest says, probed, and told in the trace of an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rejoinder.answer.responder import Responder
from rejoinder.answer.show import as_dict, print_trace
from rejoinder.dialogue import Dialogue
from rejoinder.errors import ConsistencyError, FormatError, ProbeError
from rejoinder.parts import ANNOTATORS, Kind
from rejoinder.parts.annotators import MODEL
from rejoinder.parts.opened import open_release
from rejoinder.release.manifest import read_manifest, write_manifest
from tests.bundles import build_whole, pin, reseal


@pytest.fixture
def bundles(tmp_path: Path) -> dict[Kind, Path]:
    return build_whole(tmp_path)


def test_the_trace_tells_what_they_say(bundles: dict[Kind, Path], capsys: pytest.CaptureFixture[str]) -> None:
    opened = open_release(pin(bundles))
    reply = Responder(opened).answer(Dialogue.from_lines(["we know rain", "i miss rain"]))
    label, probability = reply.trace.annotations["mood"]
    assert (label, probability > 0.9) == ("wet", True)
    assert reply.trace.annotations["kind"][0] == "b"
    assert as_dict(reply, 0.0)["annotations"]["mood"] == ["wet", round(probability, 3)]
    print_trace(reply, 0.0)
    assert "annotations: kind b 0.58, mood wet" in capsys.readouterr().err
    assert opened.annotators is not None
    assert opened.annotators.weak == {"kind"}
    found = opened.annotators.annotate(opened.vectorizer.encode(["i miss rain", "you know pizza"]))
    assert {name: rows.argmax(axis=1).tolist() for name, rows in found.items()} == {"mood": [0, 1], "kind": [1, 1]}
    assert all(np.allclose(rows.sum(axis=1), 1, atol=1e-5) for rows in found.values())


def test_a_release_without_annotators_tells_nothing(bundles: dict[Kind, Path]) -> None:
    del bundles[ANNOTATORS.bundle]
    reply = Responder(open_release(pin(bundles))).answer(Dialogue.from_lines(["i miss rain"]))
    assert (reply.trace.annotations, reply.text is not None) == ({}, True)


@pytest.mark.parametrize(
    "heads",
    [
        {},
        [],
        {"mood": 1},
        {"mood": {"labels": ["one"], "is_weak": False}},
        {"mood": {"labels": ["a", "a"], "is_weak": False}},
        {"mood": {"labels": ["a", 1], "is_weak": False}},
        {"mood": {"labels": ["a", "b"], "is_weak": 0}},
        {"mood": {"labels": ["a", "b"]}},
    ],
)
def test_facts_that_cannot_be_are_refused(bundles: dict[Kind, Path], heads: Any) -> None:
    bundle = bundles[ANNOTATORS.bundle]
    write_manifest(bundle, ANNOTATORS.bundle, read_manifest(bundle).vectorizer_id, {"heads": heads})
    with pytest.raises(ConsistencyError, match="heads"):
        open_release(pin(bundles))


def test_a_model_with_other_outputs_is_refused(bundles: dict[Kind, Path]) -> None:
    bundle = bundles[ANNOTATORS.bundle]
    facts = dict(read_manifest(bundle).facts["heads"])
    facts["mood"] = {"labels": ["a", "b", "c"], "is_weak": False}
    write_manifest(bundle, ANNOTATORS.bundle, read_manifest(bundle).vectorizer_id, {"heads": facts})
    with pytest.raises(ConsistencyError, match="inputs and outputs"):
        open_release(pin(bundles))


def test_a_model_that_is_none_is_refused(bundles: dict[Kind, Path]) -> None:
    (bundles[ANNOTATORS.bundle] / MODEL).write_bytes(b"no model")
    reseal(bundles[ANNOTATORS.bundle])
    with pytest.raises(FormatError):
        open_release(pin(bundles))


def test_heads_that_say_something_else_here_are_refused(bundles: dict[Kind, Path]) -> None:
    path = bundles[ANNOTATORS.bundle] / "probabilities.npy"
    recorded = np.load(path)
    recorded[3, 0] += 0.01
    np.save(path, recorded)
    reseal(bundles[ANNOTATORS.bundle])
    with pytest.raises(ProbeError, match="annotators"):
        open_release(pin(bundles))
