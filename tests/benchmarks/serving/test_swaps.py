"""Releases take turns, and the last swap leads back to the first; what is left out of an answer is a step of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.serving.no_ranker import LEFT_OUT
from benchmarks.serving.swaps import Swapper, copied, in_turn
from rejoinder.answer.responder import STEPS
from rejoinder.store.store import Store


def releases(count: int) -> list[Any]:
    return [SimpleNamespace(digest=f"sha256:{n}", serial=n) for n in range(count, 0, -1)]


def test_the_one_that_serves_comes_first_and_then_the_newest() -> None:
    found = releases(5)
    assert in_turn(found, found[2]) == [found[2], found[0], found[1]]


def test_one_release_alone_cannot_take_turns() -> None:
    with pytest.raises(SystemExit, match="two releases"):
        in_turn(releases(1), releases(1)[0])


@pytest.mark.parametrize(("count", "swaps"), [(2, 6), (3, 6), (9, 6)])
def test_the_last_swap_leads_back(count: int, swaps: int) -> None:
    found = releases(count)
    store: Any = SimpleNamespace(releases=lambda: found, current=lambda: SimpleNamespace(release=found[0]))
    assert Swapper(store, server=None, least=5).count == swaps  # type: ignore[arg-type]


def test_a_store_is_copied_whole(tmp_path: Path) -> None:
    (tmp_path / "a" / "releases").mkdir(parents=True)
    (tmp_path / "a" / "current").write_text("x")
    assert copied(Store(tmp_path / "a"), tmp_path / "b").current_file.read_text() == "x"


def test_the_step_that_is_left_out_is_there() -> None:
    assert LEFT_OUT in {step.name for step in STEPS}
