"""The one Lightning module: an encoder, a loss, and validation by R@1 on the fixed lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from stages.evaluation.candidates import Candidates
from stages.evaluation.retrieval import ranks, retrieval_scores, summarize
from stages.training.encoder import SentenceEncoder, encode
from stages.training.params import TrainingParams

METRIC = "validation_r_at_1"
Loss = Callable[[SentenceEncoder, Any], Tensor]


class EncoderModule(pl.LightningModule):  # type: ignore[misc]
    """Trains an encoder with any loss over any batches."""

    def __init__(
        self, encoder: SentenceEncoder, loss: Loss, params: TrainingParams, validation: Candidates
    ) -> None:
        """Put an encoder under training.

        Args:
            encoder: trained in place.
            loss: of the encoder and one batch.
            params: learning rate and schedule.
            validation: fixed lists; R@1 of the random one decides which checkpoint is kept.
        """
        super().__init__()
        self.encoder = encoder
        self._loss = loss
        self._params = params
        self._validation = validation

    def training_step(self, batch: Any, _index: int) -> Tensor:
        """One step."""
        loss = self._loss(self.encoder, batch)
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, _batch: Any, _index: int) -> None:
        """Score the whole validation list; the loader only calls this once."""
        self.log(METRIC, self.validation_r_at_1(), prog_bar=True, batch_size=1)

    def validation_r_at_1(self) -> float:
        """R@1 of the random validation lists."""
        scores = retrieval_scores(
            lambda texts: encode(self.encoder, texts, fast=True),
            self._validation,
            self.encoder.config.context_turns,
        )
        return summarize(ranks(scores, self._validation, "random"))["r_at_1"]

    def configure_optimizers(self) -> dict[str, Any]:
        """AdamW with linear warm-up and linear decay to 0."""
        trained = [p for p in self.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=self._params.learning_rate)
        warmup, last = self._params.warmup_steps, self._params.max_steps

        def rate(step: int) -> float:
            rising = (step + 1) / (warmup + 1)
            return min(rising, max(0.0, (last - step) / max(1, last - warmup)))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
