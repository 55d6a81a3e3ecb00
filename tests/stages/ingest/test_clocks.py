"""Clocks: whatever was done to a true chronology, it comes back; a healthy one is left alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.ingest.clocks import HOUR, LITTLE, Arranged, arrange, settle

SECOND = 1000
MINUTE = 60 * SECOND

Talk = tuple[list[int], list[str]]


def talks(gaps: st.SearchStrategy[int], senders: str = "abc", least: int = 4) -> st.SearchStrategy[Talk]:
    """True chronologies: times that rise by `gaps`, and senders, each of whom says more than one thing."""
    rows = st.lists(st.tuples(gaps, st.sampled_from(senders)), min_size=least, max_size=40)
    spoken = st.tuples(rows, st.integers(10**9, 2 * 10**12))
    said = spoken.map(lambda talk: ([*accumulate((g for g, _ in talk[0][1:]), initial=talk[1])], talk[0]))
    return said.map(lambda talk: (talk[0], [sender for _, sender in talk[1]])).filter(
        lambda talk: all(talk[1].count(sender) > 1 for sender in talk[1])
    )


def one_file(times: Sequence[int], senders: Sequence[str]) -> Arranged:
    return arrange(times, senders, ["f"] * len(times))


def is_sound(found: Arranged) -> bool:
    return sorted(found.places) == list(range(len(found.places))) and found.times == sorted(found.times)


@given(talks(st.integers(0, 10 * HOUR), least=2), st.data())
def test_a_healthy_log_is_never_changed(talk: Talk, data: st.DataObject) -> None:
    times, senders = talk
    files = data.draw(st.lists(st.sampled_from("xy"), min_size=len(times), max_size=len(times)))
    assert arrange(times, senders, files, {"x"}) == Arranged(list(range(len(times))), times, frozenset())


@given(talks(st.integers(MINUTE, 10 * HOUR)))
def test_a_log_that_is_newest_first_is_reversed_as_a_whole(talk: Talk) -> None:
    times, senders = talk
    found = one_file(times[::-1], senders[::-1])
    assert (found.places[::-1], found.times) == (list(range(len(times))), times)
    assert found.rules == {"reversed"}


@given(talks(st.integers(1, 5 * SECOND)))
def test_a_quick_talk_that_is_newest_first_is_reversed_too(talk: Talk) -> None:
    assert one_file(talk[0][::-1], talk[1][::-1]).times == talk[0]


def test_rows_of_one_moment_are_reversed_with_their_log() -> None:
    assert one_file([3 * HOUR, HOUR, HOUR, 0], list("abab")).places == [3, 2, 1, 0]


def test_two_rows_keep_their_order_unless_the_rest_of_their_file_is_newest_first() -> None:
    assert arrange([30, 5], ["a", "b"], ["f", "f"]).places == [0, 1]
    assert arrange([30, 5], ["a", "b"], ["f", "f"], {"f"}).places == [1, 0]


@given(talks(st.integers(2 * MINUTE, HOUR)), st.data())
def test_clocks_that_disagree_by_little_do_not_change_the_order(talk: Talk, data: st.DataObject) -> None:
    times, senders = talk
    close = [time - time % (3 * MINUTE) for time in times]  # many within one moment
    jitter = data.draw(st.lists(st.integers(0, LITTLE), min_size=len(times), max_size=len(times)))
    # Own times must not all run back: that is how a log reads that is newest first.
    heard = [time + off for time, off in zip(close, jitter, strict=True)]
    heard[0], heard[-1] = min(heard), max(heard)
    found = one_file(heard, senders)
    assert found.places == list(range(len(times)))
    assert is_sound(found)
    assert all(0 <= now - then <= LITTLE for now, then in zip(found.times, heard, strict=True))


@given(talks(st.integers(1, 5 * MINUTE)), st.dictionaries(st.sampled_from("abc"), st.integers(0, HOUR)))
def test_phones_that_are_ahead_by_any_constant_do_not_change_the_order(talk: Talk, ahead: dict[str, int]) -> None:
    times, senders = talk
    found = one_file([time + ahead.get(who, 0) for time, who in zip(times, senders, strict=True)], senders)
    assert found.places == list(range(len(times)))
    assert is_sound(found)


def test_a_phone_two_minutes_ahead_is_set_back_to_where_the_others_hear_it() -> None:
    true = [n * 30 * SECOND for n in range(100)]
    senders = ["ab"[n % 2] for n in range(100)]
    heard = [time + 120 * SECOND * (who == "b") for time, who in zip(true, senders, strict=True)]
    found = one_file(heard, senders)
    assert (found.places, set(found.rules)) == (list(range(100)), {"offset"})
    assert all(abs(now - then) <= 30 * SECOND for now, then in zip(found.times, true, strict=True))


@given(talks(st.integers(1, 20 * MINUTE), senders="ab"), st.integers(1, HOUR), st.data())
def test_a_clock_that_is_set_back_in_autumn_does_not_change_the_order(
    talk: Talk, back: int, data: st.DataObject
) -> None:
    times, senders = talk
    at = data.draw(st.integers(1, len(times) - 1))
    found = one_file([time - back * (place >= at) for place, time in enumerate(times)], senders)
    # With next to nothing before or after it, such a log may as well be newest first.
    if "reversed" not in found.rules:
        assert found.places == list(range(len(times)))
    assert is_sound(found)


def test_after_a_folded_hour_silences_are_as_long_as_they_were() -> None:
    true = [n * 2 * MINUTE for n in range(90)]
    local = [time - HOUR * (time >= 2 * HOUR) for time in true]
    found = one_file(local, ["ab"[n % 2] for n in range(90)])
    assert (found.places, set(found.rules)) == (list(range(90)), {"folded"})
    silences = [after - before for before, after in zip(found.times, found.times[1:], strict=False)]
    assert silences.count(2 * MINUTE) == 88
    assert silences.count(0) == 1  # at the fold itself, which may have lasted any time


def test_a_folded_hour_ends_where_the_clock_has_passed_it() -> None:
    times = [0, 50 * MINUTE, 10 * MINUTE, 20 * MINUTE, 9 * HOUR]
    assert one_file(times, list("abaab")).times == [0, 50 * MINUTE, 50 * MINUTE, HOUR, 9 * HOUR]


@given(talks(st.integers(1, 10 * HOUR)), st.data())
def test_files_of_one_conversation_in_any_order_come_back_in_order_of_time(talk: Talk, data: st.DataObject) -> None:
    times, senders = talk
    names = data.draw(st.lists(st.sampled_from("xyz"), min_size=len(times), max_size=len(times)))
    rows = sorted(range(len(times)), key=names.__getitem__)
    found = arrange([times[n] for n in rows], [senders[n] for n in rows], [names[n] for n in rows])
    assert [rows[place] for place in found.places] == list(range(len(times)))
    assert found.times == times


def test_a_second_part_that_is_read_first_comes_second() -> None:
    times = [*range(600, 1200, 100), *range(0, 600, 100)]
    found = arrange(times, ["a", "b"] * 6, ["x [part 2]"] * 6 + ["x"] * 6)
    assert (found.places, set(found.rules)) == ([*range(6, 12), *range(6)], {"merged"})


@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=60), st.data())
def test_every_row_comes_back_once_with_times_that_never_fall(times: list[int], data: st.DataObject) -> None:
    names = st.lists(st.sampled_from("abc"), min_size=len(times), max_size=len(times))
    senders, files = data.draw(names), data.draw(names)
    assert is_sound(arrange(times, senders, files, {"b"}))


@pytest.mark.parametrize("senders", [list("ab") * 20, [str(n) for n in range(40)]])
def test_a_log_without_any_order_is_sorted_by_time(senders: list[str]) -> None:
    times = [(n * 17 % 40) * 3 * HOUR for n in range(40)]
    found = one_file(times, senders)
    assert found.times == sorted(times)
    assert "sorted" in found.rules


def test_pieces_joined_in_the_wrong_order_keep_their_own() -> None:
    piece = [n * MINUTE - 90 * SECOND * (n % 2) for n in range(20)]  # one clock 90 s behind: 30 s between answers
    times = [10 * HOUR + time for time in piece] + [HOUR + time for time in piece]
    assert settle(times, ["a", "b"] * 20).places == [*range(20, 40), *range(20)]


def test_one_date_that_is_years_off_moves_no_other_row() -> None:
    times = [n * MINUTE for n in range(20)]
    times[7] = 10**12
    assert one_file(times, list("ab") * 10).places == [*range(7), *range(8, 20), 7]


def test_a_long_quarrel_of_clocks_is_settled_in_linear_work() -> None:
    senders = [str(n * 7919 % 5000) for n in range(100_000)]
    times = [n * 10 + 30 * MINUTE * (int(who) % 2) for n, who in enumerate(senders)]
    assert one_file(times, senders).rules == {"offset"}
