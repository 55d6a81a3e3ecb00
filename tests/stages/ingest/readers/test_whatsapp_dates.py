"""WhatsApp's dates: any phone's form is read back, whatever comes first in it; only the file's own form counts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stages.common.messages import Message, Participant
from stages.ingest.readers import whatsapp
from stages.ingest.readers.whatsapp import Dates
from stages.ingest.readers.whatsapp_dates import header_of
from tests.fixtures import fates

FILE = "whatsapp/chat.txt"

Write = Callable[[datetime], str]


def read(text: str, dates: Dates = "auto") -> list[Message]:
    return fates(whatsapp.parse_file(FILE, text, dates))[0]


def days(text: str, dates: Dates = "auto") -> list[str]:
    return [f"{message.sent_at:%Y-%m-%d}" for message in read(text, dates)]


def half(when: datetime, morning: str, afternoon: str) -> str:
    return morning if when.hour < 12 else afternoon


def hour(when: datetime) -> int:
    return when.hour % 12 or 12


def arabic(text: str) -> str:
    return text.translate({ord("0") + n: chr(0x660 + n) for n in range(10)})


#: How phones of some countries write a moment, up to the minute.
PHONES: dict[str, Write] = {
    "US": lambda t: f"{t.month}/{t.day}/{t:%y}, {hour(t)}:{t:%M}\u202f{half(t, 'AM', 'PM')} - ",
    "US, iPhone": lambda t: f"[{t.month}/{t.day}/{t:%y}, {hour(t)}:{t:%M:%S}\u202f{half(t, 'AM', 'PM')}] ",
    "US, 24 hours": lambda t: f"{t.month}/{t.day}/{t:%y}, {t:%H:%M} - ",
    "US, zeros": lambda t: f"{t:%m/%d/%Y, %H:%M} - ",
    "UK": lambda t: f"{t:%d/%m/%Y, %H:%M} - ",
    "UK, iPhone": lambda t: f"[{t:%d/%m/%Y, %H:%M:%S}] ",
    "UK, old iPhone": lambda t: f"{t:%d/%m/%Y, %H:%M:%S}: ",
    "India": lambda t: f"{t:%d/%m/%y}, {hour(t)}:{t:%M} {half(t, 'am', 'pm')} - ",
    "India, capitals": lambda t: f"{t:%d/%m/%y}, {hour(t):02}:{t:%M} {half(t, 'AM', 'PM')} - ",
    "Australia": lambda t: f"{t.day}/{t.month}/{t:%y}, {hour(t)}:{t:%M} {half(t, 'am', 'pm')} - ",
    "Mexico": lambda t: f"{t.day}/{t.month}/{t:%y}, {hour(t)}:{t:%M} {half(t, 'a. m.', 'p. m.')} - ",
    "Germany": lambda t: f"{t:%d.%m.%y, %H:%M} - ",
    "Germany, iPhone": lambda t: f"[{t:%d.%m.%y, %H:%M:%S}] ",
    "Denmark": lambda t: f"{t:%d.%m.%Y %H.%M} - ",
    "Netherlands": lambda t: f"{t:%d-%m-%Y %H:%M} - ",
    "Netherlands, iPhone": lambda t: f"[{t:%d-%m-%Y, %H:%M:%S}] ",
    "Indonesia": lambda t: f"{t:%d/%m/%y %H.%M} - ",
    "France": lambda t: f"{t:%d/%m/%Y à %H:%M} - ",
    "Canada, French": lambda t: f"{t:%Y-%m-%d %H h %M} - ",
    "Canada": lambda t: f"{t:%Y-%m-%d}, {hour(t)}:{t:%M}\u202f{half(t, 'a.m.', 'p.m.')} - ",
    "Sweden": lambda t: f"{t:%Y-%m-%d %H:%M} - ",
    "Finland": lambda t: f"{t.day}.{t.month}.{t.year} klo {t.hour}.{t:%M} - ",
    "Finland, iPhone": lambda t: f"[{t.day}.{t.month}.{t.year} klo {t.hour}.{t:%M.%S}] ",
    "Czechia": lambda t: f"{t.day}. {t.month}. {t.year}, {t.hour}:{t:%M} - ",
    "Hungary": lambda t: f"{t:%Y. %m. %d. %H:%M} - ",
    "Bulgaria": lambda t: f"{t.day}.{t:%m.%y} г., {t:%H:%M} ч. - ",
    "Greece": lambda t: f"{t.day}/{t.month}/{t:%y}, {hour(t)}:{t:%M} {half(t, 'π.μ.', 'μ.μ.')} - ",
    "Turkey": lambda t: f"{t:%d.%m.%Y} {half(t, 'ÖÖ', 'ÖS')} {hour(t)}:{t:%M} - ",
    "Egypt": lambda t: arabic(
        f"\u200f{t.day}\u200f/{t.month}\u200f/{t.year}، {hour(t)}:{t:%M} {half(t, 'ص', 'م')} - "
    ),
    "Korea": lambda t: f"{t.year}. {t.month}. {t.day}. {half(t, '오전', '오후')} {hour(t)}:{t:%M}, ",
    "Korea, short": lambda t: f"{t:%y}. {t.month}. {t.day}. {half(t, '오전', '오후')} {hour(t)}:{t:%M} - ",
    "China": lambda t: f"{t.year}/{t.month}/{t.day} {half(t, '上午', '下午')}{hour(t)}:{t:%M} - ",
    "China, iPhone": lambda t: f"[{t.year}/{t.month}/{t.day} {half(t, '凌晨', '下午')}{hour(t)}:{t:%M:%S}] ",
    "Japan": lambda t: f"{t:%Y/%m/%d %H:%M} - ",
    "Japan, halves": lambda t: f"{t:%Y/%m/%d} {half(t, '午前', '午後')}{t.hour % 12}:{t:%M} - ",
    "Japan, words": lambda t: f"{t.year}年{t.month}月{t.day}日 {t:%H:%M} - ",
    "Thailand": lambda t: f"{t.day}/{t.month}/{t.year + 543} {t:%H:%M} - ",
    "Thailand, short": lambda t: f"{t.day}/{t.month}/{(t.year + 543) % 100} {t:%H:%M} - ",
    "Taiwan": lambda t: f"{t.year - 1911}/{t.month}/{t.day} {half(t, '上午', '下午')}{hour(t)}:{t:%M} - ",
}


def chat(times: list[datetime], write: Write) -> str:
    return "\n".join(f"{write(time)}{'AB'[n % 2]}: line {n}" for n, time in enumerate(times))


_START = st.datetimes(datetime(2010, 1, 1), datetime(2041, 1, 1)).map(
    lambda start: start.replace(second=0, microsecond=0, tzinfo=UTC)
)
#: Minutes from one message to the next, up to three days.
_PAUSES = st.lists(st.integers(0, 3 * 24 * 60), min_size=1, max_size=12)


@pytest.mark.parametrize("phone", PHONES)
@settings(max_examples=25)
@given(start=_START, pauses=_PAUSES)
def test_a_chat_of_two_days_reads_back_to_its_moments(phone: str, start: datetime, pauses: list[int]) -> None:
    assume(phone != "Taiwan" or start.year > 2010)  # before, its years have two digits, as ours
    times = [start, start + timedelta(days=1)]
    for pause in pauses:
        times.append(times[-1] + timedelta(minutes=pause))
    assert [message.sent_at for message in read(chat(times, PHONES[phone]))] == times


@pytest.mark.parametrize("phone", PHONES)
def test_a_chat_over_midnight_is_read(phone: str) -> None:
    times = [datetime(2023, 5, 3, 23, 59, tzinfo=UTC), datetime(2023, 5, 4, 0, 1, tzinfo=UTC)]
    assert [message.sent_at for message in read(chat(times, PHONES[phone]))] == times


@pytest.mark.parametrize("phone", sorted(PHONES.keys() - {"US, 24 hours", "US, zeros", "India, capitals"}))
def test_a_chat_of_one_day_is_read_as_phones_of_its_form_write(phone: str) -> None:
    times = [datetime(2023, 5, 3, 9, tzinfo=UTC), datetime(2023, 5, 3, 9, 5, tzinfo=UTC)]
    assert [message.sent_at for message in read(chat(times, PHONES[phone]))] == times


@pytest.mark.parametrize("pasted", PHONES)
@pytest.mark.parametrize("phone", ["US", "UK, iPhone", "Germany", "Korea"])
def test_a_pasted_line_of_another_form_is_text(phone: str, pasted: str) -> None:
    times = [datetime(2023, 5, day, 9, tzinfo=UTC) for day in (3, 4)]
    first, second = chat(times, PHONES[phone]).split("\n")
    line = f"{PHONES[pasted](datetime(2022, 2, 28, 8, tzinfo=UTC))}Carl: pasted"
    if header_of(line).form == header_of(first).form:  # type: ignore[union-attr]
        return
    messages = read("\n".join([first, line, second]))
    assert [message.text for message in messages] == [f"line 0\n{line}", "line 1"]
    assert [message.sent_at for message in messages] == times


def test_a_pasted_line_of_another_order_decides_nothing_and_its_sender_is_told() -> None:
    text = (
        "5/3/23, 9:00 AM - Ann: hi\n5/4/23, 9:00 AM - Ben: he wrote\n28/2/23, 9:00 AM - Carl: nothing\n"
        "5/5/23, 9:00 AM - Ann: good\n6/1/23, 9:00 AM - Ann: so"
    )
    assert days(text) == ["2023-05-03", "2023-05-04", "2023-05-05", "2023-06-01"]
    assert read(text)[1].text == "he wrote\n28/2/23, 9:00 AM - Carl: nothing"
    assert Participant("chat", "Carl") in list(whatsapp.parse_file(FILE, text))


def test_a_file_of_two_exports_is_refused_rather_than_read_as_one_long_message() -> None:
    times = [datetime(2023, 5, 3, 9, tzinfo=UTC) + timedelta(hours=n) for n in range(30)]
    text = f"{chat(times, PHONES['UK'])}\n{chat(times, PHONES['US'])}"
    messages, (rejected,), _ = fates(whatsapp.parse_file(FILE, text))
    assert (messages, rejected.reason) == (
        [], "file with dates of two forms or orders: split it, or export the chat again",
    )  # fmt: skip


def test_numbers_above_twelve_count_for_more_than_what_is_usual() -> None:
    assert days("01/02/24, 10:00 - A: x\n01/13/24, 10:00 - A: y") == ["2024-01-02", "2024-01-13"]
    assert days("1/2/24, 10:00 AM - A: x\n13/2/24, 10:00 AM - A: y") == ["2024-02-01", "2024-02-13"]


def test_the_name_of_an_attached_file_tells_the_order() -> None:
    assert days("01/02/24, 10:00 - A: x\n01/02/24, 10:01 - A: IMG-20240102-WA0001.jpg (file attached)") == [
        "2024-01-02"
    ]
    apple = "[01/02/24, 10:01:00] A: \u200e<attached: 00000012-PHOTO-2024-01-02-10-01-00.jpg>"
    assert days(f"[01/02/24, 10:00:00] A: x\n{apple}") == ["2024-01-02"]


def test_a_buddhist_year_is_ours_less_543_and_other_calendars_are_refused() -> None:
    assert days("29/2/2567 10:00 - A: x\n1/3/2567 10:00 - A: y") == ["2024-02-29", "2024-03-01"]
    _, rejected, _ = fates(whatsapp.parse_file(FILE, "1403/8/10 10:00 - A: x"))
    assert [r.reason for r in rejected] == ["date: no such moment"]


def folder(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / "whatsapp" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".txt").write_text(text)
    return root


def days_of(logs: Path, dates: Dates | dict[str, Dates] = "auto") -> dict[str, str]:
    messages = (item for item in whatsapp.read(logs, dates) if isinstance(item, Message))
    return {message.conversation_id: f"{message.sent_at:%Y-%m-%d}" for message in messages}


def test_files_of_the_same_form_in_the_folder_tell_what_a_file_does_not(tmp_path: Path) -> None:
    telling = "03/28/23, 10:00 - A: x\n04/02/23, 10:00 - B: y"
    folder(tmp_path, us__a="05/06/23, 10:00 - A: x", us__b=telling, uk__a="[05/06/23, 10:00:00] A: x")
    assert days_of(tmp_path) == {"us/a": "2023-05-06", "us/b": "2023-04-02", "uk/a": "2023-06-05"}


def test_folders_that_an_iphone_makes_of_chats_are_of_one_phone(tmp_path: Path) -> None:
    telling = "[03/28/23, 10:00:00] A: x\n[04/02/23, 10:00:00] B: y"
    folder(tmp_path, one___chat="[05/06/23, 10:00:00] A: x", two___chat=telling)
    assert days_of(tmp_path)["one/_chat"] == "2023-05-06"


def test_what_is_read_by_form_alone_is_said_without_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder(
        tmp_path, Zorblax="05/06/23, 10:00 - A: x", clear="[13/06/23, 10:00:00] A: x", same="5.5.23, 9:00 - A: x"
    )
    assert days_of(tmp_path)["Zorblax"] == "2023-06-05"
    said = capsys.readouterr().err
    assert "day_first: 1; next: if that is wrong, set ingest.whatsapp_dates" in said
    assert "Zorblax" not in said


def test_params_may_name_the_order_by_patterns_of_files(tmp_path: Path) -> None:
    line = "05/06/23, 10:00 - A: x"
    folder(tmp_path, us__a=line, us__b=line, other=line)
    assert days_of(tmp_path, {"us/a*": "month_first", "us/*": "day_first"}) == {
        "us/a": "2023-05-06", "us/b": "2023-06-05", "other": "2023-06-05",
    }  # fmt: skip


def test_with_the_order_from_params_dates_that_do_not_fit_are_rejected() -> None:
    messages, rejected, _ = fates(
        whatsapp.parse_file(FILE, "13/02/24, 10:00 - A: x\n02/13/24, 10:00 - A: y", "month_first")
    )
    assert ([m.line for m in messages], [r.line for r in rejected]) == ([2], [1])
