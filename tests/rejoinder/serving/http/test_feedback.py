"""What people think of an answer or of a talk is on the disk before it is confirmed, and nobody thinks too much."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from rejoinder.serving.decisions.record import KINDS
from rejoinder.serving.decisions.segment import Segment
from rejoinder.serving.http.ids import CompletionIds
from tests.rejoinder.serving.apis import KEY, Api
from tests.rejoinder.serving.conftest import OpenApi

SIX = ("love", "funny", "upvote", "meaningless", "offensive", "downvote")
TALK = "/v1/conversations/talk-1/feedback"


@pytest.fixture
def answer(api: Api) -> str:
    """The id of an answer."""
    return str(api.chat("hello").json()["id"])


@pytest.mark.parametrize("reaction", SIX)
def test_each_of_the_six_is_recorded(api: Api, answer: str, reaction: str) -> None:
    told = api.react(answer, reaction, user="zoe-7")
    expected = {"object": "reaction", "completion_id": answer, "reaction": reaction, "recorded": True}
    assert (told.status_code, told.json()) == (200, expected)
    [record] = api.records("reaction")
    assert (record["completion"], record["reaction"], record["storm"]) == (answer, reaction, False)
    assert record["user"] not in {None, "zoe-7"}


@pytest.mark.parametrize(("thumb", "reaction"), [("up", "upvote"), ("down", "downvote")])
def test_a_thumb_is_a_vote(api: Api, answer: str, thumb: str, reaction: str) -> None:
    assert api.react(answer, thumb).json()["reaction"] == reaction
    assert api.figure("rejoinder_reactions_total", reaction=reaction) == 1


def test_a_reaction_may_be_said_twice_changed_and_taken_back(api: Api, answer: str) -> None:
    for reaction in ("love", "love", "downvote", None):
        told = api.react(answer, reaction, user="zoe-7")
        assert (told.status_code, told.json()["reaction"]) == (200, reaction)
    assert [record["reaction"] for record in api.records("reaction")] == ["love", "love", "downvote", None]


@pytest.mark.parametrize("reaction", ["canary", "", "LOVE", 1, ["love"]])
def test_an_unknown_reaction_is_refused(api: Api, answer: str, reaction: Any) -> None:
    told = api.react(answer, reaction)
    assert (told.status_code, told.json()["error"]["param"]) == (400, "reaction")
    assert "canary" not in told.text


def test_a_reaction_must_be_said(api: Api, answer: str) -> None:
    assert api.post("/v1/reactions", {"completion_id": answer}).status_code == 400


def forged(answer: str) -> list[str]:
    """Ids that are none of ours, most of them nearly."""
    other = CompletionIds(b"another key").new()
    last = "0" if answer[-1] != "0" else "1"
    return [
        "chatcmpl-123", "chatcmpl-task", "x", "chatcmpl-" + "0" * 64, answer[:-1], f"{answer}0", answer[:-1] + last,
        answer.upper(), answer.replace("chatcmpl-", "rerank-"), answer.removeprefix("chatcmpl-"), f" {answer}",
        f"chatcmpl-{answer}", other, answer[:41] + other[41:], "é" * 64,
    ]  # fmt: skip


def test_forged_and_unknown_ids_are_not_found(api: Api, answer: str) -> None:
    for identity in forged(answer):
        told = api.react(identity, "love")
        assert (told.status_code, told.json()["error"]["code"]) == (404, "unknown_completion"), identity
    assert api.records("reaction") == []


def test_another_worker_or_a_restarted_one_with_the_same_key_knows_an_id(open_api: OpenApi, answer: str) -> None:
    restarted = open_api(key=KEY)
    assert restarted.react(answer, "love").status_code == 200
    stranger = open_api(key=b"another key")
    assert stranger.react(answer, "love").status_code == 404


def test_no_two_ids_are_the_same() -> None:
    ids = {CompletionIds(KEY).new() for _ in range(1000)}
    assert len(ids) == 1000
    assert {len(name) for name in ids} == {len("chatcmpl-") + 64}


def test_a_talk_gets_a_thumb_or_ratings(api: Api) -> None:
    ratings = {"interesting": 7, "witty": 10}
    for body in ({"thumb": "up"}, {"ratings": ratings}, {"thumb": "down", "user": "zoe-7"}, {"thumb": None}):
        told = api.post(TALK, body)
        expected = {"object": "feedback", "conversation_id": "talk-1", "recorded": True}
        assert (told.status_code, told.json()) == (200, expected)
    records = api.records("feedback")
    assert [record["thumb"] for record in records] == ["up", None, "down", None]
    assert [record["ratings"] for record in records] == [None, ratings, None, None]
    assert len({record["conversation"] for record in records}) == 1


def test_feedback_is_on_the_conversation_that_the_answer_was_in(api: Api) -> None:
    talk = api.chat("hello").json()["conversation_id"]
    api.post(f"/v1/conversations/{talk}/feedback", {"thumb": "up"})
    [answer], [feedback] = api.records("answer"), api.records("feedback")
    assert answer["conversation"] == feedback["conversation"]


@pytest.mark.parametrize("talk", ["a/b", "user@host:1+1=2", "a..b", "feedback", "a/feedback"])
def test_whatever_a_conversation_may_be_called_it_can_be_rated(api: Api, talk: str) -> None:
    assert api.chat("hello", metadata={"conversation_id": talk}).status_code == 200
    for name in (talk, talk.replace("/", "%2F")):
        assert api.post(f"/v1/conversations/{name}/feedback", {"thumb": "up"}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ratings": {}},
        {"thumb": "sideways"},
        {"ratings": {"witty": 0}},
        {"ratings": {"witty": 11}},
        {"ratings": {"witty": 7.5}},
        {"ratings": {"My canary": 7}},
        {"ratings": {f"scale-{n}": 7 for n in range(17)}},
        {"ratings": [7]},
        {"thumb": "up", "user": ""},
    ],
)
def test_feedback_that_says_nothing_or_too_much_is_refused(api: Api, body: dict[str, Any]) -> None:
    told = api.post(TALK, body)
    assert told.status_code == 400
    assert "canary" not in told.text


@pytest.mark.parametrize("talk", ["a b", "x" * 129, "na%C3%AFve", "%00"])
def test_feedback_on_what_is_no_conversation_is_refused(api: Api, talk: str) -> None:
    told = api.post(f"/v1/conversations/{talk}/feedback", {"thumb": "up"})
    assert (told.status_code, told.json()["error"]["param"]) == (400, "conversation_id")


def test_a_storm_of_votes_is_marked_counted_and_then_refused(api: Api) -> None:
    limits, ids = api.context.limits, api.context.ids
    limits.storm, limits.most = 3, 5
    told = [api.react(ids.new(), "love") for _ in range(7)]
    assert [each.status_code for each in told] == [200] * 5 + [429] * 2
    assert told[-1].headers["retry-after"] == "60"
    assert told[-1].json()["error"]["type"] == "rate_limit_error"
    assert api.figure("rejoinder_vote_storms_total") == 4
    assert [record["storm"] for record in api.records("reaction")] == [False] * 3 + [True] * 2


def test_one_answer_is_not_voted_on_without_end(api: Api, answer: str) -> None:
    api.context.limits.most_changes = 3
    assert [api.react(answer, "love").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert api.post(TALK, {"thumb": "up"}).status_code == 200


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_full_disk_never_stops_answers_is_counted_and_no_vote_is_confirmed(
    api: Api, answer: str, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(self: Segment, data: memoryview) -> int:
        raise OSError(number, "no")

    with monkeypatch.context() as patch:
        patch.setattr(Segment, "_write", full)
        told = api.react(answer, "love")
        assert (told.status_code, told.json()["error"]["code"]) == (503, "not_recorded")
        assert told.headers["retry-after"] == "5"
        assert api.post(TALK, {"thumb": "up"}).status_code == 503
        assert api.text("hello")
        assert api.figure("rejoinder_decision_log_failures_total") >= 2
        assert api.figure("rejoinder_reactions_total") == 0
    assert api.react(answer, "love").status_code == 200  # as soon as there is room
    assert len(api.records("reaction")) == 1


def test_where_nothing_is_kept_no_vote_is_confirmed(open_api: OpenApi) -> None:
    api = open_api(has_log=False)
    told = api.react(api.context.ids.new(), "love")
    assert (told.status_code, told.json()["error"]["code"]) == (503, "not_recorded")
    assert api.post(TALK, {"thumb": "up"}).status_code == 503


def test_every_kind_of_record_is_written_by_some_endpoint(api: Api, answer: str) -> None:
    api.react(answer, "love")
    api.post(TALK, {"thumb": "up"})
    assert [len(api.records(kind)) for kind in KINDS] == [1, 1, 1]
