"""The side panel shows how a reply came about."""

from __future__ import annotations

from tests.rejoinder.serving.page.browser_page import Page
from tests.rejoinder.serving.page.canned import candidate, reply
from tests.rejoinder.serving.page.steps import BOT, instead, say_and_wait, wide_ones


def test_the_panel_shows_how_a_reply_came_about(page: Page) -> None:
    instead(page, "/v1/chat", reply("hi", others=[candidate("hello", dropped="echo", rank=None)]))
    say_and_wait(page, "hello")
    page.click(f"{BOT} .why")
    assert page.attribute(".why", "aria-expanded") == "true"
    assert "rejoinder #6 (000000000006)" in page.texts("#trace .facts")[0]
    assert page.texts(".candidates .chosen td") == ["hichosen", "0.500", "0.600", "replies", "7 senders", ""]
    assert page.texts(".candidates .dropped .reason") == ["echo"]
    assert page.texts(".steps .ms") == ["6.20 ms", "0.60 ms"]
    page.press("Escape")
    assert page.js("document.querySelector('#panel').hidden")
    assert page.js("document.activeElement.className") == "why link"


def test_the_panel_tells_what_people_said_what_was_written_and_what_was_generated(page: Page) -> None:
    made = candidate("i see", source="generator", senders=None, log_probability=-7.5, tokens=4)
    written = candidate("go on", source="remarks/lonely", senders=None, log_probability=None, tokens=None)
    instead(page, "/v1/chat", reply("hi", others=[made, written]))
    say_and_wait(page, "hello")
    page.click(f"{BOT} .why")
    assert page.texts(".candidates .source")[-2:] == ["generator", "remarks/lonely"]
    assert page.texts(".candidates .senders") == ["7 senders", "generated", "written"]


def test_the_trace_of_the_real_server_is_shown(page: Page) -> None:
    said = say_and_wait(page, "hello")
    page.click(f"{BOT} .why")
    assert page.texts("#trace blockquote") == [said]
    assert "choose" in page.texts(".steps .name")


def test_an_open_panel_follows_the_conversation(page: Page) -> None:
    instead(page, "/v1/chat", reply("one"), reply("two"))
    say_and_wait(page, "hello")
    page.click(f"{BOT} .why")
    say_and_wait(page, "and?")
    assert page.texts("#trace blockquote") == ["two"]


def test_on_a_phone_the_panel_is_a_drawer_that_escape_closes(page: Page) -> None:
    page.resize(360, 740)
    say_and_wait(page, "hello")
    page.click(f"{BOT} .why")
    assert page.attribute("#panel", "role") == "dialog"
    assert page.js("document.querySelector('#talk').inert")
    assert wide_ones(page) == []
    page.press("Escape")
    assert not page.js("document.querySelector('#talk').inert")
