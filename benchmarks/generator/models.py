"""Models: the torch models that are measured, trained anew by the build's recipe where no folder is named.

Training repeats with its seed but for the order of sums on several threads, so what is trained here is the
bundle's model but for rounding. The control after five steps is of the very same run.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.generator.setting import Setting
from rejoinder.parts import GENERATOR
from rejoinder.release.canonical import digest_file
from rejoinder.release.tokenizer_file import TOKENIZER

if TYPE_CHECKING:
    from rejoinder.parts.prompt import Prompt
    from stages.generator.base import Base
    from stages.generator.stage import Params
    from stages.generator.windows import Window

    Change = Callable[[list[Window], Prompt], list[Window]]

_TRACKING = "MLFLOW_TRACKING_URI"
_NEVER = 1 << 40  # steps between checkpoints: a run of minutes begins anew


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a build makes its generator.

    Attributes:
        params: section `generator`.
        pairs: pairs.parquet of the stage `dialogues`.
    """

    params: Params
    pairs: Path

    def train(self, folder: Path, change: Change | None = None, control: Path | None = None) -> tuple[Prompt, str]:
        """Train, and save the model, merged.

        Args:
            folder: for the model.
            change: to the windows that are learnt from; by default none.
            control: for the same after five steps; by default it is not kept.

        Returns:
            How dialogues are read to it, and what was learnt, in words.
        """
        import pytorch_lightning

        from rejoinder.parts.prompt import Prompt
        from stages.generator.learn import train_generator
        from stages.generator.stage import training_rows, training_windows

        pytorch_lightning.seed_everything(self.params.seed, workers=True, verbose=False)  # as the stage does
        with TemporaryDirectory() as work, _apart(Path(work)):
            base = self.base(Path(work))
            learning, judged = training_windows(self.params, base, training_rows(self.params, self.pairs))
            folder.mkdir(parents=True)
            shutil.copyfile(base.tokenizer, folder / TOKENIZER)
            prompt = Prompt(folder / TOKENIZER, base.template, self.params.window)
            learning = learning if change is None else change(learning, prompt)
            keeper: Any = _keeper(Path(work) / "resume")
            model, figures = train_generator(
                base.model, learning, judged, self.params, source=self.pairs, directory=Path(work), resume=keeper
            )
            model.save_pretrained(folder)
            if control is not None:
                self._save_control(keeper.kept, control)
        tokens = sum(len(window.ids) for window in learning)
        passes = self.params.batch_size * self.params.accumulation * self.params.max_steps / len(learning)
        perplexity = figures["trained"]["token"]
        told = f"{len(learning):,} windows of {tokens:,} tokens, each read {passes:.2g} times"
        return prompt, f"{told}; perplexity of validation replies {perplexity:.1f}."

    def base(self, work: Path) -> Base:
        """Open the untrained model.

        Args:
            work: receives its tokenizer.

        Returns:
            The model.
        """
        from stages.generator.base import open_base

        return open_base(self.params.base, self.params.base_sha256, self.params.system, work)

    def _save_control(self, kept: dict[str, Any], folder: Path) -> None:
        """Put what was trained by then into the untrained model, merged."""
        from stages.generator.learn import prepare

        with TemporaryDirectory() as work:
            model = prepare(self.base(Path(work)).model, self.params)
        if strange := model.load_state_dict(kept, strict=False).unexpected_keys:
            raise RuntimeError(f"expected weights of the model's own, got {len(strange)} others")
        model = model.merge_and_unload() if self.params.method == "lora" else model
        model.save_pretrained(folder)

    def save_base(self, folder: Path) -> None:
        """Save the untrained model in Hugging Face's layout, its chat template with it."""
        from transformers import AutoTokenizer

        from stages.generator.base import find_base

        found = find_base(self.params.base)
        gguf = [path.name for path in found.glob("*.gguf")]
        with TemporaryDirectory() as work:
            self.base(Path(work)).model.save_pretrained(folder)
        AutoTokenizer.from_pretrained(found, **({"gguf_file": gguf[0]} if gguf else {})).save_pretrained(folder)


def _keeper(folder: Path) -> Any:
    """A checkpoint keeper that also remembers what was trained after five steps."""
    from stages.generator.learn import CONTROL
    from stages.training.resume import Resume

    class Keeper(Resume):
        """Remembers the control."""

        def __init__(self) -> None:
            super().__init__(folder, _NEVER)
            self.kept: dict[str, Any] = {}

        def on_train_batch_end(self, trainer: Any, *rest: Any) -> None:
            """Remember it once."""
            super().on_train_batch_end(trainer, *rest)
            if trainer.global_step == CONTROL and not self.kept:
                trained = trainer.lightning_module.model.named_parameters()
                self.kept = {name: part.detach().cpu().clone() for name, part in trained if part.requires_grad}

    return Keeper()


@contextmanager
def _apart(folder: Path) -> Iterator[None]:
    """Record runs in a database that is thrown away: what is only measured is no run of the product's."""
    before = os.environ.get(_TRACKING)
    os.environ[_TRACKING] = f"sqlite:///{folder}/mlflow.db"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_TRACKING]
        else:
            os.environ[_TRACKING] = before


def recipe_of(setting: Setting) -> Recipe:
    """The recipe of a build; in a hurry, of six steps."""
    from stages.common.params import load_params
    from stages.generator.stage import Params

    params = load_params(setting.params, GENERATOR.name, Params)
    if setting.is_quick:
        few = {"max_steps": 6, "validate_every": 6, "judged": 4, "accumulation": 1}
        params = params.model_copy(update=few)
    return Recipe(params, setting.pairs)


def with_models(setting: Setting) -> Setting:
    """Name the folders that options have not.

    Args:
        setting: perhaps without some of its models.

    Returns:
        With all of them; those that lack are made, or taken from a run before.
    """
    if setting.base and setting.tuned and setting.five:
        return setting
    recipe = recipe_of(setting)
    made_of = [recipe.params.model_dump(mode="json"), digest_file(setting.pairs)]
    key = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:12]
    folder = setting.folder / "models" / key
    names = {name: folder / name for name in ("base", "tuned", "five")}
    if not setting.base and not names["base"].exists():
        recipe.save_base(names["base"])
    if not (setting.tuned and setting.five) and not (folder / "done").exists():
        for name in ("tuned", "five"):
            shutil.rmtree(names[name], ignore_errors=True)
        recipe.train(names["tuned"], control=names["five"])
        (folder / "done").touch()
    return replace(
        setting,
        base=setting.base or names["base"],
        tuned=setting.tuned or names["tuned"],
        five=setting.five or names["five"],
    )
