"""Names of accounts: whatever stands behind a site's name, unless it is a plain word."""

from __future__ import annotations

import pytest

from stages.anonymize.accounts import find
from stages.anonymize.lexicon import packaged


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("my insta is jo.doe", "jo.doe"),
        ("snap: jo_doe99!", "jo_doe99"),
        ("my discord name is Jodoexyz", "Jodoexyz"),
        ("ig - @jo.doe", "jo.doe"),
        ("add me on snapchat, it should be jo_doe", "jo_doe"),
        ("are you on telegram? mine is jodoexyz", "jodoexyz"),
        ("on steam i'm xxjodoexx", "xxjodoexx"),
    ],
)
def test_accounts(text: str, found: str) -> None:
    spans = list(find(text, packaged()))
    assert found in [text[s.start : s.end] for s in spans]
    assert {(s.type, s.rule) for s in spans} == {("HANDLE", "handle.cue")}


@pytest.mark.parametrize(
    "text",
    [
        "my snap is down",
        "twitter is the best",
        "discord: good",
        "I read it on reddit",
        "instagram",
        "jo_doe",
        "steam",
    ],
)
def test_plain_words_are_no_accounts(text: str) -> None:
    assert not list(find(text, packaged()))
