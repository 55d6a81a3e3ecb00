"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rejoinder.release.forms import CPU, CUDA, OPENVINO

if TYPE_CHECKING:
    from rejoinder.store.store import Store

#: What `--provider` calls what runs models.
PROVIDERS = {"cpu": CPU, "cuda": CUDA, "openvino": OPENVINO}

store_option = click.option(
    "--store",
    "root",
    type=click.Path(path_type=Path),
    help="The local store; default: REJOINDER_STORE, else REJOINDER_HOME/store, else .rejoinder/store.",
)
provider_option = click.option(
    "--provider", type=click.Choice(sorted(PROVIDERS)), help="What computes the vectors; default: the fastest here."
)


def open_store(root: Path | None) -> Store:
    """The store that the command line names.

    Args:
        root: `--store`, or None for the default.

    Returns:
        The store; it may not exist.
    """
    from rejoinder.store.store import Store

    return Store(root) if root else Store.default()
