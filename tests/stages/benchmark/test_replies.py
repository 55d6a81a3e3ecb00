"""The page of replies to the development set."""

from __future__ import annotations

from pathlib import Path

import pytest

from rejoinder.dialogue import Dialogue
from rejoinder.parts.opened import OpenRelease
from stages.benchmark.replies import answer_all, figures, page, read_development, shared_words
from stages.common.errors import DataError
from tests.reach import ROOT

SET = ROOT / "data" / "development" / "dialogues.yaml"


def test_the_development_set_is_read_and_stands_in_no_remark() -> None:
    dialogues = read_development(SET)
    assert len(dialogues) == 100
    assert sum(len(dialogue.turns) == 1 for dialogue in dialogues) == 80
    assert all(dialogue.turns[-1].speaker == "user" for dialogue in dialogues)
    assert len({dialogue.texts for dialogue in dialogues}) == 100


@pytest.mark.parametrize(
    "text", ["turns: [a]", "- a", "turns: [a]\ndialogues: [[yes]]", "turns: [", "turns: []\ndialogues: []"]
)
def test_a_set_that_is_something_else_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "set.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="expected"):
        read_development(path)


def test_shared_words_are_the_replys() -> None:
    assert shared_words("I like tea", ["do you like TEA?"]) == pytest.approx(2 / 3)
    assert shared_words("?!", ["?!"]) == 0.0


def test_figures_and_page_show_candidate_and_champion(opened: OpenRelease) -> None:
    dialogues = [
        Dialogue.from_lines(lines) for lines in (["i feel lonely"], ["hi", "hello", "<b>you</b> love rain"])
    ]
    ours = answer_all(opened, dialogues, "candidate")
    found = figures(ours)
    assert found["dialogues"] == 2
    assert found["unanswered"] == found["prepared"] == 0
    assert 0 < found["ms_p50"] <= found["ms_p95"]
    html = page(ours, ours, "Replies of #7")
    assert "<b>you</b>" not in html
    assert "&lt;b&gt;you&lt;/b&gt;" in html
    assert "Replies of #7" in html
    assert "champion: " not in html  # the same replies are not shown twice
    for answered in ours:
        assert str(answered.reply.text) in html
    assert "http" not in html
    assert "champion: " in page(ours, answer_all(opened, dialogues[::-1], "champion"), "x")
    assert "champion" not in page(ours, None, "x").split("</p>")[1]
