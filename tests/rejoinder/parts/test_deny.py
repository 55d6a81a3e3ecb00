"""A deny list: what an operator writes, what a release holds, and what is then not said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rejoinder.answer.responder import Responder
from rejoinder.dialogue import Dialogue
from rejoinder.errors import FormatError, InputError, IntegrityError, ProbeError, SignatureError
from rejoinder.parts import DENY, REMARKS
from rejoinder.parts.deny import DENIED, DenyList, parse_deny_list, read_deny_list, write_deny_list
from rejoinder.parts.opened import open_release
from rejoinder.parts.themes import LAST_RESORT
from rejoinder.release.document import RELEASE
from rejoinder.release.manifest import read_manifest, write_manifest
from tests.bundles import build_whole, pin


def written(folder: Path, text: str) -> Path:
    """A file of an operator."""
    path = folder / "forbidden.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_texts_are_compared_as_they_are_looked_up(tmp_path: Path) -> None:
    denied = read_deny_list(written(tmp_path, "replies: ['  Give me   the MONEY. ']\nthemes: [weather]"))
    assert denied.denies("give me the money.", "replies")
    assert denied.denies("It rains.", "remarks/weather")
    assert not denied.denies("weather", "replies")
    assert parse_deny_list(denied.to_bytes(), "it") == denied


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("replies: [yes]", "replies, entry 1"),
        ("themes: weather", "themes: expected a list, got str"),
        ("phrases: [x]", "expected the keys replies and themes, got phrases"),
        ("- x", "got list"),
        ("replies: [", "expected YAML"),
        ("replies: ['secret words', 3, '  ']\nthemes: [7]", "themes, entry 1"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_error_that_tells_no_text(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(InputError, match=named) as caught:
        read_deny_list(written(tmp_path, text))
    assert "secret" not in str(caught.value)


def test_what_is_denied_is_not_said(tmp_path: Path) -> None:
    bundles = build_whole(tmp_path)
    dialogue = Dialogue.from_lines(["i feel lonely"])
    free = Responder(open_release(pin(bundles))).answer(dialogue)
    assert free.text is not None
    model = read_manifest(bundles["model"]).vectorizer_id
    write_deny_list(bundles[DENY.bundle], DenyList((free.text.lower(),), (LAST_RESORT,)), model)
    told = Responder(open_release(pin(bundles))).answer(dialogue)
    assert told.text != free.text
    dropped = [c for c in told.trace.candidates if c.dropped == "denied"]
    assert free.text in {candidate.text for candidate in dropped}
    assert f"{REMARKS.name}/{LAST_RESORT}" in {candidate.source for candidate in dropped}


def test_a_list_that_is_not_the_signed_one_is_refused(tmp_path: Path) -> None:
    bundles = build_whole(tmp_path)
    installed = pin(bundles)
    (bundles[DENY.bundle] / DENIED).write_bytes(DenyList().to_bytes())
    with pytest.raises(IntegrityError):
        open_release(installed)
    write_deny_list(bundles[DENY.bundle], DenyList(), installed.release.vectorizer_id)
    forged = replace(
        installed.release,
        bundles={**installed.release.bundles, DENY.bundle: read_manifest(bundles[DENY.bundle]).digest},
    )
    (installed.folder / RELEASE).write_bytes(forged.to_bytes())
    with pytest.raises((SignatureError, IntegrityError)):
        open_release(replace(installed, release=forged))


def test_a_bundle_that_is_no_deny_list_is_refused(tmp_path: Path) -> None:
    bundles = build_whole(tmp_path)
    model = read_manifest(bundles["model"]).vectorizer_id
    (bundles[DENY.bundle] / DENIED).write_text('{"format": 1}\n')
    write_manifest(bundles[DENY.bundle], DENY.bundle, model, {"replies": 0, "themes": 0})
    with pytest.raises(FormatError):
        open_release(pin(bundles))
    (bundles[DENY.bundle] / DENIED).write_bytes(DenyList(("a",)).to_bytes())
    write_manifest(bundles[DENY.bundle], DENY.bundle, model, {"replies": 2, "themes": 0})
    with pytest.raises(ProbeError, match="denied replies"):
        open_release(pin(bundles))
