"""Where an untrained encoder lies; found without importing what carries it, which may bring torch."""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from rejoinder.release.tokenizer_file import TOKENIZER
from stages.common.errors import ParamsError


def base_folder(name: str) -> Path:
    """Find an untrained encoder's folder.

    Args:
        name: a folder in Hugging Face's layout, or an installed package that carries one in `model/`.

    Returns:
        The folder; it holds a tokenizer.

    Raises:
        ParamsError: if there is neither such a folder nor such a package.
    """
    spec = None
    if not Path(name).is_dir():
        with suppress(ImportError, ValueError):  # no name of a package
            spec = find_spec(name.replace("-", "_"))
    places = spec.submodule_search_locations if spec else None
    for folder in [Path(place) / "model" for place in places or ()] or [Path(name)]:
        if (folder / TOKENIZER).is_file():
            return folder
    raise ParamsError(
        f"base encoder: expected a folder with config.json, {TOKENIZER} and weights, or an installed package that "
        f"carries one, got {name!r}; next: correct shared.base in params.yaml"
    )
