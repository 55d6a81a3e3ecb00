"""Mojibake: UTF-8 read as Latin-1 ("Ã©" for "é"), which is what Facebook's exports hold."""

from __future__ import annotations


def repair(text: str) -> str:
    """Read a text as UTF-8 that was read as Latin-1; one that was not stays as it is."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text
