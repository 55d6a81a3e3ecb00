"""Validation results -> Data Docs that need no network: one style sheet inside, no scripts, nothing fetched.

The stock templates load Bootstrap, jQuery and icons from public hosts, and their index stays blank without them.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.errors import StageError

if TYPE_CHECKING:
    from great_expectations.data_context import AbstractDataContext

TEMPLATES = Path(__file__).parent / "templates"


def write_site(context: AbstractDataContext, site: Path, report: Mapping[str, Any]) -> None:
    """Write the Data Docs of the one run a context holds.

    Args:
        context: after `suite.check`.
        site: the directory to make; its first page is `index.html`.
        report: what the first page shows.

    Raises:
        StageError: if Great Expectations left a page out; it only logs what went wrong.
    """
    context.add_data_docs_site("site", _site_config(site))
    context.build_data_docs(site_names=["site"])
    shutil.rmtree(site / "static")  # fonts, a logo and two animations that the pages below do without
    pages = {
        section: next((p.relative_to(site).as_posix() for p in (site / section).rglob("*.html")), None)
        for section in ("validations", "expectations")
    }
    missing = [section for section, page in pages.items() if page is None]
    if missing:
        raise StageError(f"{site}: Great Expectations wrote no page for {', '.join(missing)}; see its log above")
    index = _environment().get_template("index.j2").render(report=report, pages=pages)
    (site / "index.html").write_text(index, encoding="utf-8")


def _site_config(site: Path) -> dict[str, Any]:
    view = {"module_name": "stages.expectations.view", "class_name": "OfflinePageView"}
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

    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
