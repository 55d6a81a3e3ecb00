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


@cache
def family_words() -> frozenset[str]:
    """Words for kin and partners: beside a number or another word they may tell who somebody is."""
    return read_list(FOLDER / "family_words.txt")


@cache
def human_claims() -> tuple[str, ...]:
    """What a program must not say of itself ("i am a human"): words of a canonical text, parted by spaces."""
    lines = (FOLDER / "human_claims.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


def read_list(path: Path) -> frozenset[str]:
    """Read words, one a line."""
    return frozenset(path.read_text(encoding="utf-8").split())
