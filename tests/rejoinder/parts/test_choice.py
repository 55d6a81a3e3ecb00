"""Which form runs on this machine, and that no choice spares a proof."""

import json
import logging
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from rejoinder.errors import ConsistencyError, InputError, ProbeError, RejoinderError
from rejoinder.parts import choice, notes, vectorizer
from rejoinder.parts.choice import fastest
from rejoinder.parts.engines import open_engine
from rejoinder.parts.notes import drop_notes, note_path, read_note, read_notes
from rejoinder.parts.opened import OpenRelease, open_current, open_release, prove_the_rest
from rejoinder.release.forms import CPU, CUDA, MAX_TOLERANCE, OPENVINO, Execution, model_file
from rejoinder.release.manifest import read_manifest, write_manifest
from rejoinder.release.proof import Installed
from rejoinder.release.vectorizer_spec import VectorizerSpec
from rejoinder.store.store import Store
from tests.bundles import (
    EXECUTIONS,
    build_forms,
    build_whole,
    pin,
    put_in_store,
    reseal,
    reseal_forms,
    reseal_others,
    weights,
    write_onnx,
)

HERE = [execution for execution in EXECUTIONS if execution.provider != CUDA]


@pytest.fixture
def formed(tmp_path: Path) -> Installed:
    """A release whose model has two forms."""
    return pin(build_whole(tmp_path / "formed", model=build_forms))


@pytest.fixture
def store(tmp_path: Path, formed: Installed) -> Store:
    found = Store(tmp_path / "store")
    found.root.mkdir()
    put_in_store(found, formed)
    return found


def opened_by(opened: OpenRelease) -> Execution:
    opened.close()
    return opened.vectorizer.execution


def reforged(formed: Installed, executions: list[Execution] | None = None) -> Installed:
    """Seal a release again after its model was changed."""
    manifest = reseal_forms(formed.bundles["model"], executions or EXECUTIONS)
    reseal_others({kind: path for kind, path in formed.bundles.items() if kind != "model"}, manifest.vectorizer_id)
    return pin(formed.bundles)


def test_another_form_must_be_clearly_faster_than_the_first() -> None:
    first, second, third = HERE[:3]
    assert fastest({first: 100.0, second: 109.0}) == first
    assert fastest({first: 100.0, second: 111.0}) == second
    assert fastest({first: 100.0, second: 111.0, third: 300.0}) == third


def test_the_first_opening_measures_and_the_next_ones_know(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    found = opened_by(open_current(store))
    (note,) = read_notes(store.choices).values()
    assert note.execution == str(found)
    assert list(note.texts_per_second) == [str(execution) for execution in HERE]
    assert all(rate > 0 for rate in note.texts_per_second.values())
    assert note.skipped == (f"fp16 on {CUDA}",)
    monkeypatch.setattr(choice, "measure", lambda *_: pytest.fail("measured again"))
    assert opened_by(open_current(store)) == found


@pytest.mark.parametrize("content", ["", "{", "[]", '{"execution": "int8 on a machine of the future"}'])
def test_a_note_that_says_nothing_is_written_anew(store: Store, content: str) -> None:
    path = note_path(store.choices, store.current().release.bundles["model"])
    path.parent.mkdir()
    path.write_text(content)
    found = opened_by(open_current(store))
    assert json.loads(path.read_text())["execution"] == str(found)


def test_a_note_of_another_machine_is_none(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    open_current(store).close()
    monkeypatch.setattr(notes, "threads", lambda: 99)
    assert read_notes(store.choices) == {}
    open_current(store).close()
    assert len(list(store.choices.iterdir())) == 2


def test_what_is_noted_is_opened_and_proved_even_if_it_is_slow(store: Store, formed: Installed) -> None:
    open_current(store).close()
    (path,) = store.choices.iterdir()
    for execution in HERE:
        path.write_text(json.dumps({**json.loads(path.read_text()), "execution": str(execution)}))
        assert opened_by(open_current(store)) == execution


def test_a_store_that_cannot_be_written_is_measured_each_time(
    formed: Installed, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        open_release(replace(formed, choices=tmp_path / "file" / "choices")).close()
    assert "could not be noted: NotADirectoryError" in caplog.text


def test_without_a_place_for_notes_nothing_is_written(formed: Installed, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert opened_by(open_release(formed)) in HERE
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("provider", [CPU, OPENVINO])
def test_a_named_provider_runs_the_first_form_that_it_can(formed: Installed, provider: str) -> None:
    assert opened_by(open_release(formed, provider)) == next(e for e in HERE if e.provider == provider)


def test_an_engine_that_does_not_start_is_skipped_and_told(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(vectorizer, "open_engine", without(OPENVINO))
    with caplog.at_level(logging.WARNING):
        assert opened_by(open_current(store)).provider == CPU
    assert "int8 on openvino is not used: openvino: not to be had on this machine" in caplog.text
    (note,) = read_notes(store.choices).values()
    assert f"fp16 on {OPENVINO}" in note.skipped
    assert "not run here: fp16 on openvino, int8 on openvino" in str(note)


def without(*providers: str) -> Any:
    """Opens engines, but for some that do not start."""

    def opener(path: Path, provider: str) -> Any:
        if provider in providers:
            raise InputError(f"{provider}: not to be had on this machine (ImportError)")
        return open_engine(path, CPU if provider == CUDA else provider)

    return opener


def test_a_noted_engine_that_has_gone_is_replaced(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    open_current(store).close()
    (path,) = store.choices.iterdir()
    path.write_text(json.dumps({**json.loads(path.read_text()), "execution": f"int8 on {OPENVINO}"}))
    monkeypatch.setattr(vectorizer, "open_engine", without(OPENVINO))
    with caplog.at_level(logging.WARNING):
        assert opened_by(open_current(store)).provider == CPU
    assert f"int8 on {OPENVINO} is used no more" in caplog.text
    assert json.loads(path.read_text())["execution"].endswith(CPU)


@pytest.mark.parametrize("works", [True, False])
def test_a_gpu_serves_if_it_works_and_every_form_is_proved_beside_it(
    store: Store, monkeypatch: pytest.MonkeyPatch, works: bool
) -> None:
    monkeypatch.setattr(vectorizer, "available_providers", lambda: (CPU, CUDA, OPENVINO))
    monkeypatch.setattr(vectorizer, "open_engine", without(*([] if works else [CUDA])))
    assert (opened_by(open_current(store)).provider == CUDA) is works
    (note,) = read_notes(store.choices).values()
    assert len(note.texts_per_second) == len(HERE) + works


def test_no_engine_at_all_is_one_error(formed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path, provider: str) -> Any:
        raise InputError(f"{provider}: not to be had")

    monkeypatch.setattr(vectorizer, "open_engine", broken)
    with pytest.raises(InputError, match="not to be had"):
        open_release(formed)


@pytest.mark.parametrize("form", ["fp16", "int8"])
def test_a_form_of_another_model_is_refused_whichever_would_serve(formed: Installed, form: str) -> None:
    # Signed and consistent: probes alone can tell.
    model = formed.bundles["model"]
    reforged(formed)
    recorded = {path: path.read_bytes() for path in model.glob("probes.*")}
    write_onnx(model / model_file(form), weights(7))
    manifest = reseal_forms(model)
    for path, data in recorded.items():
        path.write_bytes(data)
    reseal(model)
    reseal_others({kind: path for kind, path in formed.bundles.items() if kind != "model"}, manifest.vectorizer_id)
    with pytest.raises(ProbeError) as caught:
        open_release(pin(formed.bundles))
    wrong = {p.where for p in caught.value.problems}
    assert wrong == {f"{form} on {provider}, probe vectors" for provider in (CPU, OPENVINO)}


def test_verify_proves_every_form_however_the_choice_fell(store: Store) -> None:
    opened = open_current(store)
    others, lacking = prove_the_rest(store.current(), opened)
    opened.close()
    assert {opened.vectorizer.execution, *others} == set(HERE)
    assert list(lacking.values()) == ["not on this machine"]


def test_verify_says_what_it_could_not_try(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_current(store)
    monkeypatch.setattr(vectorizer, "open_engine", without(OPENVINO))
    others, lacking = prove_the_rest(store.current(), opened)
    opened.close()
    assert all(execution.provider == CPU for execution in others)
    assert {str(e) for e in lacking} >= {f"int8 on {OPENVINO}"} - {str(opened.vectorizer.execution)}


def test_verify_refuses_rows_that_another_form_does_not_come_near(formed: Installed) -> None:
    strict = [replace(e, stored=1e-5) for e in EXECUTIONS]
    again = reforged(formed, strict)
    opened = open_release(again, CPU)
    with pytest.raises(ProbeError) as caught:
        prove_the_rest(again, opened)
    opened.close()
    wrong = {p.where for p in caught.value.problems}
    assert {"int8 on openvino, index turns", "int8 on openvino, cache vectors"} <= wrong
    assert not any("index vectors" in where for where in wrong)  # by way of the shipped turns: exact by any form


@pytest.mark.parametrize("wrong", [-1e-9, MAX_TOLERANCE * 1.01, "1e-6", None, 1])
@pytest.mark.parametrize("field", ["tolerance", "stored"])
def test_a_tolerance_is_a_small_number(formed: Installed, field: str, wrong: Any) -> None:
    executions = [*EXECUTIONS[:-1], replace(EXECUTIONS[-1], **{field: wrong})]
    with pytest.raises(RejoinderError, match="a tolerance for the provider of every form"):
        open_release(reforged(formed, executions))


def test_what_made_the_rows_comes_near_them(formed: Installed) -> None:
    executions = [replace(EXECUTIONS[0], stored=0.01), *EXECUTIONS[1:]]
    with pytest.raises(ConsistencyError, match="a first execution that made the rows"):
        open_release(reforged(formed, executions))


def test_a_form_outside_the_vectorizer_id_is_refused(formed: Installed) -> None:
    model = formed.bundles["model"]
    facts = read_manifest(model).facts
    weights_of = {"fp16": facts["vectorizer"]["weights"]["fp16"]}
    spec = VectorizerSpec(**{**facts["vectorizer"], "weights": weights_of})
    write_manifest(model, "model", spec.id, {**facts, "vectorizer": asdict(spec)})
    reseal_others({kind: path for kind, path in formed.bundles.items() if kind != "model"}, spec.id)
    with pytest.raises(ConsistencyError, match="executions of fp16 alone, got int8 on"):
        open_release(pin(formed.bundles))


@pytest.mark.parametrize("idle", ["no execution", "a strange one"])
def test_a_form_that_nothing_could_run_is_refused(formed: Installed, idle: str) -> None:
    kept = [execution for execution in EXECUTIONS if execution.form == "fp16"]
    strange = [replace(EXECUTIONS[2], provider="Openvino")] if idle == "a strange one" else []
    with pytest.raises(ConsistencyError, match="an execution of every form, got none of int8"):
        open_release(reforged(formed, [*kept, *strange]))


def test_executions_are_different_and_few(formed: Installed) -> None:
    twice = [*EXECUTIONS, replace(EXECUTIONS[1], tolerance=0.05)]
    with pytest.raises(ConsistencyError, match="1 to 16 different executions, got 6, 5 of them different"):
        open_release(reforged(formed, twice))
    many = [*EXECUTIONS, *(replace(EXECUTIONS[2], provider=f"engine-{n}") for n in range(12))]
    with pytest.raises(ConsistencyError, match="1 to 16 different executions, got 17, 17 of them"):
        open_release(reforged(formed, many))


@pytest.mark.parametrize("field", ["form", "provider", "probes"])
@pytest.mark.parametrize("wrong", [["x"], {"x": 1}, 5, None])
def test_names_of_executions_are_text(formed: Installed, field: str, wrong: Any) -> None:
    model = formed.bundles["model"]
    facts = read_manifest(model).facts
    executions = [*facts["executions"], {**facts["executions"][2], field: wrong}]
    reseal(model, executions=executions)
    with pytest.raises(RejoinderError, match="executions and tolerances, got TypeError"):
        open_release(pin(formed.bundles))


@pytest.mark.parametrize("harm", ["pipe", "folder", "link", "huge", "digits", "escape", "not text"])
def test_odd_things_among_the_notes_hinder_nothing(store: Store, tmp_path: Path, harm: str) -> None:
    open_current(store).close()
    (path,) = store.choices.iterdir()
    note = json.loads(path.read_text())
    path.unlink()
    if harm == "pipe":
        os.mkfifo(path)
    elif harm == "folder":
        path.mkdir()
    elif harm == "link":
        path.symlink_to(tmp_path / "elsewhere")
    elif harm == "huge":
        path.write_bytes(b" " * (1 << 20) + b"{}")
    elif harm == "digits":
        path.write_text(
            '{"execution": "a on b", "skipped": [], "texts_per_second": {"a on b": 1' + "0" * 400 + "}}"
        )
    elif harm == "escape":
        path.write_text(json.dumps({**note, "execution": "int8 \x1b]0;owned\x07 on openvino"}))
    else:
        path.write_bytes(b"\xff\xfe")
    assert read_note(path) is None
    assert opened_by(open_current(store)) in HERE
    drop_notes(store.choices, set())


def test_a_linked_folder_of_notes_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "important.json").write_text("{}")
    (tmp_path / "choices").symlink_to(tmp_path / "real")
    drop_notes(tmp_path / "choices", set())
    assert (tmp_path / "real" / "important.json").exists()


def test_a_form_or_probes_that_are_not_there_are_named(formed: Installed) -> None:
    lost = [*EXECUTIONS, replace(EXECUTIONS[-1], form="fp8", probes="probes.fp8.npy")]
    with pytest.raises(ConsistencyError) as caught:
        open_release(reforged(formed, lost))
    assert [str(p) for p in caught.value.problems] == [
        "model/model.fp8.onnx: expected a file of the bundle, got nothing",
        "model/probes.fp8.npy: expected a file of the bundle, got nothing",
    ]


def test_a_model_that_nobody_here_can_run_is_one_clear_error(formed: Installed) -> None:
    cuda = [replace(EXECUTIONS[-1], form=form) for form in ("fp16", "int8")]
    with pytest.raises(
        InputError, match=rf"expected a form for .*, got fp16 on {CUDA}, int8 on {CUDA}\. Next: install"
    ):
        open_release(reforged(formed, cuda))


def test_an_engine_of_the_future_is_none_of_ours(formed: Installed) -> None:
    more = [*EXECUTIONS, replace(EXECUTIONS[2], provider="an-engine-of-the-future")]
    assert opened_by(open_release(reforged(formed, more))) in HERE


def test_notes_go_with_their_models(store: Store, tmp_path: Path) -> None:
    open_current(store).close()
    model = store.current().release.bundles["model"]
    drop_notes(store.choices, {model})
    assert read_note(note_path(store.choices, model)) is not None
    drop_notes(store.choices, set())
    assert list(store.choices.iterdir()) == []
    drop_notes(tmp_path / "nowhere", set())
