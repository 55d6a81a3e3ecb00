"""Anybody can read and use the page: on a phone, in the dark, with a screen reader, whatever is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rejoinder.serving.page.browser_page import Page
from tests.rejoinder.serving.page.canned import about, candidate, error, reply
from tests.rejoinder.serving.page.steps import BOT, REACTIONS, Serving, instead, say, say_and_wait, show, wide_ones


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({"log_text": False}, "No texts are stored on the server, only ids"),
        ({"log_text": False, "log": False}, "nor anything else"),
        ({"log_text": True, "retention_days": 30}, "stored for 30 days to improve"),
        ({"log_text": True, "retention_days": 1}, "stored for 1 day to improve"),
        ({"log_text": True, "retention_days": None}, "stored until it is deleted"),
    ],
)
def test_the_page_says_what_becomes_of_what_one_writes(
    page: Page, serving: Serving, said: dict[str, object], line: str
) -> None:
    instead(page, "/info", about(**said))
    show(page, serving)
    assert line in page.texts("#consent")[0]


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize(
    "text",
    ["x" * 900, "word " * 400, "مرحبا كيف حالك " * 40, "line\n" * 60],
    ids=["long word", "long", "rtl", "lines"],
)
def test_no_text_breaks_the_layout(page: Page, width: int, text: str) -> None:
    instead(page, "/v1/chat", reply(text, others=[candidate(text, source=text)]))
    page.resize(width, 740)
    say_and_wait(page, text)
    assert wide_ones(page) == []
    page.click(f"{BOT} .why")
    assert wide_ones(page) == []


def test_markup_and_control_characters_are_shown_as_text(page: Page) -> None:
    markup = "<img src=x onerror=alert(1)><script>alert(1)</script>"
    instead(page, "/v1/chat", reply(f"{markup}\0\x1b"))
    say(page, markup)
    page.until(f"document.querySelector('{BOT}')")
    page.click(f"{BOT} .why")
    assert page.texts(".turn .text") == [markup, f"{markup}\N{SYMBOL FOR NULL}\N{SYMBOL FOR ESCAPE}"]
    assert page.js("document.querySelectorAll('img, main script, aside script').length") == 0
    assert page.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_can_be_read_in_light_and_dark(page: Page, scheme: str) -> None:
    page.prefer(prefers_color_scheme=scheme)
    ratios = page.js((Path(__file__).parent / "contrast.js").read_text())
    assert len(ratios) == 6
    assert min(ratios.values()) >= 4.5, ratios
    assert page.js("getComputedStyle(document.body).backgroundColor") == {
        "light": "rgb(245, 247, 246)", "dark": "rgb(17, 22, 21)",
    }[scheme]  # fmt: skip


def test_every_control_has_a_name(page: Page) -> None:
    instead(page, "/v1/chat", reply("hi"), error(400))
    say_and_wait(page, "hello")
    page.click(f"{BOT} .why")
    page.click(".feedback .link")
    say(page, "no")
    page.until("document.querySelector('.problem')")
    names = [node["name"]["value"] for role in ("button", "textbox", "radio") for node in page.nodes(role)]
    assert all(names)
    assert {"Message", "Send", "New conversation", "Close the panel", "Try again", *REACTIONS} <= set(names)


def test_new_replies_are_told_to_screen_readers_whole(page: Page) -> None:
    said = say_and_wait(page, "hello")
    assert page.attribute("#said", "aria-live") == "polite"
    assert page.texts("#said") == [f"Assistant: {said}"]
