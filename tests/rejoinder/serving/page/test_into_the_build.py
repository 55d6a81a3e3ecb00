"""What somebody clicks in the browser is a label of the next build's ranker."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stages.anonymize.pseudonyms import VARIABLE
from stages.ranker.reactions import all_replies
from tests.rejoinder.serving.conftest import Serve
from tests.rejoinder.serving.page.browser import DevTools
from tests.rejoinder.serving.page.browser_page import Page
from tests.rejoinder.serving.page.steps import say_and_wait, show
from tests.stages.test_decisions_end_to_end import KEY, make_dialogues, read_logs

SAID = "we know rain and music very well"


def react(tools: DevTools, serve: Serve, folder: Path) -> tuple[str, str]:
    """Talk in the browser and press a heart; the completion's id and the reply."""
    server = serve("--log-text")
    page = Page(tools)
    show(page, server)
    reply = say_and_wait(page, SAID)
    page.click("[data-reaction=love]")
    page.until("document.querySelector('[data-reaction=love][aria-pressed=true]')")
    sent = [request.json for request in page.requests if request.url.endswith("/v1/reactions")]
    page.close()
    assert server.stop() == 0
    shutil.copytree(server.home / "decisions", folder / "logs" / "decisions")
    return sent[-1]["completion_id"], reply


def test_a_reaction_given_in_the_browser_is_found_among_the_rankers_rows(
    tools: DevTools, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, KEY)
    folder = tmp_path / "build"
    completion, reply = react(tools, serve, folder)
    read_logs(folder)
    rows = all_replies(make_dialogues(folder).folder / "dialogues")
    (row,) = rows.filter(message_id=completion).to_dicts()
    assert (row["source"], row["role"], row["reaction"]) == ("decisions", "bot", "love")
    assert (row["context"], row["reply"]) == ([SAID], reply)
