"""The stages of the DAG, in order; a file of its own, so that a new stage reruns none of the others."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

STAGES = (
    "ingest",
    "anonymize",
    "validate",
    "dialogues",
    "vectorizer",
    "student",
    "export",
    "turns",
    "base",
    "heads",
    "cache",
    "index",
    "remarks",
    "guard",
    "intents",
    "annotators",
    "ranker",
    "generator",
    "audit",
    "benchmark",
    "gate",
)


def stage_module(name: str) -> str:
    """Where a stage's `Params` and `run` stand."""
    return f"stages.{name}.stage"


def load_stage(name: str) -> ModuleType:
    """Import a stage."""
    return import_module(stage_module(name))
