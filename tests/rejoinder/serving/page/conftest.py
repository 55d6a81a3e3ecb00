"""One browser for all tests of the playground, a page for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rejoinder.serving.page.browser import DevTools, chromium, find_chromium
from tests.rejoinder.serving.page.browser_page import Page
from tests.rejoinder.serving.page.steps import Serving, show


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevTools]:
    """The browser; where there is none, the tests that need it are skipped."""
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium here: the page is tested in a real browser")
    with chromium(program, tmp_path_factory.mktemp("profile")) as tools:
        yield tools


@pytest.fixture
def page(tools: DevTools, serving: Serving) -> Iterator[Page]:
    """The playground, open and ready, as somebody sees it who comes for the first time."""
    page = Page(tools)
    show(page, serving)
    yield page
    page.close()
