"""Generator: a language model, tuned on this build's own dialogues -> the generator bundle, and what it says.

It learns the replies of people whose logs we have, not the turns that they answer, and of no source that lends
labels alone. A training that was killed goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from rejoinder.parts.sampling import Sampling
from stages.common.output import atomic_directory, write_json
from stages.common.params import StageParams
from stages.common.sources import ReaderName
from stages.generator.recipe import Recipe

if TYPE_CHECKING:
    import polars as pl

    from stages.generator.base import Base
    from stages.generator.windows import Window
    from stages.training.resume import Resume

_FITTED = 64  # windows that int4 is made to fit


class SamplingParams(StageParams):
    """How replies are drawn, where nobody asks for anything else (`rejoinder.parts.sampling`)."""

    n: int
    """Replies that are begun for one answer; 0 for none."""
    max_tokens: int
    """Tokens after which a reply is given up."""
    temperature: float
    """Logits are divided by it; 0 for the likeliest token always."""
    top_k: int
    """Most tokens that are drawn from; 0 for all."""
    top_p: float
    """Of these the likeliest that together have this probability."""
    repetition_penalty: float
    """What makes tokens unlikely that a reply holds already; 1 for nothing."""
    stop: list[str]
    """Texts that end a reply."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        Sampling.of(self.model_dump())
        return self


class Params(Recipe):
    """What the generator is made of, how it is trained, and when it is asked."""

    base: str
    """Untrained model: an installed package that carries one, or a folder; a GGUF file or Hugging Face's layout."""
    base_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None
    """SHA-256 of its weights, in hex; null where any will do. Of several files, that of their digests in order."""
    system: str | None
    """System message that opens every dialogue; null for none."""
    sources: list[ReaderName] = Field(min_length=1)
    """Sources whose replies it may learn to say."""
    window: int = Field(ge=16, le=8192)
    """Most tokens of a piece of dialogue to learn from, and of a context to answer; turns are left out whole."""
    learnt_share: float = Field(ge=0, lt=1)
    """Least share of a piece's tokens that are learnt: what is only read costs as much time as what is learnt."""
    users: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=2, max_length=2)]
    """People that must have used a word; and three words with a number or kin among them, or any eight."""
    save_every: int = Field(ge=1)
    """Steps between two checkpoints that a killed training goes on from."""
    judged: int = Field(ge=1)
    """Replies of the validation split, each of another conversation, that training is judged by."""
    forms: list[Literal["int4", "fp16", "fp32"]] = Field(min_length=1)
    """Forms of the graph: int4 for processors, fp16 for GPUs."""
    sampling: SamplingParams
    """How replies are drawn."""
    when: Literal["off", "always", "below"]
    """When it is asked: never, always, or where the best retrieved reply ranks below a threshold."""
    below: float
    """The threshold."""
    samples: int = Field(ge=1)
    """Replies that are drawn from the finished bundle for those who judge it."""


def training_rows(params: Params, source: Path) -> dict[str, pl.DataFrame]:
    """Read the pairs that may be learnt from, and those that training is judged by.

    Args:
        params: section `generator`.
        source: pairs.parquet of the stage `dialogues`.

    Returns:
        Pairs of the splits train and validation.
    """
    import polars as pl

    from stages.generator.windows import COLUMNS

    table = pl.scan_parquet(source).filter(pl.col("source").is_in(params.sources)).select(COLUMNS).collect()
    return {split: table.filter(pl.col("split") == split) for split in ("train", "validation")}


def training_windows(
    params: Params, base: Base, rows: dict[str, pl.DataFrame]
) -> tuple[list[Window], list[Window]]:
    """Make tokens of what is learnt from and of what training is judged by.

    Args:
        params: section `generator`.
        base: tells how.
        rows: pairs by split.

    Returns:
        Both.
    """
    from rejoinder.parts.prompt import Prompt
    from stages.generator.windows import judged_windows, learning_windows

    prompt = Prompt(base.tokenizer, base.template, params.window)
    most = params.batch_size * params.accumulation * params.max_steps
    return (
        learning_windows(rows["train"], prompt, most, params.seed, params.learnt_share),
        judged_windows(rows["validation"], prompt, params.judged, params.seed),
    )


def open_resume(params: Params, base: Base, source: Path, out: Path) -> Resume:
    """Find what a killed run of the same training left.

    Args:
        params: section `generator`.
        base: what training began with.
        source: what it learns from.
        out: output of the stage; the checkpoints lie beside it.

    Returns:
        Keeps checkpoints in a folder that is named by all that training follows from.
    """
    from rejoinder.release.canonical import digest_file
    from stages.training.resume import Resume

    code = [digest_file(path) for path in sorted(Path(__file__).parent.glob("*.py"))]
    made_of = [params.model_dump(mode="json"), base.facts, digest_file(source), code]
    name = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]
    return Resume(_checkpoints(out) / name, params.save_every)


def _checkpoints(out: Path) -> Path:
    return out.parent / "resume" / out.name


def bundle_facts(params: Params, base: Base) -> dict[str, Any]:
    """Facts of the manifest that the parameters and the base decide."""
    from dataclasses import asdict

    return {
        "template": {
            name: text if isinstance(text, str) else list(text) for name, text in asdict(base.template).items()
        },
        "window": params.window,
        "sampling": params.sampling.model_dump(),
        "when": params.when,
        "below": params.below,
        "base": base.facts,
    }


def write_judged(directory: Path, params: Params, source: Path) -> None:
    """Draw what the finished bundle says, for those who judge it."""
    from rejoinder.parts import GENERATOR
    from stages.generator.samples import draw_samples

    drawn = draw_samples(directory / GENERATOR.bundle, source, params.samples, params.seed, params.sources)
    drawn.write_parquet(directory / "samples.parquet")


def run(params: Params, *, dialogues: Path, export: Path, out: Path) -> None:
    """Train the generator and write its bundle.

    Args:
        params: section `generator`.
        dialogues: output of that stage.
        export: output of that stage; tells for which vectorizer the bundle is.
        out: directory to make: generator/ (the bundle), samples.parquet, curves, metrics.json.
    """
    import pytorch_lightning

    from rejoinder.parts import GENERATOR, VECTORIZER
    from rejoinder.release.manifest import read_manifest
    from stages.generator.base import open_base
    from stages.generator.bundle import write_bundle
    from stages.generator.learn import train_generator

    source = dialogues / "pairs.parquet"
    vectorizer_id = read_manifest(export / VECTORIZER.bundle).vectorizer_id
    pytorch_lightning.seed_everything(params.seed, workers=True, verbose=False)
    with atomic_directory(out) as directory, TemporaryDirectory() as work:
        base = open_base(params.base, params.base_sha256, params.system, Path(work))
        rows = training_rows(params, source)
        learning, judged = training_windows(params, base, rows)
        model, figures = train_generator(
            base.model, learning, judged, params, source=source, directory=directory,
            resume=open_resume(params, base, source, out),
        )  # fmt: skip
        write_bundle(
            directory / GENERATOR.bundle, model, base.tokenizer, bundle_facts(params, base), said=rows["train"],
            users=params.users, forms=params.forms, vectorizer_id=vectorizer_id,
            windows=[window.ids.tolist() for window in learning[:_FITTED]],
        )  # fmt: skip
        write_judged(directory, params, source)
        counts = {"windows": len(learning), "judged": len(judged)}
        counts |= {
            "tokens": sum(len(w.ids) for w in learning),
            "learnt": sum(int(w.learnt.sum()) for w in learning),
        }
        write_json(directory / "metrics.json", {"perplexity": figures, "learning": counts})
    shutil.rmtree(_checkpoints(out), ignore_errors=True)
