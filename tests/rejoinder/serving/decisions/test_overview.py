"""What is in each file of a log."""

from __future__ import annotations

from pathlib import Path

from rejoinder.serving.decisions.overview import overview
from tests.rejoinder.serving.decisions.samples import answer, confirm, feedback, opened, reaction, write


def test_records_are_counted_by_kind_and_it_is_told_where_texts_are(tmp_path: Path) -> None:
    write(tmp_path, answer(), answer("c2"), reaction(), feedback(), {"v": 9})
    write(tmp_path, answer("c3", with_text=True), worker=1, with_text=True)
    with opened(tmp_path, worker=2) as log:
        confirm(log)
        files, counts = overview(tmp_path)
    rows = [(f.worker, f.answers, f.reactions, f.feedback, f.rejected, f.texts, f.is_held) for f in files]
    assert rows == [
        (0, 2, 1, 1, 1, False, False),
        (1, 1, 0, 0, 0, True, False),
        (2, 0, 1, 0, 0, False, True),
    ]
    assert counts.records == 6
    assert all(file.size > 0 for file in files)
