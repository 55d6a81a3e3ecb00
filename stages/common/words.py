"""English words, and those among them that name nobody, whoever is called so."""

from __future__ import annotations

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "data"


@cache
def dictionary() -> frozenset[str]:
    """Words of a dictionary, without well-known first names."""
    return read_list(FOLDER / "dictionary_words.txt")


@cache
def function_words() -> frozenset[str]:
    """Words that say nothing by themselves: "the"."""
    return read_list(FOLDER / "function_words.txt")


@cache
def kin_words() -> frozenset[str]:
    """What people call each other: "mum"."""
    return read_list(FOLDER / "kin_words.txt")


def read_list(path: Path) -> frozenset[str]:
    """Read words, one a line."""
    return frozenset(path.read_text(encoding="utf-8").split())
