"""Opening: what a part's module is given, and what it must offer."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from rejoinder.errors import Problem
from rejoinder.parts import Kind, Part
from rejoinder.release.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Opening:
    """A proved bundle, and the parts of its release that are open already.

    Attributes:
        directory: the bundle; its bytes have been checked against the manifest.
        manifest: of the bundle; it has been checked against the release.
        provider: what alone may run the model; None for whatever is fastest here.
        opened: open parts by kind; those that this one is tied to are among them.
        choices: folder of what was found fastest on this machine; None if nothing is kept.
        tolerance: largest 1 - cos that the model bundle allows between a vector made here and one that a bundle
            holds; 0 before it is open.
    """

    directory: Path
    manifest: Manifest
    provider: str | None
    opened: Mapping[Kind, Any]
    choices: Path | None = None
    tolerance: float = 0.0


class PartModule(Protocol):
    """What the module of a part offers."""

    def open_part(self, opening: Opening) -> Any:
        """Load the part; raises a BundleError that names every file that is not what the manifest says."""

    def probe(self, opening: Opening, part: Any) -> list[Problem]:
        """Compare what this machine computes with what the bundle holds; all that differs."""

    def memory(self, manifest: Manifest, provider: str | None) -> int:
        """Bytes of memory that the open part takes at its worst moment, mapped files not counted."""


def module_of(part: Part) -> PartModule:
    """Import a part's module, and with it numpy, ONNX Runtime or FAISS: only what was proved may come this far."""
    return cast(PartModule, importlib.import_module(part.module))
