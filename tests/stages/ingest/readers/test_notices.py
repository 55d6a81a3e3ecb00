"""The table of notices: every row is read, and none matches what a person would write."""

from __future__ import annotations

import pytest

from stages.ingest.readers.notices import TABLE, rows_of
from stages.ingest.readers.whatsapp_notices import whatsapp_event, whatsapp_notice

PLACES = {
    "messenger": ["deed", "line"],
    "whatsapp": ["text", "marked", "event", "edited", "attached", "inserted"],
}


def test_every_row_of_the_table_is_of_a_place_that_is_read_and_stands_there_once() -> None:
    rows = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    read = [row for app, places in PLACES.items() for where in places for row in rows_of(app, where)]
    assert len(read) == len(rows) == len(set(rows))


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("Rudi Hollender added Petra Nowak", {"Rudi Hollender", "Petra Nowak"}),
        ("Ann added Ben, Carl and Dora", {"Ann", "Ben", "Carl", "Dora"}),
        ("You removed Ben", {"Ben"}),
        ("Ann created group “Trip: 2024”", {"Ann"}),
        ("Ann changed the subject from “x” to “y”", {"Ann"}),
        ("Your security code with Ben changed. Tap to learn more.", {"Ben"}),
        ("Ann joined using this group's invite link", {"Ann"}),
        ("Ann hat Ben hinzugefügt", {"Ann", "Ben"}),
        ("You're no longer an admin", set()),
    ],
)
def test_a_report_tells_whom_it_names(line: str, names: set[str]) -> None:
    event = whatsapp_event(line)
    assert event is not None
    assert set(event.names) == names


@pytest.mark.parametrize(
    "text",
    [
        "i left my keys at work", "null pointer", "sticker omitted from the pack", "POLL: yes or no", "<3 <3",
        "this message was deleted, i swear", "missed voice call from you?", "Media omitted", "voice call later?",
        "live location shared with mum", "EVENT: party", "This message was deleted by mistake",
    ],
)  # fmt: skip
def test_typed_sentences_that_resemble_a_notice_are_none(text: str) -> None:
    assert whatsapp_notice(text) is None
