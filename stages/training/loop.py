"""What the training stages share: seeds, the trainer, its curves, and the MLflow run."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint
from pytorch_lightning.loggers import MLFlowLogger

from registry.mlflow.connection import connect, mlflow_errors
from registry.mlflow.uri import artifact_location, tracking_uri
from rejoinder.progress import progress
from rejoinder.release.canonical import digest_file
from stages.common.output import write_rows
from stages.training.lightning_module import METRIC, TrainedModule
from stages.training.params import TrainingParams
from stages.training.precision import training_precision
from stages.training.resume import Resume

EXPERIMENT = "rejoinder-training"


class Curve(Callback):  # type: ignore[misc]
    """Collects loss and validation metric by step, for `dvc plots`."""

    def __init__(self, measure: str) -> None:
        self._measure = measure
        self.loss: list[dict[str, float]] = []
        self.validation: list[dict[str, float]] = []
        self._recent: list[float] = []
        self._step = 0

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Note the mean loss of every ten steps: batches of short texts are harder, so single losses jump."""
        self._recent.append(float(trainer.callback_metrics["loss"]))
        if trainer.global_step % 10 == 0 and trainer.global_step > self._step:
            self.loss.append({"step": trainer.global_step, "loss": sum(self._recent) / len(self._recent)})
            self._recent.clear()
        self._step = trainer.global_step

    def state_dict(self) -> dict[str, Any]:
        """What a training that goes on must know."""
        return {"loss": self.loss, "validation": self.validation, "recent": self._recent, "step": self._step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with both curves."""
        self.loss, self.validation = state_dict["loss"], state_dict["validation"]
        self._recent, self._step = state_dict["recent"], state_dict["step"]

    def on_validation_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Note the validation metric."""
        self.note_validation(trainer.global_step, float(trainer.callback_metrics[METRIC]))

    def note_validation(self, step: int, value: float) -> None:
        """Add one point of the validation curve."""
        self.validation.append({"step": step, self._measure: value})


class Steps(Callback):  # type: ignore[misc]
    """Shows how many steps are done; validations are too short to be shown."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance = advance
        self._done = 0

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Count a step once its last batch is done."""
        self._advance(trainer.global_step - self._done)
        self._done = trainer.global_step


def train(
    module: TrainedModule,
    batches: Any,
    params: TrainingParams,
    *,
    stage: str,
    untrained: float,
    data: Mapping[str, Path],
    directory: Path,
    dropout: bool = False,
    measure: str = "r_at_1",
    mode: Literal["max", "min"] = "max",
    accumulation: int = 1,
    resume: Resume | None = None,
) -> None:
    """Train, keep the best checkpoint by validation, and load it back into the module.

    Args:
        module: logs `loss`, and `validation_r_at_1` when validated.
        batches: training DataLoader.
        params: seed, steps, validations and patience.
        stage: name of the MLflow run.
        untrained: validation before the first step, the curve's first point.
        data: files the module learns from, recorded by digest.
        directory: receives loss.json and validation.json, and the checkpoint while training.
        dropout: whether the model's dropout is on. Off for the encoders, on purpose: some hundred steps over mostly
            fresh pairs cannot overfit.
        measure: what validation measures.
        mode: whether more or less of it is better.
        accumulation: batches of a step.
        resume: keeps what a training that was killed goes on with; null where that begins anew.
    """
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    pl.seed_everything(params.seed, workers=True, verbose=False)
    curve = Curve(measure)
    curve.note_validation(0, untrained)
    kept = resume.folder if resume else directory
    best = ModelCheckpoint(dirpath=kept, filename="best", monitor=METRIC, mode=mode, save_weights_only=True)
    stop = EarlyStopping(METRIC, mode=mode, patience=params.patience)
    logger = _logger(stage, params, data)
    module.train(dropout)
    once: Any = [0]  # the module validates on lists of its own: the loader only says when
    with (
        warnings.catch_warnings(action="ignore"),  # advice on worker processes, which small batches do not need
        progress(f"{stage}: training", "step", params.max_steps) as advance,
    ):
        callbacks = [curve, best, stop, Steps(advance), *([resume] if resume else [])]
        trainer = _trainer(params, callbacks, logger, directory, accumulation)
        trainer.fit(module, batches, torch.utils.data.DataLoader(once), ckpt_path=resume.last if resume else None)
    learnt = torch.load(best.best_model_path, weights_only=True)["state_dict"]
    module.load_state_dict(learnt, strict=module.strict_loading)
    module.eval()
    if resume is None:
        Path(best.best_model_path).unlink()
    write_rows(directory / "loss.json", curve.loss)
    write_rows(directory / "validation.json", curve.validation)


def _trainer(
    params: TrainingParams, callbacks: list[Callback], logger: MLFlowLogger, directory: Path, accumulation: int
) -> pl.Trainer:
    return pl.Trainer(
        accelerator="auto", devices=1, precision=training_precision(), max_steps=params.max_steps, max_epochs=-1,
        val_check_interval=params.validate_every * accumulation, check_val_every_n_epoch=None,
        accumulate_grad_batches=accumulation, num_sanity_val_steps=0, callbacks=callbacks, logger=logger,
        log_every_n_steps=5, gradient_clip_val=1.0, enable_model_summary=False, enable_progress_bar=False,
        default_root_dir=directory, use_distributed_sampler=False,
    )  # fmt: skip


def _logger(stage: str, params: TrainingParams, data: Mapping[str, Path]) -> MLFlowLogger:
    import mlflow

    connect()  # sets MLflow up the way the registry does: quiet, no telemetry
    logger = MLFlowLogger(
        experiment_name=EXPERIMENT,
        tracking_uri=tracking_uri(),
        artifact_location=artifact_location(),
        run_name=stage,
    )
    inputs = []
    for name, path in data.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # two kinds of source take a path, and they are the same
            source = mlflow.data.dataset_source_registry.resolve_dataset_source(str(path))
        dataset = mlflow.data.meta_dataset.MetaDataset(source, name=name, digest=digest_file(path)[7:43])
        inputs.append(mlflow.entities.DatasetInput(dataset=dataset._to_mlflow_entity(), tags=[]))
    with mlflow_errors("record a training run"), _unpinned():
        logger.log_hyperparams(params.model_dump())
        logger.experiment.log_inputs(logger.run_id, inputs)
    return logger


@contextmanager
def _unpinned() -> Iterator[None]:
    """Undo that Lightning pins this process, and what it starts, to the address of its run."""
    import mlflow

    before = os.environ.get("MLFLOW_TRACKING_URI")
    try:
        yield
    finally:
        mlflow.set_tracking_uri(None)  # removes the variable, too
        if before is not None:
            os.environ["MLFLOW_TRACKING_URI"] = before
