"""Annotators in the words of the tests' tiny model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rejoinder.parts.annotators import MODEL, Annotators, facts_of, write_probes
from rejoinder.parts.probes import TEXTS
from rejoinder.parts.vectorizer import Vectorizer
from rejoinder.release.manifest import write_manifest
from stages.annotators.bundle import write_model
from stages.annotators.heads import Head


def build_annotators(directory: Path, vectorizer: Vectorizer) -> None:
    """Build annotators of two heads: one knows "rain" from "pizza", the other is a guess."""
    directory.mkdir()
    near = vectorizer.encode(["i miss rain", "you know pizza"]).T
    heads = {
        "mood": Head(20 * near, np.zeros(2, np.float32), {}),
        "kind": Head(np.zeros((vectorizer.dim, 3), np.float32), np.array([0, 1, 0], np.float32), {}),
    }
    facts = {
        "mood": {"labels": ["wet", "fed"], "is_weak": False},
        "kind": {"labels": ["a", "b", "c"], "is_weak": True},
    }
    write_model(directory / MODEL, heads, vectorizer.dim)
    write_probes(directory, Annotators(directory, facts, vectorizer.dim), vectorizer.encode(TEXTS))
    write_manifest(directory, "annotators", vectorizer.id, facts_of(facts))
