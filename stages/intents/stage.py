"""Intents: written intents + turns -> the router that finds them, or none -> the intents bundle.

data/intents/*.yaml -> checked, the character's slots filled -> phrases beside ordinary turns -> fitted
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from stages.common.output import atomic_directory, write_json
from stages.common.params import StageParams

if TYPE_CHECKING:
    from rejoinder.parts.guard import Guard
    from rejoinder.parts.vectorizer import Vectorizer
    from rejoinder.parts.written_intents import Written as Read
    from stages.classify.training_set import Fitted, Written
    from stages.common.turn_vectors import TurnVectors


class Params(StageParams):
    """Who answers, when, and how sure the router must be."""

    character: dict[str, str]
    """What each slot of a reply stands for."""
    time_zone: str
    """Where it is the day that promotions name: "UTC" or a name of the IANA database."""
    min_probability: float = Field(ge=0, le=1)
    """From here on an intent is answered."""
    most_phrases: int = Field(ge=4)
    """Phrases of an intent that are used, the first ones; fewer make a small build quick."""
    strength: float = Field(gt=0)
    """Inverse of the penalty on the router's squared weights."""
    ordinary: int = Field(ge=1)
    """Turns of the training split that are learnt as none, and of the validation split that are measured."""
    ordinary_weight: float = Field(gt=0)
    """What each of them weighs beside a phrase."""
    max_cosine: float = Field(ge=0, le=1)
    """An ordinary turn this near to a phrase may well have its intent: it is not learnt as none."""
    held_out: float = Field(gt=0, lt=1)
    """Share of the phrases that a first router does not see, to measure by; the one that ships sees all."""
    seed: int
    """Of the ordinary turns and of what is held out."""


def first_phrases(read: Read, most: int) -> Read:
    """Leave all but the first phrases of each intent out."""
    from dataclasses import replace

    return replace(read, intents=tuple(replace(i, phrases=i.phrases[:most]) for i in read.intents))


def fit_replies(read: Read, guard: Guard, vectorizer: Vectorizer) -> tuple[Read, list[str]]:
    """Leave out what the guard would not let pass.

    Args:
        read: the intents with their replies.
        guard: of the same build.
        vectorizer: the exported one.

    Returns:
        The intents with the other replies, and which were left out: "asks-name, reply 3".

    Raises:
        DataError: naming every intent that has none left.
    """
    from dataclasses import replace

    from rejoinder.text import normalize
    from stages.common.errors import DataError

    texts = [reply for intent in read.intents for reply in intent.replies]
    found = iter(guard.offensive(vectorizer.encode([normalize(text) for text in texts]), texts))
    unfit = [[next(found) for _ in intent.replies] for intent in read.intents]
    marked = list(zip(read.intents, unfit, strict=True))
    if empty := [intent.name for intent, bad in marked if all(bad)]:
        listed = ", ".join(empty)
        raise DataError(
            f"intents: expected replies that the guard lets pass, got none for {listed}; next: add some"
        )
    kept = [
        replace(intent, replies=tuple(text for text, is_bad in zip(intent.replies, bad, strict=True) if not is_bad))
        for intent, bad in marked
    ]
    left_out = [f"{i.name}, reply {n}" for i, bad in marked for n, is_bad in enumerate(bad, 1) if is_bad]
    return replace(read, intents=tuple(kept)), left_out


def overlaps(written: Written, fitted: Fitted) -> list[dict[str, Any]]:
    """Intents that are taken for others, by a router that had not seen the phrase.

    Args:
        written: the phrases.
        fitted: the router.

    Returns:
        `phrases_of`, `taken_for` and `count`, the most frequent first; at least two of each.
    """
    from collections import Counter

    best = fitted.unseen.argmax(axis=1)
    wrong = Counter(
        (written.labels[given], written.labels[found])
        for given, found in zip(written.numbers[fitted.rows].tolist(), best.tolist(), strict=True)
        if given != found
    )
    return [
        {"phrases_of": given, "taken_for": found, "count": count}
        for (given, found), count in wrong.most_common()
        if count > 1
    ]


def fit_router(
    params: Params, read: Read, vectorizer: Vectorizer, known: TurnVectors, pairs: Path
) -> tuple[Written, Fitted]:
    """Fit the router.

    Args:
        params: section `intents`.
        read: the intents, and turns that have none.
        vectorizer: the exported one.
        known: its vectors of all turns.
        pairs: pairs.parquet of the stage `dialogues`.

    Returns:
        Its phrases, before the turns that have no intent, and the classifier.
    """
    import numpy as np

    from rejoinder.parts.intents import labels_of, phrases_of
    from stages.classify.ordinary import SPLITS, far_turns, ordinary_turns
    from stages.classify.training_set import Recipe, Written, encoded, fit_written

    phrases, labels = phrases_of(read.intents), labels_of(read.intents)
    numbers = [labels.index(intent.name) for intent in read.intents for _ in intent.phrases]
    written = Written([*phrases, *read.none], np.array(numbers + [0] * len(read.none), np.int64), labels)
    learnt, judged = (ordinary_turns(pairs, split, params.ordinary, params.seed) for split in SPLITS)
    vectors = encoded(vectorizer, written)
    far = far_turns(learnt, known, vectors[: len(phrases)], params.max_cosine)
    recipe = Recipe(params.strength, params.held_out, params.seed, ordinary_weight=params.ordinary_weight)
    return written, fit_written(written, vectors, (far, judged), known, recipe)


def figures(written: Written, fitted: Fitted, least: float) -> dict[str, Any]:
    """What the router finds of phrases that it has not seen, at a threshold.

    Args:
        written: the phrases.
        fitted: the router.
        least: probability from which on an intent is answered.

    Returns:
        Shares `found` and `taken_for_another` of phrases, `none_accepted` of turns that have none,
        `ordinary_accepted` of the validation split's turns (some do ask for it); `overlaps`.
    """
    import numpy as np

    sure = fitted.unseen[:, 1:].max(axis=1) >= least
    numbers = written.numbers[fitted.rows]
    right, is_phrase = fitted.unseen.argmax(axis=1) == numbers, numbers > 0
    return {
        "found": float(np.mean((sure & right)[is_phrase])),
        "taken_for_another": float(np.mean((sure & ~right)[is_phrase])),
        "none_accepted": float(np.mean(sure[~is_phrase])) if not is_phrase.all() else 0.0,
        "ordinary_accepted": float(np.mean(fitted.ordinary[:, 1:].max(axis=1) >= least)),
        "overlaps": overlaps(written, fitted),
    }


def run(
    params: Params,
    *,
    intents: Path = Path("data/intents"),
    dialogues: Path,
    export: Path,
    turns: Path,
    guard: Path,
    out: Path,
) -> None:
    """Build the intents bundle.

    Args:
        params: section `intents`.
        intents: folder of intents.
        dialogues: output of the stage `dialogues`.
        export: output of the stage `export`.
        turns: output of the stage `turns`.
        guard: output of the stage `guard`.
        out: directory to make: intents/ (the bundle), metrics.json.
    """
    from rejoinder.parts import GUARD, INTENTS, VECTORIZER
    from rejoinder.parts.classifier import write_classifier
    from rejoinder.parts.guard import open_guard
    from rejoinder.parts.intents import ROUTER, phrases_of, time_zone, write_intents
    from rejoinder.parts.opened import open_model
    from rejoinder.parts.written_intents import intent_files, read_intents
    from rejoinder.release.canonical import digest_file
    from rejoinder.release.manifest import read_manifest, write_manifest
    from stages.common.turn_vectors import TurnVectors

    time_zone(params.time_zone)
    read = first_phrases(read_intents(intents, params.character), params.most_phrases)
    vectorizer, _ = open_model(export / VECTORIZER.bundle)
    watching = open_guard(guard / GUARD.bundle, read_manifest(guard / GUARD.bundle), vectorizer.dim)
    read, left_out = fit_replies(read, watching, vectorizer)
    known = TurnVectors(turns, vectorizer.id)
    written, fitted = fit_router(params, read, vectorizer, known, dialogues / "pairs.parquet")
    with atomic_directory(out) as directory:
        bundle = directory / INTENTS.bundle
        bundle.mkdir()
        write_classifier(bundle, ROUTER, fitted.weights)
        phrases = phrases_of(read.intents)
        write_intents(bundle, read.intents, fitted.classifier, fitted.vectors[: len(phrases)])
        files = {path.name: digest_file(path) for path in intent_files(intents)}
        facts = {"min_probability": params.min_probability, "time_zone": params.time_zone, "written_in": files}
        write_manifest(bundle, INTENTS.bundle, vectorizer.id, facts)
        told = {**figures(written, fitted, params.min_probability), "left_out": left_out}
        write_json(directory / "metrics.json", told)
