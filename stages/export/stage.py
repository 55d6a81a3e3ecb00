"""Export: teacher or student -> ONNX forms, measured -> model bundle: fp16, best CPU form, their VectorizerId."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from stages.common.output import atomic_directory, write_json, write_rows
from stages.common.params import StageParams

if TYPE_CHECKING:
    from rejoinder.parts.arrays import Vectors
    from rejoinder.release.vectorizer_spec import VectorizerSpec
    from stages.training.encoder import SentenceEncoder


_ALONE = 64  # texts encoded one by one


class Params(StageParams):
    """Which encoder is served, which forms are tried, and what one must keep to be chosen."""

    encoder: Literal["teacher", "student"]
    """Which encoder is served."""
    cpu_forms: list[Literal["fp32", "fp16", "int8", "weights8"]] = Field(min_length=1)
    """Forms measured for the CPU: fp32, fp16, int8 (dynamic), weights8 (8-bit weights)."""
    min_cosine: float = Field(gt=0, le=1)
    """The CPU form's vectors keep at least this cosine with torch's, on every sample text."""
    sample: int = Field(ge=100)
    """Validation replies on which forms are measured."""
    rounds: int = Field(ge=1)
    """Times each form is measured, in turn; the median counts."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One form on the sample.

    Attributes:
        form: its name.
        megabytes: file size.
        per_cpu_second: texts encoded per CPU-second, median of the rounds.
        mean_cosine: of its vectors with torch's.
        min_cosine: the worst of them.
        batch_distance: largest 1 - cos between a text's vector alone and among others. Dynamic int8 takes its
            ranges from the whole batch, so a phrase's vector would depend on what it was encoded with.
    """

    form: str
    megabytes: float
    per_cpu_second: float
    mean_cosine: float
    min_cosine: float
    batch_distance: float


def choose_form(measured: list[Measured], min_cosine: float) -> Measured:
    """The fastest form that keeps the cosine and gives a text one vector, whatever the batch.

    Args:
        measured: all forms.
        min_cosine: what it must keep.

    Returns:
        The form.

    Raises:
        DataError: if none does.
    """
    from rejoinder.parts.probes import STORED_TOLERANCE
    from stages.common.errors import DataError

    faithful = [m for m in measured if m.min_cosine >= min_cosine and m.batch_distance <= STORED_TOLERANCE]
    if not faithful:
        found = ", ".join(f"{m.form} {m.min_cosine:.5f}" for m in measured)
        raise DataError(f"no CPU form keeps export.min_cosine: expected {min_cosine}, got {found}; next: add fp32")
    return max(faithful, key=lambda m: m.per_cpu_second)


def measure(
    forms: dict[str, Path], spec: VectorizerSpec, texts: list[str], truth: Vectors, rounds: int
) -> list[Measured]:
    """Encode the sample with every form, round after round, so that all share the machine's weather.

    Args:
        forms: a directory for each form, laid out as a model bundle.
        spec: what the forms have in common.
        texts: the sample.
        truth: torch's vectors, float32 [n, dim].
        rounds: how often.

    Returns:
        One measurement a form.
    """
    from rejoinder.parts.arrays import cosines, worst_distance
    from rejoinder.parts.vectorizer import Vectorizer
    from rejoinder.release.forms import model_file

    opened = {form: Vectorizer(path, spec, "CPUExecutionProvider") for form, path in forms.items()}
    seconds: dict[str, list[float]] = {form: [] for form in forms}
    agreement = {}
    for _ in range(rounds):
        for form, vectorizer in opened.items():
            start = time.process_time()
            vectors = vectorizer.encode(texts)
            seconds[form].append(time.process_time() - start)
            agreement[form] = cosines(vectors, truth)
    few = texts[:_ALONE]
    distances = {
        form: worst_distance(np.concatenate([v.encode([text]) for text in few]), v.encode(few))
        for form, v in opened.items()
    }
    return [
        Measured(
            form,
            megabytes=(path / model_file("cpu")).stat().st_size / 1e6,
            per_cpu_second=len(texts) / float(np.median(seconds[form])),
            mean_cosine=float(agreement[form].mean()),
            min_cosine=float(agreement[form].min()),
            batch_distance=distances[form],
        )
        for form, path in forms.items()
    ]


def make_forms(encoder: SentenceEncoder, names: Sequence[str], work: Path) -> dict[str, Path]:
    """Export every form, each as `model.cpu.onnx` in a folder of its own beside the tokenizer.

    Args:
        encoder: in evaluation mode.
        names: forms wanted; fp32 and fp16 are always made.
        work: where to put the folders.

    Returns:
        Folder by form.
    """
    from rejoinder.release.forms import model_file
    from rejoinder.release.tokenizer_file import TOKENIZER
    from stages.export.onnx_forms import CONVERTERS, export_fp32

    folders = {name: work / name for name in dict.fromkeys(["fp32", "fp16", *names])}
    for name, folder in folders.items():
        folder.mkdir(parents=True)
        shutil.copyfile(encoder.tokenizer_file, folder / TOKENIZER)
        if name == "fp32":
            export_fp32(encoder, folder / model_file("cpu"))
        else:
            CONVERTERS[name](folders["fp32"] / model_file("cpu"), folder / model_file("cpu"))
    return folders


def describe(directory: Path, encoder: SentenceEncoder) -> VectorizerSpec:
    """Everything that decides the vectors of the model files in a directory."""
    from rejoinder.release.canonical import digest_file
    from rejoinder.release.forms import FORMS, model_file
    from rejoinder.release.tokenizer_file import TOKENIZER
    from rejoinder.release.vectorizer_spec import VectorizerSpec
    from rejoinder.text import NORMALIZATION_VERSION
    from stages.training.onnx_files import OPSET

    present = [form for form in FORMS.values() if (directory / model_file(form)).exists()]
    return VectorizerSpec(
        weights={form: digest_file(directory / model_file(form)) for form in present},
        tokenizer=digest_file(directory / TOKENIZER), normalization=NORMALIZATION_VERSION, pooling="mean",
        output="unit", dim=encoder.config.dim, dtype="float32", max_length=encoder.config.max_length, opset=OPSET,
    )  # fmt: skip


def build_bundle(bundle: Path, encoder: SentenceEncoder, cpu: Path, fp16: Path, names: Mapping[str, str]) -> None:
    """Lay out the model bundle, record its probes, write its manifest.

    Args:
        bundle: directory to make.
        encoder: what was exported.
        cpu: folder of the chosen CPU form.
        fp16: folder of the fp16 form.
        names: which encoder and which CPU form these are, for the manifest.
    """
    from rejoinder.parts import VECTORIZER
    from rejoinder.parts.arrays import worst_distance
    from rejoinder.parts.probes import TEXTS, write_probes
    from rejoinder.parts.vectorizer import Vectorizer
    from rejoinder.release.forms import model_file
    from rejoinder.release.manifest import write_manifest
    from rejoinder.release.tokenizer_file import TOKENIZER

    bundle.mkdir()
    shutil.copyfile(encoder.tokenizer_file, bundle / TOKENIZER)
    shutil.copyfile(cpu / model_file("cpu"), bundle / model_file("cpu"))
    shutil.copyfile(fp16 / model_file("cpu"), bundle / model_file("fp16"))
    spec = describe(bundle, encoder)
    chosen, half = (Vectorizer(folder, spec, "CPUExecutionProvider") for folder in (bundle, fp16))
    write_probes(bundle, chosen)
    # CUDA runs the fp16 form: it may be as far from the probes as that form is here, with room for other kernels.
    apart = worst_distance(chosen.encode(TEXTS), half.encode(TEXTS))
    facts = {
        VECTORIZER.name: asdict(spec),
        **names,
        "context_turns": encoder.config.context_turns,
        # The CPU runs the very form that made the probes.
        "tolerance": {"CPUExecutionProvider": 1e-6, "CUDAExecutionProvider": max(1e-5, 3 * apart)},
    }
    write_manifest(bundle, VECTORIZER.bundle, spec.id, facts)


def run(params: Params, *, dialogues: Path, vectorizer: Path, student: Path, out: Path) -> None:
    """Export an encoder.

    Args:
        params: section `export`.
        dialogues: output of the stage `dialogues`; its validation replies are the sample.
        vectorizer: output of the stage `vectorizer`.
        student: output of the stage `student`.
        out: directory to make: model/ (the bundle), forms.json, metrics.json.

    Raises:
        DataError: if no CPU form is faithful enough.
    """
    from rejoinder.parts import VECTORIZER
    from stages.evaluation.candidates import Candidates
    from stages.training.encoder import SentenceEncoder, encode

    folders = {"teacher": vectorizer / "teacher", "student": student / "student"}
    encoder = SentenceEncoder.load(folders[params.encoder])
    texts = Candidates.load(dialogues / "validation").pool["text"].to_list()[: params.sample]
    truth = encode(encoder, texts, fast=False)
    with atomic_directory(out) as directory:
        work = directory / "forms"
        forms = make_forms(encoder, params.cpu_forms, work)
        spec = describe(forms["fp32"], encoder)
        measured = measure(forms, spec, texts, truth, params.rounds)
        best = choose_form([m for m in measured if m.form in params.cpu_forms], params.min_cosine)
        names = {"encoder": params.encoder, "cpu_form": best.form}
        build_bundle(directory / VECTORIZER.bundle, encoder, forms[best.form], forms["fp16"], names)
        shutil.rmtree(work)
        write_rows(directory / "forms.json", [asdict(m) for m in measured])
        by_form = {m.form: {k: v for k, v in asdict(m).items() if k != "form"} for m in measured}
        write_json(directory / "metrics.json", {"cpu_form": best.form, "forms": by_form})
