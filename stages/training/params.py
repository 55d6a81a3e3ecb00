"""The parameters that every training stage has."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from stages.common.params import StageParams


class TrainingParams(StageParams):
    """How long and how fast an encoder is trained."""

    batch_size: int = Field(ge=2)
    """Rows of a batch."""
    learning_rate: float = Field(gt=0, lt=1)
    """Peak of AdamW's rate."""
    warmup_steps: int = Field(ge=0)
    """Steps of linear warm-up; the rate then falls linearly to 0 at `max_steps`."""
    max_steps: int = Field(ge=1)
    """Optimizer steps."""
    validate_every: int = Field(ge=1)
    """Steps between validations; the best validated checkpoint is kept."""
    patience: int = Field(ge=1)
    """Validations without a better one before training ends."""
    seed: int
    """Of draws and batches."""

    @model_validator(mode="after")
    def _validates_at_least_once(self) -> Self:
        if self.validate_every > self.max_steps:
            raise ValueError("validate_every must not be above max_steps: no checkpoint would ever be kept")
        return self


class ContrastiveParams(TrainingParams):
    """How an encoder is trained on pairs, every other reply of a batch being a negative."""

    scale: float = Field(gt=0)
    """Inverse temperature of the softmax over similarities."""
