"""Heads make contexts and replies of turns; other heads, other turns and damaged ones are refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from registry.publish.promote import rollback
from registry.pull.pull import pull
from rejoinder.answer.responder import Responder
from rejoinder.dialogue import Dialogue, Turn
from rejoinder.errors import BundleError, ConsistencyError, FormatError, InputError, ProbeError
from rejoinder.parts import Kind
from rejoinder.parts.heads import CONTEXT, REPLY, Heads, open_heads
from rejoinder.parts.opened import OpenRelease, open_model, open_release
from rejoinder.release.manifest import read_manifest, write_manifest
from rejoinder.release.trust import Trust
from rejoinder.store.store import Store
from tests.bundles import (
    DIM,
    HEADS_DIM,
    KEY,
    REPLIES,
    TURNS,
    build_bundles,
    build_heads,
    index_of_heads,
    pin,
    reseal,
    write_head_models,
)
from tests.registry.artifacts import ship
from tests.remarks import build_remarks

Bundles = dict[Kind, Path]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    """Bundles of a release with heads; read-only."""
    root = tmp_path_factory.mktemp("whole")
    return build_heads(root, build_bundles(root))


@pytest.fixture(scope="module")
def headed(whole: Bundles) -> OpenRelease:
    return open_release(pin(whole), trust=Trust(KEY.parent))


@pytest.fixture
def mine(whole: Bundles, tmp_path: Path) -> Bundles:
    """Copies of heads, index and ranker that a test may damage, beside the others."""
    copies = {kind: Path(shutil.copytree(whole[kind], tmp_path / kind)) for kind in ("heads", "index", "ranker")}
    return {**whole, **copies}


def rows(n: int, dim: int = DIM) -> Any:
    made = np.random.default_rng(1).standard_normal((n, dim))
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


def answer(opened: OpenRelease, *turns: tuple[str, str]) -> Any:
    return Responder(opened).answer(Dialogue(tuple(Turn(speaker, text) for speaker, text in turns)))  # type: ignore[arg-type]


def test_a_release_with_heads_answers_by_turns(headed: OpenRelease) -> None:
    assert headed.heads is not None
    reply = answer(headed, ("user", "hi"), ("bot", REPLIES[4]), ("user", "I love Pizza"))
    assert reply.text in REPLIES
    # A phrase of the cache, a reply that the index ships as a turn, and what only the model knows.
    assert reply.trace.sources == ("cold", "cold", "model")
    assert reply.trace.source == "model"
    again = answer(headed, ("user", "hi"), ("bot", REPLIES[4]), ("user", "i love pizza"))
    assert again.trace.sources == ("cold", "cold", "hot")


def test_only_the_last_turns_are_read(headed: OpenRelease) -> None:
    last = [("bot", REPLIES[0]), ("user", "they miss home"), ("user", "the weather")]
    long = [("user", "something else"), ("bot", "never mind")] * 40
    assert answer(headed, *long, *last).trace.candidates == answer(headed, *last).trace.candidates
    assert len(answer(headed, *long, *last).trace.sources) == TURNS


def test_whose_turn_it_is_decides(headed: OpenRelease) -> None:
    texts = ("i feel lonely", "the weather", "we want rain")
    mine, theirs = (
        answer(headed, (who, texts[0]), ("bot", texts[1]), ("user", texts[2])) for who in ("user", "bot")
    )
    assert [c.score for c in mine.trace.candidates] != [c.score for c in theirs.trace.candidates]


def test_a_dialogue_that_starts_with_the_bot_is_answered(headed: OpenRelease) -> None:
    assert answer(headed, ("bot", REPLIES[1]), ("user", "you know")).text is not None


def test_an_empty_turn_is_left_out(headed: OpenRelease) -> None:
    with_gap = answer(headed, ("user", "hello"), ("bot", " \u200b"), ("user", "i miss home"))
    assert len(with_gap.trace.sources) == 2
    without = answer(headed, ("user", "hello"), ("user", "i miss home"))
    assert with_gap.trace.candidates == without.trace.candidates
    assert len(answer(headed, ("user", "  ")).trace.sources) == 1


def test_a_dialogue_without_turns_is_refused(headed: OpenRelease) -> None:
    with pytest.raises(InputError, match="expected at least one turn, got none"):
        Responder(headed).answer(Dialogue(()))


def test_contexts_at_once_are_those_one_by_one(headed: OpenRelease) -> None:
    from rejoinder.parts.heads import Contexts

    heads = headed.heads
    assert heads is not None
    laid = Contexts(1500, TURNS, DIM)
    for row in range(1500):
        laid.put(row, rows(1 + row % 5), [True, False, True, False, True][: 1 + row % 5])
    found = heads.contexts(laid)
    assert found.shape == (1500, HEADS_DIM)
    for row in (0, 1, 2, 3, 4, 1499):
        alone = heads.context(rows(1 + row % 5), [True, False, True, False, True][: 1 + row % 5])
        np.testing.assert_allclose(found[row], alone, atol=1e-6)


def refused(bundles: Bundles) -> str:
    with pytest.raises(BundleError) as caught:
        open_release(pin(bundles), trust=Trust(KEY.parent))
    return f"{type(caught.value).__name__}: {'; '.join(map(str, caught.value.problems))}"


def test_an_index_of_other_heads_is_refused(mine: Bundles, tmp_path: Path) -> None:
    other = build_heads(tmp_path / "other", mine, seed=1)
    assert "index made with heads" in refused({**mine, "heads": other["heads"]})
    assert refused({**mine, "heads": other["heads"]}).startswith(ConsistencyError.__name__)


def test_an_index_that_was_made_with_heads_is_refused_without_them(mine: Bundles) -> None:
    problem = refused({kind: path for kind, path in mine.items() if kind != "heads"})
    assert "index made with heads: expected a heads bundle" in problem


def test_an_index_that_was_made_without_heads_is_refused_with_them(mine: Bundles, tmp_path: Path) -> None:
    before = build_bundles(tmp_path / "before")
    assert "index made with heads" in refused({**mine, "index": before["index"]})


def test_heads_of_another_encoder_are_refused(mine: Bundles, tmp_path: Path) -> None:
    root = tmp_path / "other"
    other = build_heads(root, build_bundles(root, seed=1))
    assert "heads vectorizer_id" in refused({**mine, "heads": other["heads"], "index": other["index"]})


def test_an_index_whose_vectors_other_heads_made_is_refused_though_its_papers_are_in_order(
    mine: Bundles, tmp_path: Path
) -> None:
    other = build_heads(tmp_path / "other", mine, seed=1)
    reseal(other["index"], ties={"heads": read_manifest(mine["heads"]).digest})
    problem = refused({**mine, "index": other["index"]})
    assert problem.startswith(ProbeError.__name__)
    assert "index vectors" in problem


def test_turns_that_another_encoder_made_are_refused_though_their_papers_are_in_order(mine: Bundles) -> None:
    turns = np.load(mine["index"] / "turns.npy")
    np.save(mine["index"] / "turns.npy", np.roll(turns, 1, axis=0))
    reseal(mine["index"])
    assert "index turns" in refused(mine)


def test_an_index_without_its_turns_is_refused(mine: Bundles) -> None:
    for name in ("turns.npy", "keys.npy"):
        (mine["index"] / name).unlink()
    reseal(mine["index"])
    assert "index turns" in refused(mine)


def rewrite(bundles: Bundles, root: Path) -> None:
    """After a change of the heads: their manifest, and whatever is made with them, in order again."""
    manifest = reseal(bundles["heads"])
    vectorizer, _ = open_model(bundles["model"])
    bundles["index"] = root / "rewritten"
    index_of_heads(bundles["index"], bundles["heads"], manifest, vectorizer)
    if "remarks" in bundles:
        bundles["remarks"] = root / "rewritten-remarks"
        build_remarks(bundles["remarks"], bundles["heads"], manifest, vectorizer)
    if "ranker" in bundles:
        reseal(bundles["ranker"], ties={"heads": manifest.digest})


def test_heads_that_compute_others_than_they_recorded_are_refused(mine: Bundles, tmp_path: Path) -> None:
    write_head_models(mine["heads"], 2, DIM)
    rewrite(mine, tmp_path)
    problem = refused(mine)
    assert "context head" in problem
    assert "reply head" in problem


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        ({"turns": TURNS + 1}, "context.onnx inputs"),
        ({"dim": HEADS_DIM * 2}, "reply.onnx output"),
        ({"turns": 0}, "facts: turns"),
        ({"turns": 65}, "facts: turns: expected a number from 1 to 64"),
        ({"dim": True}, "facts: dim"),
        ({"turn_dim": DIM * 2}, "facts: turn_dim"),
    ],
)
def test_facts_that_are_not_so_are_refused(mine: Bundles, facts: dict[str, Any], named: str) -> None:
    manifest = reseal(mine["heads"], **facts)
    with pytest.raises(ConsistencyError, match=named):
        open_heads(mine["heads"], manifest, DIM)


def test_both_models_are_named_where_both_are_no_models(mine: Bundles) -> None:
    for name in (CONTEXT, REPLY):
        (mine["heads"] / name).write_bytes(b"no model")
    with pytest.raises(FormatError) as caught:
        Heads(mine["heads"], turns=TURNS, turn_dim=DIM, dim=HEADS_DIM)
    assert len(caught.value.problems) == 2


def test_a_file_that_is_missing_is_named(mine: Bundles) -> None:
    (mine["heads"] / "contexts.npy").unlink()
    old = read_manifest(mine["heads"])
    manifest = write_manifest(mine["heads"], "heads", old.vectorizer_id, old.facts)
    with pytest.raises(ConsistencyError, match=r"contexts\.npy"):
        open_heads(mine["heads"], manifest)


def test_a_release_with_heads_takes_over_from_one_without_and_gives_back(
    registry_name: str, whole: Bundles, tmp_path: Path
) -> None:
    asked = ("user", "i love pizza")
    plain = build_bundles(tmp_path / "plain")
    copies: Bundles = {kind: Path(shutil.copytree(path, tmp_path / "new" / kind)) for kind, path in whole.items()}
    before = ship(plain, registry_name)
    node = Store(tmp_path / "node")
    pull(node, registry_name)
    first = answer(open_release(node.current()), asked).text
    after = ship(copies, registry_name, champion=before)
    pull(node, registry_name)
    opened = open_release(node.current())
    assert opened.release == after
    assert opened.heads is not None
    rollback(registry_name)
    pull(node, registry_name)
    back = open_release(node.current())
    assert back.heads is None
    assert answer(back, asked).text == first
