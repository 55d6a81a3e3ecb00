"""WhatsApp: lines that go on, clocks of every form, dates of both orders, and what nobody typed told apart."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.common.messages import Message, Participant
from stages.ingest.readers import whatsapp
from stages.ingest.readers.whatsapp import Dates
from tests.fixtures import LOGS, fates

FILE = "whatsapp/chat.txt"


def read(text: str, dates: Dates = "auto") -> tuple[list[Any], list[Any], list[Any]]:
    return fates(whatsapp.parse_file(FILE, text, dates))


def times(text: str, dates: Dates = "auto") -> list[str]:
    return [f"{message.sent_at:%Y-%m-%d %H:%M:%S}" for message in read(text, dates)[0]]


def test_the_fixture_is_read_whole() -> None:
    messages, rejected, automated = fates(whatsapp.read(LOGS))
    assert rejected == []
    assert [(m.conversation_id, m.line, m.sender, m.text) for m in messages] == [
        ("WhatsApp Chat with Ben", 2, "Ann", "hi Ben"),
        ("WhatsApp Chat with Ben", 3, "Ben", "hello: what's up?"),
        ("WhatsApp Chat with Ben", 4, "Ann", "a list\n- apples\n\n- pears"),
        ("WhatsApp Chat with Ben", 9, "Ben", "look at this"),
        ("WhatsApp Chat with Ben", 12, "Ann", "happy new year's eve"),
        ("group/_chat", 3, "Mia", "who brings the rope?"),
        ("group/_chat", 5, "Ben", "me 💪\nand the shoes"),
        ("group/_chat", 8, "Mia", "אני כאן"),
    ]
    assert messages[0].sent_at == datetime(2023, 12, 30, 21, 14, tzinfo=UTC)
    assert messages[4].sent_at == datetime(2023, 12, 31, 0, 5, tzinfo=UTC)
    assert messages[5].sent_at == datetime(2023, 12, 31, 21, 15, tzinfo=UTC)
    assert Counter(item.kind for item in automated) == {
        "notice": 2, "media": 3, "call": 2, "unsent": 1, "group": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("head", "when"),
    [
        ("31/12/23, 21:14 - ", "2023-12-31 21:14:00"),
        ("12/31/23, 9:14 PM - ", "2023-12-31 21:14:00"),
        ("12/31/23, 9:14\u202fam - ", "2023-12-31 09:14:00"),
        ("31.12.2023, 21:14 - ", "2023-12-31 21:14:00"),
        ("31/12/2023, 12:14 a.m. - ", "2023-12-31 00:14:00"),
        ("31/12/2023, 12:14 p. m. - ", "2023-12-31 12:14:00"),
        ("2023-12-31, 21:14 - ", "2023-12-31 21:14:00"),
        ("[31/12/23, 21:14:05] ", "2023-12-31 21:14:05"),
        ("\u200e[12/31/23, 9:14:05\u202fPM] ", "2023-12-31 21:14:05"),
        ("[31.12.23, 21:14:05] ", "2023-12-31 21:14:05"),
        ("٣١/١٢/٢٠٢٣, ٢١:١٤ - ", "2023-12-31 21:14:00"),
    ],
)
def test_every_form_of_clock_is_read(head: str, when: str) -> None:
    assert times(f"{head}Ann: hi") == [when]


def test_one_day_above_twelve_decides_for_the_file() -> None:
    assert times("01/02/24, 10:00 - A: x\n13/02/24, 10:00 - A: y")[0].startswith("2024-02-01")
    assert times("01/02/24, 10:00 - A: x\n01/13/24, 10:00 - A: y")[0].startswith("2024-01-02")


def test_else_the_order_of_time_decides() -> None:
    # 1 February, 2 February, 1 March; the other way round March would come before February.
    assert times("01/02/24, 10:00 - A: x\n02/02/24, 10:00 - A: y\n01/03/24, 10:00 - A: z")[2].startswith(
        "2024-03-01"
    )
    assert times("02/01/24, 10:00 - A: x\n02/02/24, 10:00 - A: y\n03/01/24, 10:00 - A: z")[2].startswith(
        "2024-03-01"
    )


def test_a_chat_of_one_day_is_read_until_params_say_otherwise() -> None:
    text = "01/02/24, 10:00 - Zorblax: x\n01/02/24, 10:05 - Zorblax: y"
    assert times(text)[0].startswith("2024-02-01")
    assert times(text, "day_first")[0].startswith("2024-02-01")
    assert times(text, "month_first")[0].startswith("2024-01-02")
    assert times("03/03/24, 10:00 - A: the same either way") == ["2024-03-03 10:00:00"]


def test_a_pasted_line_of_the_other_order_is_text_of_the_message_before() -> None:
    day = "".join(f"{day}/02/24, 10:00 - A: x\n" for day in (13, 14, 15))
    messages, rejected, _ = read(f"{day}02/16/24, 10:00 - A: pasted\nwith more")
    assert rejected == []
    assert [message.text for message in messages] == ["x", "x", "x\n02/16/24, 10:00 - A: pasted\nwith more"]


@pytest.mark.parametrize(
    ("good", "head"),
    [
        ("13/02/24, 10:00", "31/02/24, 10:00"),
        ("13/02/24, 10:00", "13/02/24, 25:00"),
        ("13/02/24, 10:00", "13/02/24, 10:61"),
        ("13/02/24, 10:00 AM", "13/02/24, 13:00 PM"),
    ],
)
def test_moments_that_never_were_are_rejected(good: str, head: str) -> None:
    messages, rejected, _ = read(f"{good} - A: x\n{head} - A: y")
    assert (len(messages), [r.line for r in rejected]) == (1, [2])


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("Ann: <Media omitted>", "media"),
        ("Ann: \u200eimage omitted", "media"),
        ("Ann: \u200e<attached: 001-PHOTO.jpg>", "media"),
        ("Ann: IMG-1.jpg (file attached)", "media"),
        ("Ann: This message was deleted", "unsent"),
        ("Ann: \u200eMissed video call", "call"),
        ("Ann: \u200eAnn changed the group name", "group"),
        ("Ann joined using this group's invite link", "group"),
        ("Ann changed the subject to “a: b”", "group"),
        ("Messages and calls are end-to-end encrypted. Only people in this chat: you", "notice"),
        ("Missed voice call at 9:14 PM", "event"),
        ("Ann: <\u200eimage omitted>", "media"),
        ("Ann: \u200ereport.pdf • \u200e2 pages \u200edocument omitted", "media"),
        ("Ann: \u200eVoice call, \u200e4 min", "call"),
        ("Ann: location: https://maps.google.com/?q=51.5,-0.1", "location"),
        ("Ann: \u200eLocation: https://maps.google.com/?q=51.5,-0.1", "location"),
        ("Ann: POLL:\nShould we go?\nOPTION: yes (1 vote)", "poll"),
        ("Ann: Waiting for this message. This may take a while.", "notice"),
        ("Ann: \u200eYour security code with Ben changed. Tap to learn more.", "notice"),
        ('Ann created group "Trip: 2024"', "group"),
        ("Ann changed the group name from “a: b” to “c: d”", "group"),
        ("Ann: the image omitted the best part", None),
        ("Ann: image omitted", None),
        ("Ann: <3>", None),
        ("Ann: poll: should we go", None),
        ("Ann: POLL: who comes?", None),
        ("Ann: Location: my place at eight", None),
        ("Ann: video call, 8pm?", None),
        ("Ann: Video call", None),
        ("Ann: null", "media"),
        ("Ann: null and void", None),
        ("Ann: video note omitted", "media"),
        ("Ann: Petra Nowak.vcf (file attached)", "contact"),
        ("Ann: report.pdf (Datei angehängt)", "media"),
        ("Ann: IMG-20240113-WA0001.jpg (ملف مرفق)", "media"),
        ("Ann: \u200e<Anhang: 00000012-PHOTO-2024-01-02-10-01-00.jpg>", "media"),
        ("Ann: You received a view once photo. For added privacy, you can only open it on your phone.", "media"),
        ("Ann: You received a letter from school", None),
        ("Ann: Voice call. 3 min", "call"),
        ("Ann: Voice call. 3 men were singing", None),
        ("Ann: EVENT:\nBirthday\nDate: 1 May", "event"),
        ("Ann: EVENT: come all", None),
        ("Ann: <Medien ausgeschlossen>", "media"),
        ("Ann: Diese Nachricht wurde gelöscht", "unsent"),
        ("Ann: diese Nachricht wurde gelöscht, schade", None),
        ("Ann: <something new>", None),
        ("~ AK: ~ AK created this group", "group"),
        ("Ann: Ann changed this group's icon", "group"),
        ("Ann: Ann changed her mind", None),
        ("Ann: waiting for this message to arrive", None),
        ("Ann: messages and calls are end-to-end encrypted, they say", None),
        ("Ann: your security code with the bank changed", None),
        ("Ann: the map (file attached)", None),
        ("Ann: Ben changed the subject to “work”", None),
        ("Dad removed: hi", None),
        ("Ann left: come over", None),
        ("Who created group: me", None),
        ("Ann: I left", None),
        ("Ann: 1 < 2 and 3 > 2", None),
    ],
)
def test_reports_are_told_from_talk(body: str, kind: str | None) -> None:
    messages, _, automated = read(f"13/02/24, 10:00 - {body}")
    assert [item.kind for item in automated] == ([kind] if kind else [])
    assert len(messages) == (kind is None)


def test_a_sender_may_be_named_like_an_event() -> None:
    (message,), _, _ = read("13/02/24, 10:00 - Dad removed: hi")
    assert (message.sender, message.text) == ("Dad removed", "hi")


@pytest.mark.parametrize(
    "filler",
    ["\u200e", " ", "<attached: ", "Ann changed ", "A changed the subject to “", "” to “", "a: ", ":", "[1/1/24, "],
)
def test_no_text_takes_longer_than_its_length_asks_for(filler: str) -> None:
    filled = filler * (1_000_000 // len(filler))
    assert sum(map(len, read(f"13/02/24, 10:00 - Ann: {filled}x\n{filled}\n13/02/24, 10:00 - {filled}"))) == 2


def test_text_before_the_first_message_is_one_rejected_row() -> None:
    messages, rejected, _ = read("pasted\nlines\n13/02/24, 10:00 - A: x")
    assert (len(messages), [(r.line, r.row) for r in rejected]) == (1, [(1, "pasted\nlines")])


@pytest.mark.parametrize("text", ["", "\n\n", "shopping list\n- apples"])
def test_other_text_is_one_rejected_file(text: str) -> None:
    assert [(r.reason, r.row) for r in read(text)[1]] == [("file without a message of WhatsApp", "")]


def test_the_same_conversation_has_the_same_id_whatever_its_file_holds(tmp_path: Path) -> None:
    (tmp_path / "whatsapp").mkdir()
    (tmp_path / "whatsapp" / "a.b.txt").write_text("13/02/24, 10:00 - A: x", encoding="utf-8-sig")
    assert [m.conversation_id for m in whatsapp.read(tmp_path) if isinstance(m, Message)] == ["a.b"]


@given(st.text(max_size=200), st.sampled_from(["auto", "day_first", "month_first"]))
def test_any_text_is_read_without_a_crash(text: str, dates: Dates) -> None:
    assert sum(map(len, read(text, dates))) >= 1


_BODY = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=12)


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 70), _BODY), min_size=1, max_size=5)
)
def test_every_entry_is_one_item(rows: list[tuple[int, int, int, str]]) -> None:
    entries = [f"{a:02}/{b:02}/24, 10:{minute:02} - {body}" for a, b, minute, body in rows]
    text = "\n".join(entries)
    messages, rejected, automated = read(text, "day_first")
    found = sorted(item.line for item in [*messages, *rejected, *automated])
    lines = text.split("\n")
    assert found == [n for n, line in enumerate(lines, start=1) if re.match(r"\d\d/\d\d/24, 10:\d\d - ", line)]
    said = "".join([*(m.text for m in messages), *(r.row for r in rejected)])
    kept = {c for _, _, _, body in rows for c in body if c.isalpha()}
    assert automated or kept <= {*said, *"".join(m.sender for m in messages)}


def day(*lines: str) -> str:
    return "\n".join(f"13/01/2024, 10:{minute:02} - {line}" for minute, line in enumerate(lines))


def told(text: str, file: str = FILE) -> list[str]:
    return [item.name for item in whatsapp.parse_file(file, text) if isinstance(item, Participant)]


def test_a_caption_stays_when_its_file_goes() -> None:
    messages, _, automated = read(
        day(
            "Ann: <Media omitted>\nlook at this",
            "Ben: IMG-20240113-WA0001.jpg (file attached)\nthe dog",
            "Ann: \u200elook here \u200eimage omitted",
            "Ann: <Medien ausgeschlossen>\nund das",
            "Ann: \u200e<attached: 00000012-PHOTO-2024-01-13-10-01-00.jpg>\nhome",
        )
    )
    assert [message.text for message in messages] == ["look at this", "the dog", "look here", "und das", "home"]
    assert automated == []


@pytest.mark.parametrize(
    "edited", ["<This message was edited>", "\u200e<This message was edited>", "<Se editó este mensaje.>"]
)
def test_what_says_that_a_text_was_edited_is_no_part_of_it(edited: str) -> None:
    (message,), _, _ = read(day(f"Ann: two lines\nof words {edited}"))
    assert message.text == "two lines\nof words"


def test_placeholders_of_an_unknown_language_are_known_by_being_repeated() -> None:
    omitted, edited = "<Mitä tahansa puuttuu>", "<Viestiä muokattiin jo>"
    lines = [f"Ann: {omitted}", "Ben: nice", f"Ben: {omitted}", f"Ann: one {edited}", f"Ben: two {edited}"]
    messages, _, automated = read(day(*lines))
    assert [message.text for message in messages] == ["nice", "one", "two"]
    assert [item.kind for item in automated] == ["media", "media"]


@pytest.mark.parametrize("typed", ["<3", "<grin>", "1 < 2 and 3 > 2", "me <3 you", "<a href>text</a>"])
def test_typed_angles_stay_however_often_they_are_repeated(typed: str) -> None:
    assert [message.text for message in read(day(f"Ann: {typed}", f"Ben: {typed}"))[0]] == [typed, typed]


def test_a_mark_that_was_lost_in_copying_shows_in_what_is_repeated() -> None:
    messages, _, automated = read(day("Ann: image omitted", "Ben: who is that?", "Ann: image omitted"))
    assert ([message.text for message in messages], len(automated)) == (["who is that?"], 2)


def test_the_group_is_no_sender_of_what_is_reported_in_its_name() -> None:
    text = day(
        "Lunch Club: \u200eMessages and calls are end-to-end encrypted. No one outside of this chat can read them.",
        "Lunch Club: Rudi Hollender added you",
        "Lunch Club: \u200eRudi Hollender added Petra Nowak, Carl and +49 170 5550123",
        "Lunch Club: You're now an admin",
        "Rudi Hollender: where do we meet?",
    )
    messages, _, automated = read(text)
    assert ([message.sender for message in messages], len(automated)) == (["Rudi Hollender"], 4)
    assert told(text) == ["Carl", "Petra Nowak"]


def test_gossip_in_the_form_of_a_report_stays_with_who_tells_it() -> None:
    lines = [
        "Ann: Ben left",
        "Ben: Ann added salt to the soup",
        "Ann: what?",
        "Ben: You're now an admin",
        "Ben: ha",
    ]
    assert len(read(day(*lines))[0]) == len(lines)


def test_names_that_only_reports_and_contact_cards_tell_are_told() -> None:
    text = day(
        "Rudi Hollender added Petra Nowak", "Zoe left", "You added Max", "Ann: hi", "Ann: Uli Q.vcf (file attached)"
    )
    assert told(text) == ["Max", "Petra Nowak", "Rudi Hollender", "Uli Q", "Zoe"]


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("whatsapp/WhatsApp Chat with Wuya.txt", ["Wuya"]),
        ("whatsapp/Chat with Wuya (1).txt", ["Wuya"]),
        ("whatsapp/x/WhatsApp Chat - Wuya/_chat.txt", ["Wuya"]),
        ("whatsapp/WhatsApp-Chat mit Wuya.txt", ["Wuya"]),
        ("whatsapp/WhatsApp Chat with +44 7700 900123.txt", []),
        ("whatsapp/WhatsApp Chat with Ann.txt", []),
        ("whatsapp/notes.txt", []),
    ],
)
def test_the_file_of_a_chat_of_two_tells_whom_it_is_with(file: str, names: list[str]) -> None:
    assert told(day("Ann: hi", "Wuya Tanko: hello"), file) == names


def test_the_file_of_a_group_tells_no_person() -> None:
    file = "whatsapp/WhatsApp Chat with Lunch Club.txt"
    assert told(day("Ann: hi", "Ben: hello", "Carl: hey"), file) == []
    assert told(day("Ann turned off disappearing messages.", "Ann: hi"), file) == ["Lunch Club"]
    assert told(day("Ann created group “Lunch Club”", "Ann: hi"), file) == []


def test_a_typed_line_that_looks_like_an_event_is_text() -> None:
    first, last = "13/01/2024, 10:00 - Ann: it leaves on", "13/01/2024, 10:01 - Ben: yes"
    for typed in (
        "14/01/2024, 10:00 - as planned",
        "12/01/2024, 10:00 - as planned\nfine?",
        "13/01/2024, 10:01 - a\nb",
    ):
        messages, _, automated = read(f"{first}\n{typed}\n{last}")
        assert ([message.text for message in messages], automated) == ([f"it leaves on\n{typed}", "yes"], [])


@pytest.mark.parametrize("line", ["13/01/2024, 10:00 - Ann hat etwas getan", "14/01/2024, 10:00 - Ben left"])
def test_a_line_without_sender_is_an_event_if_its_time_fits_or_it_is_known(line: str) -> None:
    messages, _, automated = read(f"13/01/2024, 10:00 - Ann: hi\n{line}\n13/01/2024, 10:01 - Ben: yes")
    assert ([message.text for message in messages], [item.row for item in automated]) == (["hi", "yes"], [line])


def test_an_event_in_the_hour_that_autumn_repeats_is_no_text() -> None:
    lines = ["02:58 - Ann: hi", "02:01 - Ann hat etwas getan", "02:03 - Ben: yes"]
    messages, _, automated = read("\n".join(f"29/10/2023, {line}" for line in lines))
    assert ([message.text for message in messages], len(automated)) == (["hi", "yes"], 1)
