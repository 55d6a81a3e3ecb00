"""Wordings: how varied, repetitive and borrowed a set of texts is; counts by word, so that no tokenizer matters."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from rejoinder.text import words

Grams = list[tuple[str, ...]]


def grams(said: Sequence[str], n: int) -> Grams:
    """Every run of n words, in order."""
    return [tuple(said[start : start + n]) for start in range(len(said) - n + 1)]


def distinct(texts: Sequence[str], n: int, tokens: int, seed: int = 0) -> float | None:
    """Share of different n-grams among all of them, in texts that are drawn until they hold so many words.

    Of more words fewer n-grams are new, so only figures of equally many words may be compared (Li et al. 2016
    divide by all words there are).

    Args:
        texts: in any order.
        n: words of a gram.
        tokens: words that are counted; the last text is cut.
        seed: of the order in which texts are taken.

    Returns:
        From 0 to 1; None if the texts do not hold so many words.
    """
    order = list(texts)
    Random(seed).shuffle(order)  # noqa: S311 (no secret)
    found: Grams = []
    left = tokens
    for text in order:
        said = words(text)[:left]
        found += grams(said, n)
        left -= len(said)
        if not left:
            return len(set(found)) / len(found) if found else None
    return None


def repeated(text: str, before: Sequence[str], n: int = 4) -> float | None:
    """Share of a text's n-grams that it holds twice, or that its own side has said before.

    Args:
        text: a reply.
        before: earlier turns of the same side.
        n: words of a gram.

    Returns:
        From 0 to 1; None of a text of fewer words.
    """
    own = grams(words(text), n)
    known = {gram for turn in before for gram in grams(words(turn), n)}
    again = 0
    for gram in own:
        again += gram in known
        known.add(gram)
    return again / len(own) if own else None


def copied(text: str, others: Sequence[str], n: int = 4) -> float | None:
    """Share of a text's n-grams that stand in the turns it answers.

    Args:
        text: a reply.
        others: turns of the other side.
        n: words of a gram.

    Returns:
        From 0 to 1; None of a text of fewer words.
    """
    own = grams(words(text), n)
    known = {gram for turn in others for gram in grams(words(turn), n)}
    return sum(gram in known for gram in own) / len(own) if own else None


def length_matched(ours: Sequence[int], theirs: Sequence[int], seed: int = 0) -> tuple[list[int], list[int]]:
    """Choose as many of both for every length, so that lengths tell nothing.

    Args:
        ours: lengths of one set of texts.
        theirs: of the other.
        seed: of the choice.

    Returns:
        Rows of either set, equally many, whose lengths are the same in every place.
    """
    random = Random(seed)  # noqa: S311 (no secret)
    chosen: tuple[list[int], list[int]] = ([], [])
    for length in sorted(set(ours) & set(theirs)):
        rows = [[row for row, one in enumerate(lengths) if one == length] for lengths in (ours, theirs)]
        least = min(map(len, rows))
        for kept, some in zip(chosen, rows, strict=True):
            kept.extend(sorted(random.sample(some, least)))
    return chosen
