"""Recipe: what of a language model is trained, and in which steps."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from stages.training.params import TrainingParams


class Recipe(TrainingParams):
    """How a generator is trained."""

    method: Literal["lora", "full"]
    """Adapters on all linear layers, at about ten times the rate; or all weights."""
    rank: int = Field(ge=1)
    """Of the adapters."""
    frozen_layers: int = Field(ge=0)
    """Layers, from the bottom, that stay as they are; above 0 the embeddings stay as well."""
    accumulation: int = Field(ge=1)
    """Batches of a step."""
