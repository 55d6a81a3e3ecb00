"""The one Lightning module: a model, a loss, and a validation that decides which weights are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from stages.common.errors import DataError
from stages.evaluation.retrieval import ranks, retrieval_scores, summarize
from stages.training.encoder import SentenceEncoder, encode
from stages.training.params import TrainingParams

if TYPE_CHECKING:
    from stages.evaluation.candidates import Candidates

METRIC = "validation"
_NAMED = 5  # pairs of a batch that a message names
Model = TypeVar("Model", bound=nn.Module)


class TrainedModule(pl.LightningModule):  # type: ignore[misc]
    """Trains a model with any loss over any batches."""

    def __init__(
        self,
        model: Model,
        loss: Callable[[Model, Any], Tensor],
        params: TrainingParams,
        validate: Callable[[], float],
        pair_ids: Sequence[str],
    ) -> None:
        """Put a model under training.

        Args:
            model: trained in place.
            loss: of the model and one batch.
            params: learning rate and schedule.
            validate: measures the model as it is, higher is better; decides which checkpoint is kept.
            pair_ids: name each row that the loader may draw, for messages.
        """
        super().__init__()
        self.model = model
        self.validate = validate
        self._loss = loss
        self._params = params
        self._pair_ids = pair_ids

    def training_step(self, batch: Any, _index: int) -> Tensor:
        """Make one step; a loss that is no number is a DataError that names the rows."""
        rows, content = batch
        loss = self._loss(self.model, content)
        if not torch.isfinite(loss):
            named = ", ".join(self._pair_ids[row] for row in rows[:_NAMED])
            raise DataError(
                f"training: expected a finite loss, got {loss.item()} at step {self.global_step} over {len(rows)} "
                f"pairs ({named}, ...). Next: lower learning_rate, or look at these rows of pairs.parquet"
            )
        self.log("loss", loss, prog_bar=True, batch_size=len(rows))
        return loss

    def validation_step(self, _batch: Any, _index: int) -> None:
        """Validate; the loader only calls this once."""
        self.log(METRIC, self.validate(), prog_bar=True, batch_size=1)

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


def encoder_r_at_1(encoder: SentenceEncoder, candidates: Candidates) -> float:
    """R@1 of an encoder on fixed random lists, contexts as one text each."""
    scores = retrieval_scores(
        lambda texts: encode(encoder, texts, fast=True), candidates, encoder.config.context_turns
    )
    return summarize(ranks(scores, candidates, "random"))["r_at_1"]
