"""Resume: a training that was killed goes on from its last checkpoint, as if nothing had happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint

from rejoinder.atomic import sync
from stages.training.loaders import BucketedBatches

_LAST, _PARTIAL = "last.ckpt", "last.partial"


class Resume(Checkpoint):  # type: ignore[misc]
    """Writes the last checkpoint, whole or not at all, and finds that of a run before."""

    def __init__(self, folder: Path, every: int) -> None:
        """Look for a checkpoint.

        Args:
            folder: of this training alone: of these parameters, this data and this code.
            every: steps between two checkpoints.
        """
        self.folder = folder
        self._every = every
        self._saved = self.steps
        self._is_over = False

    @property
    def last(self) -> Path | None:
        """The last checkpoint; null where there is none."""
        path = self.folder / _LAST
        return path if path.is_file() else None

    @property
    def steps(self) -> int:
        """Steps that were done when it was written."""
        if self.last is None:
            return 0
        return int(torch.load(self.last, weights_only=True, mmap=True)["global_step"])

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Write after a step; where it is validated as well, only after that."""
        step = trainer.global_step
        is_validated = step * trainer.accumulate_grad_batches % trainer.val_check_batch == 0
        if step % self._every == 0 and step > self._saved and not is_validated:
            self._write(trainer)

    def on_validation_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Write."""
        self._is_over = trainer.should_stop
        self._write(trainer)

    def on_train_start(self, trainer: pl.Trainer, *_: Any) -> None:
        """Make no more steps where the run before was told to stop."""
        trainer.should_stop = trainer.should_stop or self._is_over

    def state_dict(self) -> dict[str, Any]:
        """Whether training was told to stop."""
        return {"is_over": self._is_over}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what the run before was told."""
        self._is_over = state_dict["is_over"]

    def _write(self, trainer: pl.Trainer) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / _PARTIAL
        trainer.save_checkpoint(partial)
        sync(partial)
        partial.rename(self.folder / _LAST)
        sync(self.folder)
        self._saved = trainer.global_step


class Plan:
    """The batches of a whole training, of which those that were learnt are not read again.

    A `batch_sampler` for torch's DataLoader.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, batches: int, seed: int) -> None:
        """Draw all batches.

        Args:
            lengths: tokens of each row.
            batch_size: rows of a batch.
            batches: of the training.
            seed: of the orders.
        """
        passes = BucketedBatches(lengths, batch_size, seed)
        self._batches = list(islice((batch for _ in count() for batch in passes), batches))
        self.learnt = 0

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[list[int]]:
        yield from self._batches[self.learnt :]
