"""Forms: each form of a model changed, swapped or noised, and the release opened by that form, on each engine."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from faults.outcome import Outcome
from faults.sample import Tally, refused
from rejoinder.parts import VECTORIZER, Kind
from rejoinder.parts.engines import available_providers
from rejoinder.parts.notes import Note, note_path, write_note
from rejoinder.release.forms import CUDA, Execution, model_file
from rejoinder.release.proof import Installed
from tests.bundles import (
    EXECUTIONS,
    build_forms,
    build_whole,
    pin,
    reseal,
    reseal_forms,
    reseal_others,
    weights,
    write_onnx,
)

#: Changes one form of a model: its path, its probes' path, and another model's folder.
Change = Callable[[Path, Path, Path], None]


def forms_changed(root: Path, tries: int = 24) -> Outcome:
    """Change each form of a release, mostly with valid signatures, and have it chosen: refused, not passed over."""
    base = pin(build_whole(root / "base", model=build_forms))
    other = build_whole(root / "other", 1, model=build_forms)[VECTORIZER.bundle]
    tally = Tally()
    for number, (execution, what, change) in enumerate(_cases()):
        if number < tries:
            with tempfile.TemporaryDirectory(dir=root) as folder:
                mine = _copied(base, Path(folder))
                model = mine.bundles[VECTORIZER.bundle]
                change(model / model_file(execution.form), model / execution.probes, other)
                signed = _signed(mine) if what != "in its folder" else mine
                tally.add(*refused(_choosing(signed, execution, Path(folder)), f"{execution}, {what}"))
    note = tally.note("each on each engine")
    return Outcome("a form that was swapped or noised", tally.tries, tally.survived, note)


def _cases() -> Iterator[tuple[Execution, str, Change]]:
    here = [e for e in EXECUTIONS if e.provider in available_providers() and e.provider != CUDA]
    for what, change in CHANGES.items():
        for execution in here:
            yield execution, what, change


def _copied(base: Installed, folder: Path) -> Installed:
    bundles: dict[Kind, Path] = {k: Path(shutil.copytree(path, folder / k)) for k, path in base.bundles.items()}
    return Installed(base.release, base.folder, bundles)


def _signed(mine: Installed) -> Installed:
    """Make every manifest true to the changed files; the recorded probes stay as they are."""
    model = mine.bundles[VECTORIZER.bundle]
    recorded = {path: path.read_bytes() for path in model.glob("probes.*")}
    claimed = reseal_forms(model).vectorizer_id
    for path, data in recorded.items():
        path.write_bytes(data)
    reseal(model)
    reseal_others({kind: path for kind, path in mine.bundles.items() if kind != VECTORIZER.bundle}, claimed)
    return pin(mine.bundles)


def _choosing(installed: Installed, execution: Execution, folder: Path) -> Installed:
    """Have a release opened by one execution."""
    choices = folder / "choices"
    note = note_path(choices, installed.release.bundles[VECTORIZER.bundle])
    write_note(note, Note(str(execution), {}, ()))
    return Installed(installed.release, installed.folder, installed.bundles, choices)


def _of_another_model(form: Path, probes: Path, other: Path) -> None:
    del probes
    shutil.copyfile(other / form.name, form)


def _of_the_other_form(form: Path, probes: Path, other: Path) -> None:
    """Bytes of the same model, and even nearer to what bundles hold: only this form's own probes can tell."""
    del probes, other
    (sibling,) = (path for path in form.parent.glob("model.*.onnx") if path != form)
    shutil.copyfile(sibling, form)


def _noised(form: Path, probes: Path, other: Path) -> None:
    del probes, other
    table = _table(form)
    noise = np.random.default_rng(7).standard_normal(table.shape).astype(np.float32)
    write_onnx(form, table * (1 + 0.003 * noise))


def _not_normalised(form: Path, probes: Path, other: Path) -> None:
    del probes, other
    write_onnx(form, _table(form), normalise=False)


def _with_probes_of_another(form: Path, probes: Path, other: Path) -> None:
    del form
    shutil.copyfile(other / probes.name, probes)


def _table(form: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """The words' vectors of the tests' model."""
    from onnx import load, numpy_helper

    found = {tensor.name: tensor for tensor in load(str(form)).graph.initializer}
    table: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = numpy_helper.to_array(found["table"])
    assert table.shape == weights(0).shape
    return table


CHANGES: dict[str, Change] = {
    "in its folder": _of_another_model,
    "of another model, signed": _of_another_model,
    "of the other form, signed": _of_the_other_form,
    "weights off by three per mille, signed": _noised,
    "no normalisation of vectors, signed": _not_normalised,
    "probes of another model, signed": _with_probes_of_another,
}

FAULTS = (forms_changed,)
