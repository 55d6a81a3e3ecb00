"""No changed form is passed over for another one, and the check that says so can fail."""

from pathlib import Path

import pytest

from faults.forms import CHANGES, forms_changed
from rejoinder.parts import PARTS


def test_every_changed_form_is_refused_on_every_engine(tmp_path: Path) -> None:
    outcome = forms_changed(tmp_path)
    assert outcome.tries == 4 * len(CHANGES)
    assert outcome.survived == outcome.tries, outcome.note


def test_the_check_sees_that_forms_are_not_probed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in PARTS:
        monkeypatch.setattr(f"{part.module}.probe", lambda *_: [])
    assert forms_changed(tmp_path).survived < 4 * len(CHANGES)


def test_the_check_sees_that_a_bad_form_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rejoinder.parts.vectorizer.open_chosen", lambda opening, found, load: load(found[0]))
    assert forms_changed(tmp_path).survived < 4 * len(CHANGES)
