"""What goes wrong between page and server is said clearly, and can be tried again."""

from __future__ import annotations

import pytest

from tests.rejoinder.serving.page.browser_page import Canned, Page, Request
from tests.rejoinder.serving.page.canned import about, broken, error, reply, stream
from tests.rejoinder.serving.page.steps import BOT, Serving, instead, say, say_and_wait, show


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (Canned(0), "cannot be reached"),
        (error(400, "messages[0]: expected text"), "It said: messages[0]: expected text"),
        (error(413), "too long"),
        (error(500), "failed"),
        (error(503), "not ready"),
        (broken("It was a dark and"), "broke off"),
        (stream(["[DONE]"]), "No reply came"),
        (stream(['{"error": {"message": "the deadline passed"}}']), "the deadline passed"),
        (stream(["{"]), "broke off"),
    ],
    ids=["unreachable", "400", "413", "500", "503", "broken", "empty", "error in the stream", "no JSON"],
)
def test_what_went_wrong_is_said_and_can_be_tried_again(page: Page, answer: Canned, line: str) -> None:
    asked = instead(page, "/v1/chat", answer, reply("hi"))
    say(page, "hello")
    page.until("document.querySelector('.problem')")
    assert line in page.texts(".problem [role=alert]")[0]
    page.click(".problem .button")
    page.until(f"document.querySelector('{BOT}')")
    assert page.texts(".problem") == []
    assert page.texts(".turn .text") == ["hello", "hi"]
    assert [r.json["messages"] for r in asked] == [[{"role": "user", "content": "hello"}]] * 2


def test_a_busy_server_says_when_to_try_again(page: Page) -> None:
    instead(page, "/v1/chat", error(429, Retry_After="2"), reply("hi"))
    say(page, "hello")
    page.until("document.querySelector('.problem')")
    assert "Try again in 2 seconds" in page.texts(".problem [role=alert]")[0]
    assert page.js("document.querySelector('.problem .button').disabled")
    page.until("!document.querySelector('.problem .button').disabled")
    page.click(".problem .button")
    page.until(f"document.querySelector('{BOT}')")


def test_a_message_that_was_refused_can_be_edited_and_does_not_go_along_again(page: Page) -> None:
    asked = instead(page, "/v1/chat", error(400), error(400), reply("hi"))
    say(page, "first")
    page.until("document.querySelector('.problem')")
    page.click(".problem .link")
    assert page.js("document.querySelector('#message').value") == "first"
    assert page.texts(".turn") == []
    page.press("Enter")
    page.until("document.querySelector('.problem')")
    say_and_wait(page, "second")
    assert asked[-1].json["messages"] == [{"role": "user", "content": "second"}]


def test_a_token_is_asked_for_only_where_one_is_needed(page: Page, serving: Serving) -> None:
    assert page.texts("#token") == []
    denied = error(401)

    def rule(request: Request) -> Canned | None:
        is_api = "/v1/" in request.url or request.url.endswith("/info")
        given = request.headers.get("Authorization")
        if is_api and given != "Bearer secret":
            return denied
        return reply("hi") if "/v1/chat" in request.url else about() if is_api else None

    page.rule = rule
    show(page, serving)
    page.until("document.activeElement.id === 'token'")
    page.type("wrong")
    page.press("Enter")
    page.until("document.querySelector('.problem')?.dataset.kind === 'wrongToken'")
    page.type("secret")
    page.press("Enter")
    page.until("!document.querySelector('.problem')")
    assert say_and_wait(page, "hello") == "hi"
    assert "secret" not in page.js("JSON.stringify(localStorage) + document.body.outerHTML")


def test_the_page_waits_for_a_server_that_is_not_there_yet(page: Page, serving: Serving) -> None:
    instead(page, "/info", Canned(0), about())
    show(page, serving)
    assert "cannot be reached" in page.texts(".problem")[0]
    page.click(".problem .button")
    page.until("document.querySelector('#consent').textContent")
    assert page.texts(".problem") == []
