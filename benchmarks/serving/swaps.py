"""Swaps: a copy of a store whose releases take turns."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.serving.bodies import embedding
from benchmarks.serving.checks import vectors_of
from benchmarks.serving.ours import serving
from benchmarks.serving.server import Server, get, post
from benchmarks.serving.setting import Setting
from registry.pull.install import activate, locked
from rejoinder.parts import VECTORIZER
from rejoinder.parts.arrays import Vectors
from rejoinder.release.document import Release
from rejoinder.store.store import Store

Expected = dict[str, dict[str, Vectors]]
_PATIENCE_S, _MOST = 60.0, 3


def copied(store: Store, folder: Path) -> Store:
    """Copy a store."""
    shutil.copytree(store.root, folder)
    return Store(folder)


def in_turn(releases: Sequence[Release], current: Release) -> list[Release]:
    """The current release, then the newest others.

    Args:
        releases: of a store, newest first.
        current: that serves.

    Returns:
        At most three.

    Raises:
        SystemExit: if there is no other.
    """
    others = [release for release in releases if release.digest != current.digest]
    if not others:
        raise SystemExit("expected two releases in the store, got one. Next: --store of another")
    return [current, *others][:_MOST]


def short(release: Release) -> str:
    """A digest as headers have it."""
    return release.digest.removeprefix("sha256:")[:12]


class Swapper:
    """Lets the releases of a store take turns, under a server that follows it."""

    def __init__(self, store: Store, server: Server, least: int) -> None:
        """Swap nothing yet.

        Args:
            store: that the server follows.
            server: that runs.
            least: swaps; so many more that the last one leads back to the first release.
        """
        self._store, self._server = store, server
        self._releases = in_turn(store.releases(), store.current().release)
        self.count = -(-least // len(self._releases)) * len(self._releases)
        self.told: list[dict[str, Any]] = []

    def swap(self) -> None:
        """Make the next release the current one, and wait until the server answers with it.

        Raises:
            SystemExit: if it does not.
        """
        release = self._releases[(len(self.told) + 1) % len(self._releases)]
        begun = time.perf_counter()
        with locked(self._store):
            activate(self._store, release)
        while json.loads(get(self._server.port, "/info") or "{}").get("digest") != release.digest:
            if time.perf_counter() - begun > _PATIENCE_S:
                raise SystemExit(f"{release} did not take over: {self._server.said()[-2000:]}")
            time.sleep(0.02)
        self.told.append({"to": f"#{release.serial}", "seconds": time.perf_counter() - begun})


def expected_vectors(setting: Setting, texts: Sequence[str]) -> Expected:
    """What each release of a store makes of texts, each alone; releases that share a model are asked once.

    Args:
        setting: names the store; its current release is the same at the end.
        texts: any.

    Returns:
        By short digest and text.
    """
    store = setting.store
    current = store.current().release
    by_model: dict[str, dict[str, Vectors]] = {}
    releases = in_turn(store.releases(), current)
    for release in releases:
        model = release.bundles[VECTORIZER.bundle]
        if model not in by_model:
            by_model[model] = _asked(setting, release, texts)
    return {short(release): by_model[release.bundles[VECTORIZER.bundle]] for release in releases}


def _asked(setting: Setting, release: Release, texts: Sequence[str]) -> dict[str, Vectors]:
    with tempfile.TemporaryDirectory() as folder:
        store = copied(setting.store, Path(folder) / "store")
        with locked(store):
            activate(store, release)
        with serving(replace(setting, store=store), "--no-log", "--no-follow") as server:
            return {
                text: vectors_of(post(server.port, *embedding([text], encoding_format="base64")))[0]
                for text in texts
            }
