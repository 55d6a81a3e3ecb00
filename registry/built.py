"""Built: where the stages have left their bundles, each in a folder that is named by its kind."""

from __future__ import annotations

from pathlib import Path

from registry.errors import NotFoundError
from rejoinder.manifest import MANIFEST
from rejoinder.parts import Kind, kinds

BUILD = Path("build")


def built_bundle(kind: Kind, build: Path = BUILD) -> Path:
    """Find the bundle that some stage has built.

    Args:
        kind: of the bundle.
        build: holds a folder a stage.

    Returns:
        `build/<stage>/<kind>`.

    Raises:
        NotFoundError: if no stage has built one, or several have.
    """
    found = sorted(path.parent for path in build.glob(f"*/{kind}/{MANIFEST}"))
    if len(found) != 1:
        got = ", ".join(map(str, found)) or "none"
        raise NotFoundError(
            f"{kind} bundle: expected one {build}/<stage>/{kind}, got {got}. Next: dvc repro, or --{kind} DIR"
        )
    return found[0]


def built_bundles(build: Path = BUILD) -> dict[Kind, Path]:
    """The bundles of every kind that stages have built, by kind."""
    return {kind: built_bundle(kind, build) for kind in kinds() if any(build.glob(f"*/{kind}/{MANIFEST}"))}
