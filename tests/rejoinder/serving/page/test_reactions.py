"""What somebody thinks of a reply or of a conversation reaches the server, or the page says that it did not."""

from __future__ import annotations

from tests.rejoinder.serving.apis import figure
from tests.rejoinder.serving.page.browser_page import Canned, Page
from tests.rejoinder.serving.page.canned import CONVERSATION, error, reply
from tests.rejoinder.serving.page.steps import instead, say_and_wait
from tests.rejoinder.serving.servers import Server


def test_a_reaction_is_recorded_changed_and_taken_back(page: Page) -> None:
    say_and_wait(page, "hello")
    for pressed, expected in (("love", "love"), ("funny", "funny"), ("funny", None)):
        page.click(f"[data-reaction={pressed}]")
        page.until("!document.querySelector('.reactions.sending')")
        sent = [r for r in page.requests if r.url.endswith("/v1/reactions")][-1]
        assert sent.json["reaction"] == expected
        assert sent.json["completion_id"].startswith("chatcmpl-")
        shown = page.js("document.querySelector('[aria-pressed=true]')?.dataset.reaction ?? null")
        assert shown == expected
    assert page.texts(".unrecorded") == []


def test_a_reaction_that_was_not_recorded_says_so_and_can_be_tried_again(page: Page) -> None:
    asked = instead(page, "/v1/reactions", error(503), Canned(200, "{}"))
    say_and_wait(page, "hello")
    page.click("[data-reaction=downvote]")
    page.until("document.querySelector('.unrecorded')")
    assert page.attribute("[data-reaction=downvote]", "aria-pressed") == "false"
    page.click(".unrecorded button")
    page.until("!document.querySelector('.unrecorded')")
    page.until("document.querySelector('[data-reaction=downvote]').getAttribute('aria-pressed') === 'true'")
    assert [r.json["reaction"] for r in asked] == ["downvote", "downvote"]


def test_a_conversation_gets_a_thumb_and_ratings(page: Page) -> None:
    asked = instead(page, "/feedback", Canned(200, "{}"))
    instead(page, "/v1/chat", reply("hi"))
    say_and_wait(page, "hello")
    page.click("[data-thumb=up]")
    page.until("document.querySelector('[data-thumb=up][aria-pressed=true]')")
    page.click(".feedback .link")
    page.click("[name=witty][value='7']")
    page.click("#ratings [type=submit]")
    page.until("document.querySelector('.feedback .hint')")
    assert [r.json for r in asked] == [{"thumb": "up"}, {"ratings": {"witty": 7}}]
    assert {r.url.rpartition("/conversations/")[2] for r in asked} == {f"{CONVERSATION}/feedback"}


def test_the_real_server_records_feedback(page: Page, serving: Server) -> None:
    before = figure(serving.get("/metrics").text, "rejoinder_feedback_total", thumb="down")
    say_and_wait(page, "hello")
    page.click("[data-thumb=down]")
    page.until("document.querySelector('[data-thumb=down][aria-pressed=true]')")
    assert figure(serving.get("/metrics").text, "rejoinder_feedback_total", thumb="down") == before + 1
