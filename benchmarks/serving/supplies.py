"""Supplies: what each server is asked, in one place for all parts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.serving.bodies import Asked, Supply, chat, embedding, fresh, read_asked, talk
from benchmarks.serving.setting import Setting


class Supplies:
    """Requests of every kind; each server has its own place in them, so that none is asked the same twice."""

    def __init__(self, setting: Setting, folder: Path) -> None:
        """Read the dialogues.

        Args:
            setting: says where they are.
            folder: for the files that are written.
        """
        self._folder = folder
        asked = read_asked(setting.pairs)
        self.fresh, self.talk = fresh(asked), talk(asked)
        self._found: dict[tuple[str, str], Supply] = {}

    def of(self, server: str, kind: str) -> Supply:
        """Requests of a kind for a server.

        Args:
            server: any name of it.
            kind: "fresh", "talk" or "vectors".

        Returns:
            Always the same, further on.
        """
        key = server, kind
        if key not in self._found:
            self._found[key] = Supply(self._folder / f"{len(self._found)}.bodies", self._bodies(kind))
        return self._found[key]

    def _bodies(self, kind: str) -> list[tuple[str, bytes]]:
        if kind == "vectors":
            texts = texts_of(self.fresh)[::-1]  # from the other end: the caches know what was asked of `fresh`
            return [embedding([text]) for text in texts]
        return [chat(asked) for asked in (self.fresh if kind == "fresh" else self.talk)]


def texts_of(asked: Sequence[Asked]) -> list[str]:
    """The turns of contexts, each text once."""
    return list(dict.fromkeys(text for each in asked for text in each.texts if text.strip()))
