"""Guards and routers in the words of the tests' tiny model: lists that know a phrase, classifiers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from rejoinder.parts.care import Care, CareKind, Helplines, Offensive
from rejoinder.parts.classifier import Classifier, Weights, write_classifier
from rejoinder.parts.guard import OFFENSIVE, SENSITIVE, examples_of, write_guard
from rejoinder.parts.guard import labels_of as care_labels
from rejoinder.parts.intents import ROUTER, phrases_of, write_intents
from rejoinder.parts.intents import labels_of as intent_labels
from rejoinder.parts.ngrams import BUCKETS
from rejoinder.parts.vectorizer import Vectorizer
from rejoinder.parts.written_intents import TOO_LATE, Intent
from rejoinder.release.manifest import write_manifest

#: Care in the tests' few words: the lists know "want hello", the classifier whatever comes near "i miss rain".
CARE = Care(
    (
        CareKind(
            "harm",
            ("i miss rain", "they miss rain"),
            ("i know rain",),
            ("want hello",),
            ("want hello music",),
            ("We know. {helpline}", "You know. {helpline}"),
            ("They know home. {helpline}", "You like home."),
            ("You like home?", "They like home?"),
        ),
    ),
    (Helplines("en-US", date(2026, 11, 27), {"harm": "You want music."}),),
    Offensive(("you want rain",), ("we want rain",), ("pizza music",)),
)
INTENTS = (
    Intent(
        "name",
        ("you know music", "they know music", "i know music", "we know music"),
        ("I like pizza.", "We like."),
    ),
    Intent("feast", ("you love pizza",) * 4, ("You love home.",), date(2026, 12, 24), date(2026, 12, 26)),
    Intent(TOO_LATE, (), ("They want home.",)),
)


def near(examples: Sequence[Sequence[str]], vectorizer: Vectorizer, sharpness: float = 0.0) -> Weights:
    """Weights of a classifier that takes for a label what comes near its examples; at 0, nothing."""
    made = np.zeros((vectorizer.dim + BUCKETS + 1, 1 + len(examples)), np.float32)
    made[-1, 0] = 0.6 * sharpness or 30.0
    for column, texts in enumerate(examples, 1):
        made[: vectorizer.dim, column] = sharpness * vectorizer.encode(texts).mean(axis=0)
    return Weights(made.astype(np.float16))


def build_guard(
    directory: Path, vectorizer: Vectorizer, care: Care = CARE, *, sharpness: float = 0.0, **facts: Any
) -> None:
    """Build a guard; by default only its lists find anything."""
    directory.mkdir()
    weights = {
        SENSITIVE: near([kind.turns for kind in care.kinds], vectorizer, sharpness),
        OFFENSIVE: near([care.offensive.offensive], vectorizer, sharpness),
    }
    classifiers, vectors = {}, {}
    for name, made in weights.items():
        write_classifier(directory, name, made)
        classifiers[name] = Classifier(care_labels(care)[name], made)
        vectors[name] = vectorizer.encode(examples_of(care)[name])
    write_guard(directory, care, classifiers, vectors)
    given = {"locale": "en-US", "care_turns": 2, "min_sensitive": 0.5, "min_caution": 0.3, "min_offensive": 0.5}
    write_manifest(directory, "guard", vectorizer.id, {**given, **facts})


def build_intents(
    directory: Path,
    vectorizer: Vectorizer,
    intents: Sequence[Intent] = INTENTS,
    *,
    sharpness: float = 0.0,
    **facts: Any,
) -> None:
    """Build a router; by default it finds nothing."""
    directory.mkdir()
    weights = near([intent.phrases for intent in intents if intent.phrases], vectorizer, sharpness)
    write_classifier(directory, ROUTER, weights)
    classifier = Classifier(intent_labels(intents), weights)
    write_intents(directory, intents, classifier, vectorizer.encode(phrases_of(intents)))
    write_manifest(directory, "intents", vectorizer.id, {"min_probability": 0.5, "time_zone": "UTC", **facts})
