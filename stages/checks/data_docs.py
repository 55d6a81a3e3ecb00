"""Validation results -> Data Docs that need no network: one style sheet inside, no scripts, nothing fetched.

The stock templates load Bootstrap, jQuery and icons from public hosts, and their index stays blank without them.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.checks.report import figure
from stages.common.errors import StageError

if TYPE_CHECKING:
    from great_expectations.data_context import AbstractDataContext

TEMPLATES = Path(__file__).parent / "templates"


def write_site(context: AbstractDataContext, site: Path, report: Mapping[str, Any]) -> None:
    """Write the Data Docs of all suites that a context holds.

    Args:
        context: after `great_expectations.check`, once or more.
        site: the directory to make; its first page is `index.html`.
        report: what the first page shows: as from `report.report_of`; where given, also `rows_in`, `rows_out`,
            `rows_quarantined`, `quarantined_share` and `max_quarantined_share`, `tables` (rows by title; a column
            ending in "share", "loss" or "change" is shown in percent) and `notes` (sentences).

    Raises:
        StageError: if Great Expectations left a page out; it only logs what went wrong.
    """
    context.add_data_docs_site("site", _site_config(site))
    context.build_data_docs(site_names=["site"])
    shutil.rmtree(site / "static")  # fonts, a logo and two animations that the pages below do without
    pages = {suite: _pages(site, suite) for suite in dict.fromkeys(rule["suite"] for rule in report["rules"])}
    missing = [suite for suite, found in pages.items() if None in found.values()]
    if missing:
        raise StageError(f"{site}: Great Expectations wrote no page for {', '.join(missing)}; see its log above")
    index = _environment().get_template("index.j2").render(report=report, pages=pages)
    (site / "index.html").write_text(index, encoding="utf-8")


def _pages(site: Path, suite: str) -> dict[str, str | None]:
    found = {
        "validation": next((site / "validations" / suite).rglob("*.html"), None),
        "expectations": next((site / "expectations").glob(f"{suite}.html"), None),
    }
    return {name: path.relative_to(site).as_posix() if path else None for name, path in found.items()}


def _site_config(site: Path) -> dict[str, Any]:
    view = {"module_name": "stages.checks.view", "class_name": "OfflinePageView"}
    return {
        "class_name": "SiteBuilder",
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(site.resolve())},
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "site_section_builders": {
            "validations": {"view": view},
            "expectations": {"view": view},
            "profiling": "None",  # the word, by its convention
        },
    }


def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    environment.filters["cell"] = _cell
    return environment


def _cell(value: object, column: str) -> str:
    """A table's cell: counts with separators, shares in percent, nothing for what was not judged."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3%}" if column.endswith(("share", "loss", "change")) else figure(value)
    return f"{value:,}" if isinstance(value, int) else str(value)
