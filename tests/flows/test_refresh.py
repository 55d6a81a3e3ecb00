"""A refresh builds on the champion alone, and runs nothing that it keeps."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
import pytest
from rich.table import Table

from flows import refresh, release, train
from flows.errors import FlowError
from flows.refresh import KEPT, check
from flows.slices import Before, compare
from flows.workspace import Workspace
from registry.pull.champion import Champion
from rejoinder.parts.opened import OpenRelease, open_release
from stages.common.turn_vectors import write_turns
from stages.evaluation.candidates import build_candidates
from stages.names import STAGES
from tests.bundles import build_heads, build_whole, pin
from tests.test_architecture import DAG

T = TypeVar("T")
DIALOGUES = {"changed deps": {"build/dialogues": "modified"}}


@pytest.fixture
def opened(tmp_path: Path) -> OpenRelease:
    return open_release(pin(build_whole(tmp_path / "champion")))


@pytest.fixture
def workspace(tmp_path: Path, opened: OpenRelease, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A build that is the champion's, of which nothing has changed."""
    for stage, kind in (("export", "model"), ("cache", "cache"), ("generator", "generator")):
        (tmp_path / "build" / stage).mkdir(parents=True)
        (tmp_path / "build" / stage / kind).symlink_to(tmp_path / "champion" / kind)
    monkeypatch.setattr(refresh, "open_champion", lambda _: Champion(opened.release, opened, "", {}))
    monkeypatch.setattr(refresh, "changes", lambda _: {})
    return Workspace(tmp_path)


def test_other_logs_and_what_follows_from_them_are_no_hindrance(
    workspace: Workspace, opened: OpenRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = {"ingest": [{"changed deps": {"data/logs": "modified"}}]}
    status = logs | {stage: [DIALOGUES] for stage in (*KEPT, "turns", "audit")}
    monkeypatch.setattr(refresh, "changes", lambda _: status)
    assert check(workspace) is opened


def test_everything_else_is_refused_at_once(
    workspace: Workspace, opened: OpenRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = {
        "ingest": [{"changed deps": {"data/logs": "modified", "data/erase": "modified"}}],
        "dialogues": [
            {"changed deps": {"params.yaml": {"dialogues.seed": "modified"}}},
            {"changed outs": {"x": "y"}},
        ],
        "vectorizer": [DIALOGUES, {"changed deps": {"params.yaml": {"vectorizer.seed": "modified"}}}],
        "student": [{"changed outs": {"build/student": "deleted"}}],
        "cache": [{"changed deps": {"build/dialogues": "modified", "stages/cache": "modified"}}, "changed command"],
        "heads": [{"changed deps": {"stages/heads": "modified"}}],
    }
    monkeypatch.setattr(refresh, "changes", lambda _: status)
    (workspace.root / "champion" / "cache" / "manifest.json").unlink()
    with pytest.raises(FlowError) as caught:
        check(workspace)
    said = str(caught.value).splitlines()
    assert said[0].startswith("expected nothing but logs to have changed since rejoinder #1 (")
    assert [line.strip(" -") for line in said[1:-1]] == [
        f"phrases in {workspace.build}: nothing for {opened.release.bundles['cache'][:19]}",
        "changed deps of ingest: data/erase",
        "changed deps of dialogues: params.yaml",
        "changed deps of vectorizer: params.yaml",
        "changed outs of student: build/student",
        "changed deps of cache: stages/cache",
        "cache: changed command",
    ]
    assert said[-1] == "Next: make repro, which trains everything anew"


@pytest.mark.parametrize("champion", ["none", "unusable"])
def test_without_a_champion_there_is_nothing_to_build_on(
    workspace: Workspace, opened: OpenRelease, monkeypatch: pytest.MonkeyPatch, champion: str
) -> None:
    found = None if champion == "none" else Champion(opened.release, None, "from the future", {})
    monkeypatch.setattr(refresh, "open_champion", lambda _: found)
    with pytest.raises(
        FlowError, match=r"expected one to build on, got (none|one .* from the future)\. Next: make repro"
    ):
        check(workspace)


def test_a_champion_without_heads_is_nothing_to_refresh(
    workspace: Workspace, opened: OpenRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {kind: part for kind, part in opened.parts.items() if kind != "heads"}
    champion = Champion(opened.release, replace(opened, parts=parts), "", {})
    monkeypatch.setattr(refresh, "open_champion", lambda _: champion)
    with pytest.raises(FlowError, match="expected a release with heads, got one without"):
        check(workspace)


def test_another_generator_than_the_champions_is_none_to_keep(workspace: Workspace) -> None:
    (workspace.root / "build" / "generator" / "generator").unlink()
    with pytest.raises(FlowError, match=r"generator in .*build: nothing for sha256:"):
        check(workspace)


def test_an_erasure_is_seen_though_the_dialogues_were_built_since() -> None:
    # `make repro` was stopped after the dialogues: what is kept has not seen who must be forgotten.
    for stage in ("vectorizer", "cache", "generator"):
        assert "data/erase" in DAG["stages"][stage]["deps"]


def test_what_is_kept_is_not_run_and_everything_else_is(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    changed = iter([list(STAGES), list(KEPT)])
    monkeypatch.setattr(train, "changed_stages", lambda _: next(changed))
    monkeypatch.setattr(train, "run_stage", lambda _, stage: ran.append(stage))
    monkeypatch.setattr(release, "is_stale", lambda _: False)
    for name in ("register", "promote", "pull_back", "verify_and_answer"):
        monkeypatch.setattr(release, name, lambda *_: None)
    said: dict[str, Any] = {}

    def note(name: str, step: Callable[[], T]) -> T:
        said[name] = step()
        return said[name]  # type: ignore[no-any-return]

    train.train(Workspace(), note, KEPT)
    assert ran == [stage for stage in STAGES if stage not in KEPT]
    assert {said[stage] for stage in KEPT} == {"kept"}


def pairs(conversations: range) -> pl.DataFrame:
    texts = ["i feel lonely", "how are you", "hello", "we love rain", "they know pizza", "you want music"]
    said = [
        {"pair_id": f"{c}-{n}", "conversation_id": f"c{c}", "split": "test", "context": [f"hello {texts[n]}"],
         "context_own": [False], "reply": f"{texts[(n + c) % 6]} number {c} of {n}"}
        for c in conversations for n in range(6)
    ]  # fmt: skip
    return pl.DataFrame(said)


def lay_out(workspace: Workspace, conversations: range) -> pl.DataFrame:
    """Write pairs and lists of test conversations, in place of any before."""
    folder, frame = workspace.dialogues.parent, pairs(conversations)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    frame.write_parquet(folder / "pairs.parquet")
    build_candidates(frame, items=100, pool_size=60, negatives=5, seed=1).save(folder / "test")
    return frame


def test_old_and_new_conversations_are_told_apart(tmp_path: Path, opened: OpenRelease) -> None:
    workspace, vectorizer = Workspace(tmp_path), opened.vectorizer
    assert Before.of(workspace) == Before(None, frozenset())
    lay_out(workspace, range(4))
    before = Before.of(workspace)
    frame = lay_out(workspace, range(7))
    texts = sorted({*frame["reply"], "hello we love rain"})  # not all: what only the build before had is encoded
    (workspace.build / "turns").mkdir()
    write_turns(workspace.build / "turns", vectorizer, texts, vectorizer.encode(texts))
    model = {kind: tmp_path / "champion" / kind for kind in ("model", "cache")}
    new = open_release(pin(build_heads(tmp_path / "new", model, seed=5), 2))
    rows = cells(compare(before, workspace, opened, new))
    assert [row[:2] for row in rows] == [("conversations of before", "24"), ("new conversations", "18")]
    assert all(float(row[4]) == pytest.approx(float(row[3]) - float(row[2]), abs=1e-4) for row in rows)
    nothing = cells(compare(Before.of(workspace), workspace, opened, new))
    assert [row[1] for row in nothing] == ["42", "0"]


def cells(table: Table) -> list[tuple[str, ...]]:
    return list(zip(*(map(str, column.cells) for column in table.columns), strict=True))
