"""One client does not decide what is learnt: votes are counted by address and by what they are about."""

from __future__ import annotations

import pytest

from rejoinder.serving.http import votes
from rejoinder.serving.http.errors import HttpError
from rejoinder.serving.http.votes import VoteLimits


@pytest.fixture
def now() -> list[float]:
    """The moment by the tests' clock."""
    return [1000.0]


@pytest.fixture
def limits(now: list[float]) -> VoteLimits:
    """Two votes a minute are usual, four are taken, three on one answer."""
    return VoteLimits(storm=2, most=4, most_changes=3, clock=lambda: now[0])


def test_who_votes_more_than_anybody_would_is_marked_then_refused(limits: VoteLimits) -> None:
    assert [limits.count("here", f"answer {n}") for n in range(4)] == [False, False, True, True]
    with pytest.raises(HttpError) as refused:
        limits.count("here", "another")
    assert (refused.value.status, refused.value.retry_s) == (429, 60)
    assert limits.count("there", "another") is False


def test_one_answer_is_voted_on_so_often_by_whomever(limits: VoteLimits) -> None:
    for address in ("a", "b", "c"):
        limits.count(address, "answer")
    with pytest.raises(HttpError, match="at most 3 on one answer"):
        limits.count("d", "answer")


def test_after_a_minute_all_is_forgiven(limits: VoteLimits, now: list[float]) -> None:
    for _ in range(3):
        limits.count("here", "answer")
    now[0] += 59
    with pytest.raises(HttpError):
        limits.count("here", "answer")
    now[0] += 2
    assert limits.count("here", "answer") is False


def test_no_address_can_make_it_forget_itself_nor_grow_without_end(
    limits: VoteLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(votes, "_MOST_KEPT", 50)
    for number in range(4):
        limits.count("here", f"mine {number}")
    for number in range(20):
        limits.count(f"there {number}", f"theirs {number}")
    with pytest.raises(HttpError):
        limits.count("here", "mine again")
    for number in range(1000):
        limits.count(f"crowd {number}", f"answer {number}")
    assert len(limits._counts) == 50


def test_an_address_and_an_answer_of_the_same_name_are_two(limits: VoteLimits) -> None:
    for _ in range(3):
        limits.count("same", "same")
    assert limits.count("other", "different") is False
