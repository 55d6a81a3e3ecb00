"""Sizes of bundles, by file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from rejoinder.parts import Kind
from rejoinder.release.manifest import MANIFEST


def files_mb(bundles: Mapping[Kind, Path]) -> dict[Kind, dict[str, float]]:
    """Size of each bundle's files in MB, without the manifest; files that differ by a number alone count as one."""
    sizes: dict[Kind, dict[str, float]] = {}
    for kind, folder in bundles.items():
        of = sizes.setdefault(kind, {})
        for path in sorted(path for path in folder.iterdir() if path.name != MANIFEST):
            name = re.sub(r"-\d+", "-N", path.name)
            of[name] = of.get(name, 0.0) + path.stat().st_size / 1e6
    return sizes
