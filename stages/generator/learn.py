"""Learning: adapters or all weights of a language model; loss on replies alone, logits only where it is."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

from rejoinder.parts import GENERATOR
from stages.common.errors import DataError, ParamsError
from stages.generator.windows import Window
from stages.training.lightning_module import TrainedModule
from stages.training.loop import train
from stages.training.precision import multiplies_bf16
from stages.training.resume import Plan, Resume

if TYPE_CHECKING:
    from stages.generator.recipe import Recipe

#: The linear layers of a block.
LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
#: Steps after which a model is a control: it has learnt the form, and little of what is said.
CONTROL = 5
MEASURE = "perplexity"
_TOGETHER = 8  # windows that are judged at once
_NOT_LEARNT = -100
Figures = dict[str, float]


def prepare(model: Any, params: Recipe) -> Any:
    """Choose what is trained of a model.

    Args:
        model: a Hugging Face model; changed in place.
        params: section `generator`.

    Returns:
        The model, with adapters if that is the method.

    Raises:
        ParamsError: if nothing of it is left to train.
    """
    most = len(model.model.layers)
    if params.frozen_layers >= most:
        raise ParamsError(f"generator.frozen_layers: expected fewer than {most}, got {params.frozen_layers}")
    layers = range(params.frozen_layers, most)
    if params.method == "full":
        model.requires_grad_(not params.frozen_layers)
        for part in (model.model.norm, *(model.model.layers[n] for n in layers)):
            part.requires_grad_(True)
        return model
    from peft import LoraConfig, get_peft_model

    adapters = LoraConfig(
        r=params.rank, lora_alpha=2 * params.rank, target_modules=list(LINEAR), layers_pattern="layers",
        layers_to_transform=list(layers),
    )  # fmt: skip
    with warnings.catch_warnings(action="ignore", category=FutureWarning):  # of what peft asks transformers
        return get_peft_model(model, adapters)


def losses(model: Any, batch: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Nats of every token that is learnt.

    Args:
        model: a Hugging Face model, perhaps in adapters.
        batch: as `collate` makes it.

    Returns:
        float [k], and bool [n, t - 1], where they are.
    """
    tokens, there, wanted = batch
    plain = model.get_base_model() if hasattr(model, "get_base_model") else model
    mask = None if bool(there.all()) else there
    states = plain.model(input_ids=tokens, attention_mask=mask, use_cache=False).last_hidden_state[:, :-1]
    wanted = wanted[:, 1:]
    is_learnt = wanted != _NOT_LEARNT
    found = cross_entropy(plain.lm_head(states[is_learnt]).float(), wanted[is_learnt], reduction="none")
    return found, is_learnt


def collate(windows: Sequence[Window]) -> tuple[Tensor, Tensor, Tensor]:
    """Join windows.

    Args:
        windows: n of them.

    Returns:
        int64 [n, t] tokens; int64 [n, t], 1 where there is one; int64 [n, t], those that are learnt.
    """
    shape = len(windows), max(len(window.ids) for window in windows)
    tokens, there, wanted = torch.zeros(shape).long(), torch.zeros(shape).long(), torch.full(shape, _NOT_LEARNT)
    for row, window in enumerate(windows):
        ids = torch.from_numpy(window.ids.astype(np.int64))
        tokens[row, : len(ids)], there[row, : len(ids)] = ids, 1
        wanted[row, : len(ids)][torch.from_numpy(window.learnt)] = ids[torch.from_numpy(window.learnt)]
    return tokens, there, wanted


@torch.inference_mode()
def measured(model: Any, windows: Sequence[Window]) -> Figures:
    """Perplexities of replies.

    Args:
        model: a Hugging Face model, perhaps in adapters.
        windows: of one reply each, whose last token ends it.

    Returns:
        `token` (of a token of the texts), `reply` (the same, each reply counting alike), `end` (of what ends a
        reply) and `all` (of all tokens).
    """
    was_training, device = model.training, next(model.parameters()).device
    model.eval()
    order = sorted(windows, key=lambda window: len(window.ids))
    nats = list[Tensor]()
    with torch.autocast(device.type, torch.bfloat16, enabled=multiplies_bf16(device)):
        for start in range(0, len(order), _TOGETHER):
            batch = collate(order[start : start + _TOGETHER])
            found, is_learnt = losses(model, tuple(part.to(device) for part in batch))  # type: ignore[arg-type]
            nats += torch.split(found.double().cpu(), is_learnt.sum(1).tolist())
    model.train(was_training)
    texts, ends = torch.cat([said[:-1] for said in nats]), torch.stack([said[-1] for said in nats])
    each = torch.stack([said[:-1].mean() for said in nats if len(said) > 1])
    parts = {"token": texts, "reply": each, "end": ends, "all": torch.cat(nats)}
    return {name: float(part.mean().exp()) for name, part in parts.items()}


class LanguageModule(TrainedModule):
    """Trains a language model; its checkpoints hold what is trained alone."""

    def __init__(self, model: Any, learning: Sequence[Window], judged: Sequence[Window], params: Recipe) -> None:
        """Put a model under training.

        Args:
            model: from `prepare`.
            learning: what it learns from.
            judged: what it is judged by.
            params: section `generator`.
        """
        pair_ids = [window.pair_id for window in learning]
        super().__init__(model, lambda m, batch: losses(m, batch)[0].mean(), params, self.judge, pair_ids)
        self.strict_loading = False
        self.judged = judged
        self.figures: dict[int, Figures] = {}

    def judge(self) -> float:
        """Measure it as it is; the perplexity of all tokens decides which weights are kept."""
        step = self.trainer.global_step if self._trainer else 0
        if step not in self.figures:
            self.figures[step] = measured(self.model, self.judged)
        return self.figures[step]["all"]

    def on_train_batch_end(self, *_: Any) -> None:
        """Judge the control."""
        if self.trainer.global_step == CONTROL:
            self.judge()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what is trained, the figures, and the place of the random numbers."""
        trained = {name for name, part in self.named_parameters() if part.requires_grad}
        checkpoint["state_dict"] = {n: part for n, part in checkpoint["state_dict"].items() if n in trained}
        checkpoint |= {"figures": self.figures, "random": torch.get_rng_state()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up figures and random numbers."""
        self.figures = checkpoint["figures"]
        torch.set_rng_state(checkpoint["random"])


def train_generator(
    model: Any,
    learning: Sequence[Window],
    judged: Sequence[Window],
    params: Recipe,
    *,
    source: Path,
    directory: Path,
    resume: Resume,
) -> tuple[Any, dict[str, Figures]]:
    """Train a generator.

    Args:
        model: a Hugging Face model; trained in place.
        learning: windows of the training split.
        judged: replies of the validation split.
        params: section `generator`.
        source: the file that they came from, recorded by digest.
        directory: receives the curves.
        resume: where a killed training left its last checkpoint.

    Returns:
        The model by the best validation, adapters merged, in evaluation mode; perplexities `untrained`, of the
        `control` after 5 steps (where there are so many), and `trained`.

    Raises:
        DataError: if there is too little to learn from, or nothing to be judged by.
    """
    for name, found, least in (("to learn from", learning, params.batch_size), ("to be judged by", judged, 1)):
        if len(found) < least:
            raise DataError(
                f"generator: expected at least {least} windows {name}, got {len(found)}. "
                "Next: add conversations of the sources in generator.sources, or lower batch_size or learnt_share"
            )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    module = LanguageModule(prepare(model.to(device), params), learning, judged, params)
    plan = Plan(
        [len(w.ids) for w in learning], params.batch_size, params.max_steps * params.accumulation, params.seed
    )
    plan.learnt = resume.steps * params.accumulation
    rows: Any = range(len(learning))
    loader = DataLoader(
        rows, batch_sampler=plan, collate_fn=lambda drawn: (drawn, collate([learning[n] for n in drawn]))
    )
    untrained = 0.0 if resume.last else module.judge()  # a checkpoint knows it
    train(
        module, loader, params, stage=GENERATOR.name, untrained=untrained, data={"pairs": source},
        directory=directory, measure=MEASURE, mode="min", accumulation=params.accumulation, resume=resume,
    )  # fmt: skip
    trained: Any = module.model.cpu().eval()
    if params.method == "lora":
        trained = trained.merge_and_unload()
    validated = [step for step in module.figures if step and step % params.validate_every == 0]
    best = min(validated, key=lambda step: module.figures[step]["all"])
    named = {"untrained": 0, "control": CONTROL, "trained": best}
    return trained.requires_grad_(False), {n: module.figures[at] for n, at in named.items() if at in module.figures}
