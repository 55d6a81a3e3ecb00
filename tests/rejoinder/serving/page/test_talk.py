"""A talk in the browser: it goes on, is kept, and can be left."""

from __future__ import annotations

import json

import pytest

from tests.rejoinder.serving.page.browser_page import Page
from tests.rejoinder.serving.page.canned import COMPLETION, CONVERSATION, reply
from tests.rejoinder.serving.page.steps import Serving, asked_of_chat, instead, say, say_and_wait, show


def test_what_one_writes_is_answered_and_the_answer_names_its_release(page: Page) -> None:
    assert say_and_wait(page, "hello")
    [asked] = [request.json for request in asked_of_chat(page)]
    assert asked["messages"] == [{"role": "user", "content": "hello"}]
    told = {name: asked[name] for name in ("stream", "include_trace", "stream_options")}
    assert told == {"stream": True, "include_trace": True, "stream_options": {"include_usage": True}}
    assert page.texts(".by") == page.texts("#release")
    assert page.complaints == []


def test_the_page_says_that_it_is_a_program_and_no_person(page: Page) -> None:
    assert "a program, not a person" in page.texts("#welcome")[0]
    say_and_wait(page, "hello")
    assert "a program, not a person" in page.texts(".notice")[0]


def test_nothing_is_asked_of_anybody_else(page: Page, serving: Serving) -> None:
    say_and_wait(page, "hello")
    assert {r.url.startswith(serving.url) for r in page.requests} == {True}


def test_the_whole_dialogue_and_the_conversation_go_along(page: Page) -> None:
    first = say_and_wait(page, "hello")
    say_and_wait(page, "and then?")
    *_, last = asked_of_chat(page)
    roles = [(m["role"], m["content"]) for m in last.json["messages"]]
    assert roles == [("user", "hello"), ("assistant", first), ("user", "and then?")]
    assert last.json["metadata"]["conversation_id"]


def test_shift_and_enter_begin_a_new_line(page: Page) -> None:
    page.click("#message")
    page.type("one")
    page.press("Enter", shift=True)
    page.type("two")
    assert page.js("document.querySelector('#message').value") == "one\ntwo"
    assert page.texts(".turn") == []


def test_a_reload_keeps_the_conversation_and_its_reactions(page: Page, serving: Serving) -> None:
    said = say_and_wait(page, "hello")
    page.click("[data-reaction=love]")
    page.until("!document.querySelector('.reactions.sending')")
    show(page, serving)
    assert page.texts(".turn .text") == ["hello", said]
    assert page.attribute("[data-reaction=love]", "aria-pressed") == "true"
    say_and_wait(page, "still there?")
    first, second = asked_of_chat(page)
    assert "metadata" not in first.json
    assert second.json["metadata"]["conversation_id"]
    assert len(second.json["messages"]) == 3


def test_a_new_conversation_begins_empty_and_the_last_one_can_be_had_back(page: Page) -> None:
    say_and_wait(page, "hello")
    page.click("#new")
    assert page.texts(".turn") == []
    page.click("#toast button")
    assert len(page.texts(".turn")) == 2
    page.click("#new")
    say_and_wait(page, "hello again")
    *_, last = asked_of_chat(page)
    assert "metadata" not in last.json


def test_a_release_that_changes_in_the_midst_is_told(page: Page) -> None:
    instead(page, "/v1/chat", reply("one"), reply("two", serial=7))
    say_and_wait(page, "hello")
    say_and_wait(page, "and?")
    assert page.texts(".divider") == ["Now answered by rejoinder #7 (000000000007)"]


def test_a_browser_that_keeps_nothing_still_talks(page: Page) -> None:
    page.js("Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError') }; 0")
    instead(page, "/v1/chat", reply("hi"))
    assert say_and_wait(page, "hello") == "hi"
    assert "does not keep the conversation" in page.texts("#toast")[0]


@pytest.mark.parametrize(
    "kept", ["{", "[]", '{"version": 1, "turns": [{"by": "nobody"}]}', '{"version": 0, "turns": []}']
)
def test_what_cannot_be_read_of_former_days_is_left_aside(page: Page, serving: Serving, kept: str) -> None:
    page.js(f"localStorage.setItem('rejoinder.conversation', {json.dumps(kept)})")
    show(page, serving)
    assert page.texts(".turn") == []
    assert page.complaints == []


def test_the_conversation_can_be_taken_along(page: Page) -> None:
    instead(page, "/v1/chat", reply("hi"))
    say_and_wait(page, "hello")
    page.js("URL.createObjectURL = (blob) => { window.taken = blob.text(); return '#' }; 0")
    page.click("#export")
    taken = json.loads(page.js("window.taken"))
    assert taken["conversation_id"] == CONVERSATION
    assert [(t["speaker"], t["text"]) for t in taken["turns"]] == [("user", "hello"), ("bot", "hi")]
    assert taken["turns"][1]["completion_id"] == COMPLETION


def test_a_reply_on_its_way_can_be_stopped(page: Page) -> None:
    page.js("window.fetch = (path, options) => new Promise((_, no) => "
            "options.signal.addEventListener('abort', () => no(options.signal.reason))); 0")  # fmt: skip
    say(page, "hello")
    page.until("document.querySelector('#send').getAttribute('aria-label') === 'Stop'")
    page.click("#send")
    page.until("document.querySelector('.problem')?.dataset.kind === 'stopped'")
    assert page.attribute("#send", "aria-label") == "Send"
