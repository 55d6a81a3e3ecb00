"""A whole release without a generator, for all who put a speaker in."""

from __future__ import annotations

from pathlib import Path

import pytest

from rejoinder.parts import GENERATOR, Kind
from rejoinder.parts.opened import OpenRelease, open_release
from rejoinder.release.trust import Trust
from tests.bundles import KEY, build_whole, pin


@pytest.fixture(scope="session")
def mute_bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, Path]:
    made = build_whole(tmp_path_factory.mktemp("whole"))
    return {kind: path for kind, path in made.items() if kind != GENERATOR.bundle}


@pytest.fixture(scope="session")
def mute(mute_bundles: dict[Kind, Path]) -> OpenRelease:
    return open_release(pin(mute_bundles), trust=Trust(KEY.parent))
