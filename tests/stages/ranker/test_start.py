"""What a GPU has learnt is taken over where it fits, and begins no build that would judge it by what it knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file, save_file

from stages.common.errors import DataError, ParamsError
from stages.ranker.model import ContextOnce
from stages.ranker.start import LEARNT, check_unseen, digests, load_start, write_start
from tests.stages.ranker.test_model import CONTEXTS, OWN, REPLIES
from tests.stages.ranker.tiny import tiny_ranker

TALKS = ["c1", "c2", "c1"]
PAIRS = pl.DataFrame(
    {
        "conversation_id": ["c1", "c1", "c2", "c3", "c4", "c4"],
        "source": ["native", "native", "native", "native", "chitchat", "chitchat"],
        "split": ["train", "train", "train", "test", "validation", "validation"],
    }
)


def erased(**messages: int) -> pl.DataFrame:
    """Who was erased: how many messages of each source."""
    rows = {"source": list(messages), "messages": list(messages.values())}
    return pl.DataFrame(rows, schema={"source": pl.String, "messages": pl.Int64})


@pytest.fixture
def start(tmp_path: Path) -> tuple[Path, ContextOnce]:
    model = tiny_ranker()
    write_start(tmp_path / "start.safetensors", model.state_dict(), TALKS)
    return tmp_path / "start.safetensors", model


def test_what_was_written_is_taken_over_with_the_words_of_the_base(start: tuple[Path, ContextOnce]) -> None:
    path, model = start
    other = tiny_ranker(seed=1)
    own_words = other.words.weight.clone()
    learnt = load_start(path, other)
    assert learnt.tolist() == digests({"c1", "c2"}).tolist()
    assert torch.equal(other.words.weight, own_words)
    other.words.weight.data.copy_(model.words.weight)
    with torch.inference_mode():
        torch.testing.assert_close(other(CONTEXTS, OWN, REPLIES), model(CONTEXTS, OWN, REPLIES), atol=0.02, rtol=0)


def test_neither_words_nor_names_are_written(start: tuple[Path, ContextOnce]) -> None:
    tensors = load_file(start[0])
    assert not any(name.startswith("words") for name in tensors)
    assert {part.dtype for name, part in tensors.items() if name != LEARNT} == {torch.float16}
    assert (tensors[LEARNT].dtype, len(tensors[LEARNT])) == (torch.int64, 2)


def test_weights_of_other_layers_are_refused(start: tuple[Path, ContextOnce]) -> None:
    for layers in ([0], [0, 1, 2]):
        with pytest.raises(ParamsError, match=rf"ranker\.start: expected weights for {len(layers)} layers"):
            load_start(start[0], tiny_ranker(layers=layers))


@pytest.mark.parametrize("harm", ["missing", "no weights", "cut", "not told what was learnt"])
def test_a_file_that_is_no_start_is_refused(start: tuple[Path, ContextOnce], harm: str) -> None:
    path, model = start
    before = {name: part.clone() for name, part in model.state_dict().items()}
    if harm == "missing":
        path.unlink()
    elif harm == "no weights":
        path.write_bytes(b"no weights")
    elif harm == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        save_file({name: part for name, part in load_file(path).items() if name != LEARNT}, path)
    with pytest.raises(ParamsError, match=r"ranker\.start: null"):
        load_start(path, model)
    assert all(torch.equal(part, before[name]) for name, part in model.state_dict().items())


def test_digests_are_of_each_conversation_once_in_order() -> None:
    found = digests(["b", "a", "b"])
    assert found.tolist() == sorted(digests({"a", "b"}).tolist())
    assert len(found) == 2
    assert digests([]).tolist() == []


def test_what_has_seen_only_training_talks_may_begin() -> None:
    check_unseen(digests(["c1", "c2", "of another build"]), PAIRS, erased())
    check_unseen(digests(["c1", "c2"]), PAIRS, erased(native=0, chitchat=3))
    check_unseen(digests([]), PAIRS, erased(native=3))


@pytest.mark.parametrize(("seen", "count"), [("c3", 1), ("c4", 1), ("c3 c4", 2)])
def test_what_has_seen_a_talk_of_another_split_is_refused(seen: str, count: int) -> None:
    with pytest.raises(
        DataError, match=rf"got {count} conversations of the validation or test split that they have"
    ):
        check_unseen(digests(["c1", *seen.split()]), PAIRS, erased())


def test_what_has_seen_a_source_from_which_somebody_was_erased_is_refused() -> None:
    with pytest.raises(DataError, match="got 2 conversations of a source from which somebody was erased"):
        check_unseen(digests(["c1", "c2"]), PAIRS, erased(native=1, chitchat=0))


def test_both_are_told_at_once() -> None:
    learnt: np.ndarray = digests(["c1", "c3"])
    with pytest.raises(DataError, match=r"1 conversations of the validation .* and 2 conversations of a source"):
        check_unseen(learnt, PAIRS, erased(native=1))
