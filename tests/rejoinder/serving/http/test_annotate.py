"""What the annotators make of texts, and our own form of a reply with its whole trace."""

from __future__ import annotations

from typing import Any

import pytest

from rejoinder.parts.opened import OpenRelease
from tests.rejoinder.serving.apis import ANNOTATE, REPLY, Api
from tests.rejoinder.serving.conftest import OpenApi


def test_each_text_is_annotated_by_every_head(api: Api) -> None:
    told = api.post(ANNOTATE, {"input": ["i miss rain", "you know pizza"]}).json()
    moods = [row["annotations"]["mood"] for row in told["data"]]
    assert [max(mood, key=mood.get) for mood in moods] == ["wet", "fed"]
    assert all(sum(row["annotations"]["kind"].values()) == pytest.approx(1) for row in told["data"])
    assert [row["index"] for row in told["data"]] == [0, 1]
    assert told["model"] == "rejoinder@1"


def test_one_text_is_a_list_of_one(api: Api) -> None:
    assert len(api.post(ANNOTATE, {"input": "hello"}).json()["data"]) == 1


@pytest.mark.parametrize("given", ["", [], ["hello", "\u200b"], [1], None, ["x"] * 2049])
def test_what_is_no_text_is_not_annotated(api: Api, given: Any) -> None:
    assert api.post(ANNOTATE, {"input": given}).status_code == 400


def test_a_release_without_annotators_says_so(open_api: OpenApi, opened: OpenRelease) -> None:
    answered = open_api(opened).post(ANNOTATE, {"input": "hello"})
    assert answered.status_code == 400
    assert "annotators" in answered.json()["error"]["message"]


def test_a_reply_tells_all_that_is_known_of_it(api: Api) -> None:
    answered = api.post(REPLY, {"text": "hello"})
    told = answered.json()
    assert (told["object"], told["text"], told["finish_reason"]) == ("reply", api.text("hello"), "stop")
    assert told["completion_id"] == answered.headers["x-completion-id"]
    assert told["route"] == "free"
    assert [step["name"] for step in told["steps"]] == [
        "listen", "encode", "watch", "route", "annotate", "retrieve", "remark", "generate", "filter", "veto",
        "limit", "rank", "weak", "choose",
    ]  # fmt: skip
    assert told["candidates"][0]["text"] == told["text"]
    assert told["annotations"]["mood"][0] in {"wet", "fed"}


def test_a_reply_to_a_dialogue_is_that_of_the_chat(api: Api) -> None:
    said = ["hello", "hi", "i feel lonely"]
    messages = [{"role": role, "content": t} for role, t in zip(("user", "assistant", "user"), said, strict=True)]
    assert api.post(REPLY, {"messages": messages}).json()["text"] == api.text(*said)


def test_a_reply_is_logged_under_its_own_name(api: Api) -> None:
    told = api.post(REPLY, {"text": "hello", "user": "zoe-7"}).json()
    [record] = api.records("answer")
    assert (record["endpoint"], record["completion"]) == ("reply", told["completion_id"])


def test_a_reply_that_is_not_said_has_no_text(api: Api) -> None:
    told = api.post(REPLY, {"text": "hello", "max_tokens": 1}).json()
    assert (told["text"], told["finish_reason"]) == (None, "length")
    assert {candidate["dropped"] for candidate in told["candidates"]} == {"max_tokens"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": ""},
        {"text": " \x00"},
        {"text": "hi", "messages": [{"role": "user", "content": "hi"}]},
        {"messages": []},
        {"text": ["hi"]},
    ],
)
def test_a_reply_needs_either_a_text_or_a_dialogue(api: Api, body: dict[str, Any]) -> None:
    assert api.post(REPLY, body).status_code == 400
