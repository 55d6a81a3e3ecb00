"""Export: teacher or student -> ONNX forms, measured -> model bundle: forms, probes of each, their VectorizerId.

The first form makes all vectors that bundles hold; which one serves, a machine finds out for itself.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from stages.common.output import atomic_directory, write_json, write_rows
from stages.common.params import StageParams

if TYPE_CHECKING:
    from rejoinder.release.forms import Execution
    from rejoinder.release.vectorizer_spec import VectorizerSpec
    from stages.export.measure import Measured
    from stages.training.encoder import SentenceEncoder

Form = Literal["fp16", "int8", "fp32"]


class Params(StageParams):
    """Which encoder is served, in which forms, and what they must keep."""

    SHARED = ("encoder",)
    encoder: Literal["teacher", "student"]
    """Which encoder is served."""
    forms: list[Form] = Field(min_length=1)
    """Forms shipped: fp16 or fp32 first, which makes all stored vectors; int8 for processors made for it."""
    calibration: int = Field(ge=16)
    """Training turns, of all lengths, that the scales of int8 are set by."""
    min_cosine: float = Field(gt=0, le=1)
    """A floating-point form's vectors keep at least this cosine with torch's, on every sample text."""
    sample: int = Field(ge=100)
    """Validation replies on which forms are measured."""
    rounds: int = Field(ge=1)
    """Times each form is measured, in turn; the median counts."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.forms)) != len(self.forms) or self.forms[0] == "int8":
            raise ValueError("forms: expected different ones, fp16 or fp32 first")
        return self


def make_forms(
    encoder: SentenceEncoder, forms: Sequence[Form], directory: Path, texts: Sequence[str], calibration: int
) -> None:
    """Write tokenizer and forms.

    Args:
        encoder: in evaluation mode.
        forms: which.
        directory: an existing directory.
        texts: that int8 may be calibrated with.
        calibration: how many of them are.
    """
    import tempfile

    from rejoinder.release.forms import model_file
    from rejoinder.release.tokenizer_file import TOKENIZER
    from stages.export.int8 import spread, to_int8
    from stages.export.onnx_forms import export_fp32, to_fp16

    shutil.copyfile(encoder.tokenizer_file, directory / TOKENIZER)
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / model_file("fp32")
        export_fp32(encoder, source)
        for form in forms:
            target = directory / model_file(form)
            if form == "fp16":
                to_fp16(source, target)
            elif form == "int8":
                ids = spread(texts, encoder.tokenizer_file, encoder.config.max_length, calibration)
                to_int8(source, target, ids)
            else:
                shutil.copyfile(source, target)


def describe(directory: Path, encoder: SentenceEncoder, forms: Sequence[str]) -> VectorizerSpec:
    """Everything that decides the vectors of the model files in a directory."""
    from rejoinder.release.canonical import digest_file
    from rejoinder.release.forms import model_file
    from rejoinder.release.tokenizer_file import TOKENIZER
    from rejoinder.release.vectorizer_spec import VectorizerSpec
    from rejoinder.text import NORMALIZATION_VERSION
    from stages.training.onnx_files import OPSET

    return VectorizerSpec(
        weights={form: digest_file(directory / model_file(form)) for form in forms},
        tokenizer=digest_file(directory / TOKENIZER), normalization=NORMALIZATION_VERSION, pooling="mean",
        output="unit", dim=encoder.config.dim, dtype="float32", max_length=encoder.config.max_length, opset=OPSET,
    )  # fmt: skip


def check_forms(measured: Sequence[Measured], min_cosine: float) -> None:
    """Refuse forms that are not what they are shipped as.

    Args:
        measured: every form on every engine.
        min_cosine: what one in floating point must keep.

    Raises:
        DataError: names every one that is unfaithful, or gives a text other vectors in other company.
    """
    from rejoinder.release.forms import ROUNDING
    from stages.common.errors import DataError

    problems = [
        f"{m.form} on {m.provider}: smallest cosine {m.min_cosine:.5f}"
        for m in measured
        if m.form != "int8" and not m.min_cosine >= min_cosine
    ] + [
        f"{m.form} on {m.provider}: a text's vector moves by {m.batch_distance:.2g} with what is encoded beside it"
        for m in measured
        if not m.batch_distance <= ROUNDING
    ]
    if problems:
        raise DataError(
            f"export: expected cosines of at least {min_cosine} and vectors that depend on their text alone, got "
            f"{'; '.join(problems)}. Next: name other forms in export.forms"
        )


def seal(
    directory: Path, spec: VectorizerSpec, executions: Sequence[Execution], context_turns: int, encoder: str
) -> None:
    """Record the probes of every execution, and write the manifest.

    Args:
        directory: the bundle: forms and tokenizer.
        spec: of the forms.
        executions: what the bundle says of itself.
        context_turns: turns that the encoder was trained to read as one text.
        encoder: which encoder these are, for the manifest.

    Raises:
        DataError: if a form's vectors are too far from the first one's to be proved by them.
    """
    from rejoinder.parts import VECTORIZER
    from rejoinder.parts.engines import available_providers
    from rejoinder.parts.probes import write_probes
    from rejoinder.parts.vectorizer import Vectorizer
    from rejoinder.release.forms import CUDA, MAX_TOLERANCE
    from rejoinder.release.manifest import write_manifest
    from stages.common.errors import DataError

    if far := [f"{e} {e.stored:.3f}" for e in executions if e.stored > MAX_TOLERANCE]:
        raise DataError(
            f"export: expected tolerances of at most {MAX_TOLERANCE}, got {', '.join(far)}. "
            "Next: raise export.calibration, or leave that form out of export.forms"
        )
    for execution in executions:
        if execution.provider in available_providers() and execution.provider != CUDA:
            write_probes(directory, Vectorizer(directory, spec, execution))
    facts = {
        VECTORIZER.name: asdict(spec),
        "encoder": encoder,
        "context_turns": context_turns,
        "executions": [asdict(execution) for execution in executions],
    }
    write_manifest(directory, VECTORIZER.bundle, spec.id, facts)


def run(params: Params, *, dialogues: Path, vectorizer: Path, student: Path, out: Path) -> None:
    """Export an encoder.

    Args:
        params: section `export`.
        dialogues: output of the stage `dialogues`; its validation replies are the sample.
        vectorizer: output of the stage `vectorizer`.
        student: output of the stage `student`.
        out: directory to make: model/ (the bundle), forms.json, metrics.json.

    Raises:
        DataError: if a form is not faithful enough.
    """
    import polars as pl

    from rejoinder.parts import VECTORIZER
    from rejoinder.parts.probes import TEXTS
    from stages.evaluation.candidates import Candidates
    from stages.export.measure import executions, try_out
    from stages.training.encoder import SentenceEncoder, encode

    folders = {"teacher": vectorizer / "teacher", "student": student / "student"}
    encoder = SentenceEncoder.load(folders[params.encoder])
    pairs = pl.read_parquet(dialogues / "pairs.parquet", columns=["split", "reply"])
    training = pairs.filter(split="train")["reply"].unique().sort().to_list()
    texts = [*TEXTS, *Candidates.load(dialogues / "validation").pool["text"].to_list()[: params.sample]]
    with atomic_directory(out) as directory:
        bundle = directory / VECTORIZER.bundle
        bundle.mkdir()
        make_forms(encoder, params.forms, bundle, training, params.calibration)
        spec = describe(bundle, encoder, params.forms)
        trials = try_out(bundle, spec, texts, encode(encoder, texts, fast=False), params.rounds)
        measured = [trial.measured for trial in trials.values()]
        check_forms(measured, params.min_cosine)
        seal(bundle, spec, executions(trials), encoder.config.context_turns, params.encoder)
        write_rows(directory / "forms.json", [asdict(m) for m in measured])
        write_json(directory / "metrics.json", {str(e): asdict(t.measured) for e, t in trials.items()})
