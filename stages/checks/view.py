"""The view that Great Expectations renders its pages with; it imports this module by name."""

from __future__ import annotations

from typing import Any

from great_expectations.render.view import DefaultJinjaPageView
from jinja2 import ChoiceLoader, FileSystemLoader

from stages.checks.data_docs import TEMPLATES


class OfflinePageView(DefaultJinjaPageView):  # type: ignore[misc]
    """The default page, with our templates in front of the stock ones of the same name."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.env.loader = ChoiceLoader([FileSystemLoader(TEMPLATES), self.env.loader])
