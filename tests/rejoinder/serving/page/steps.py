"""What somebody does with the playground, and how tests stand in for the server."""

from __future__ import annotations

from typing import Protocol

from tests.rejoinder.serving.page.browser_page import Canned, Page, Request

BOT = ".turn.bot:not(.coming, .broken)"
REACTIONS = {"Love", "Funny", "Upvote", "Meaningless", "Offensive", "Downvote"}


class Serving(Protocol):
    """A running server."""

    @property
    def url(self) -> str:
        """Its base URL."""


def show(page: Page, serving: Serving) -> None:
    """Open the playground and wait until it knows the server."""
    page.open(f"{serving.url.rstrip('/')}/")
    page.until("document.querySelector('#consent').textContent || document.querySelector('.problem')")


def instead(page: Page, path: str, *answers: Canned) -> list[Request]:
    """Answer requests in the server's stead.

    Args:
        page: that asks.
        path: part of the address.
        answers: one after the other; the last one again and again.

    Returns:
        What was asked; it grows.
    """
    asked: list[Request] = []

    def rule(request: Request) -> Canned | None:
        if path not in request.url:
            return former(request)
        asked.append(request)
        return answers[min(len(asked), len(answers)) - 1]

    former, page.rule = page.rule, rule
    return asked


def asked_of_chat(page: Page) -> list[Request]:
    """What the page asked of the chat so far."""
    return [request for request in page.requests if request.url.endswith("/v1/chat/completions")]


def say(page: Page, text: str) -> None:
    """Write a message and send it with Enter."""
    page.click("#message")
    page.type(text)
    page.press("Enter")


def say_and_wait(page: Page, text: str) -> str:
    """Say a text; what was replied."""
    count = len(page.texts(BOT))
    say(page, text)
    page.until(f"document.querySelectorAll('{BOT}').length > {count}")
    return page.texts(f"{BOT} .text")[-1]


def wide_ones(page: Page) -> list[str]:
    """What is wider inside than outside, so that one would have to scroll to the side, or sees it cut."""
    found: list[str] = page.js("""
        [...document.querySelectorAll("html, #scroll, #scroll .text, #trace, #trace dd, #trace td")]
          .filter((each) => each.scrollWidth > each.clientWidth)
          .map((each) => `${each.tagName} ${each.className}: ${each.scrollWidth} in ${each.clientWidth}`)
    """)
    return found
