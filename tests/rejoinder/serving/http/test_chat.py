"""Chats as OpenAI's clients hold them: what is answered, by whom, and what the caller may ask besides."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rejoinder.serving.apis import CHAT, Api
from tests.rejoinder.serving.conftest import OpenApi

CARE = "We know. You want music."


def test_an_answer_has_the_form_that_clients_of_openai_expect(api: Api) -> None:
    answered = api.chat("hello", model="rejoinder")
    told = answered.json()
    assert answered.headers["content-type"] == "application/json"
    assert (told["object"], told["model"]) == ("chat.completion", "rejoinder@1")
    [choice] = told["choices"]
    assert choice["message"] == {"role": "assistant", "content": "You want lonely!", "refusal": None}
    assert (choice["index"], choice["finish_reason"], choice["logprobs"]) == (0, "stop", None)
    assert told["usage"] == {"prompt_tokens": 1, "completion_tokens": 4, "total_tokens": 5}


@pytest.mark.parametrize("path", [CHAT, "/v1/reply"])
def test_an_answer_bears_its_release_its_id_and_its_conversation(api: Api, path: str) -> None:
    body = {"messages": [{"role": "user", "content": "hello"}]}
    answered = api.post(path, body)
    told, short = answered.json(), api.context.release.digest[7:19]
    assert answered.headers["x-rejoinder-release"] == f"rejoinder@1 {short}"
    assert answered.headers["x-completion-id"] == told.get("id", told.get("completion_id"))
    assert answered.headers["x-conversation-id"] == told["conversation_id"]
    assert told.get("system_fingerprint", f"fp_{short}") == f"fp_{short}"
    api.context.ids.check(answered.headers["x-completion-id"])


def test_the_last_turns_decide_the_answer_and_what_one_said_in_a_row_is_one_turn(api: Api) -> None:
    split = [
        {"role": "user", "content": "i miss"},
        {"role": "user", "content": [{"type": "text", "text": "my cat"}, {"type": "text", "text": "home"}]},
    ]
    joined = api.text("i miss\nmy cat\nhome")
    assert api.post(CHAT, {"messages": split}).json()["choices"][0]["message"]["content"] == joined


def test_what_the_bot_said_before_is_not_said_again(api: Api) -> None:
    first = api.text("hello")
    assert api.text("hello", first, "hello") != first


@pytest.mark.parametrize("role", ["system", "developer", "tool", "function"])
def test_instructions_and_tools_change_nothing(api: Api, role: str) -> None:
    told = {"role": role, "content": "Say only the word pizza."}
    asked = {"role": "user", "content": "hello"}
    for messages in ([told, asked], [asked, told], [told, asked, told]):
        answered = api.post(CHAT, {"messages": messages})
        assert answered.json()["choices"][0]["message"]["content"] == api.text("hello")


def test_fields_that_nobody_knows_are_ignored(api: Api) -> None:
    fields: dict[str, Any] = {
        "temperature": 0.2, "top_p": 1, "tools": [{"type": "function"}], "response_format": {"type": "text"},
        "logit_bias": {}, "n_of_something_new": "?", "messages_of_mine": [],
    }  # fmt: skip
    assert api.text("hello", **fields) == api.text("hello")
    named = api.post(CHAT, {"messages": [{"role": "user", "content": "hello", "name": "Ann", "tool_calls": []}]})
    assert named.status_code == 200


@pytest.mark.parametrize("model", [None, "rejoinder", "rejoinder@1"])
def test_the_model_has_two_names_and_needs_none(api: Api, model: str | None) -> None:
    assert api.chat("hello", model=model).json()["model"] == "rejoinder@1"


@pytest.mark.parametrize("path", [CHAT, "/v1/embeddings", "/v1/rerank", "/v1/annotate"])
def test_an_unknown_model_is_not_found(api: Api, path: str) -> None:
    body = {
        "messages": [{"role": "user", "content": "hi"}], "input": "hi", "query": "hi", "documents": ["hi"],
        "model": "gpt-canary",
    }  # fmt: skip
    answered = api.post(path, body)
    error = answered.json()["error"]
    assert (answered.status_code, error["code"], error["param"]) == (404, "model_not_found", "model")
    assert "expected rejoinder or rejoinder@1" in error["message"]
    assert "canary" not in answered.text


def test_the_models_are_listed_and_each_can_be_shown(api: Api) -> None:
    listed = api.client.get("/v1/models").json()["data"]
    assert [model["id"] for model in listed] == ["rejoinder", "rejoinder@1"]
    for model in listed:
        assert api.client.get(f"/v1/models/{model['id']}").json() == model
    assert api.client.get("/v1/models/rejoinder@2").status_code == 404


def test_several_replies_are_each_another_one_and_the_best_comes_first(api: Api) -> None:
    told = api.chat("hello", n=4).json()
    texts = [choice["message"]["content"] for choice in told["choices"]]
    assert [choice["index"] for choice in told["choices"]] == [0, 1, 2, 3]
    assert len(set(texts)) == 4
    assert texts[0] == api.text("hello")
    assert told["usage"]["completion_tokens"] > 4


def test_stop_words_leave_replies_out_and_never_cut_one(api: Api) -> None:
    every = [c["message"]["content"] for c in api.chat("hello", n=8).json()["choices"]]
    for stop in ("lonely", ["lonely", "pizza"], ["", "You"]):
        texts = [c["message"]["content"] for c in api.chat("hello", n=8, stop=stop).json()["choices"]]
        words = [word for word in ([stop] if isinstance(stop, str) else stop) if word]
        assert texts
        assert not any(word in text for word in words for text in texts)
        assert all(text.endswith(("!", ".", "?")) for text in texts)
        assert set(texts) != set(every)


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_max_tokens_leaves_longer_replies_out_and_never_cuts_one(api: Api, field: str) -> None:
    told = api.chat("hello", n=8, **{field: 4}).json()
    whole = {c["text"] for c in api.chat("hello", include_trace=True).json()["trace"]["candidates"]}
    assert {choice["message"]["content"] for choice in told["choices"]} <= whole
    assert told["usage"]["completion_tokens"] <= 4 * len(told["choices"])
    assert {choice["finish_reason"] for choice in told["choices"]} == {"stop"}


def test_where_no_reply_is_short_enough_none_is_said(api: Api) -> None:
    told = api.chat("hello", max_tokens=1).json()
    [choice] = told["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("", "length")
    assert told["usage"]["completion_tokens"] == 0


def test_where_every_reply_holds_a_stop_word_none_is_said(api: Api) -> None:
    [choice] = api.chat("hello", stop=["e", "a", "o"]).json()["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("", "stop")


def test_care_is_never_left_out(api: Api) -> None:
    told = api.chat("want hello", max_tokens=1, stop=["know", "music"]).json()
    assert told["choices"][0]["message"]["content"] == CARE


def test_a_trace_is_told_to_who_asks_for_it(api: Api) -> None:
    told = api.chat("hello", include_trace=True).json()
    trace = told["trace"]
    assert "trace" not in api.chat("hello").json()
    assert trace["text"] == told["choices"][0]["message"]["content"]
    assert trace["release"] == str(api.context.release)
    assert {"queue", "encode", "retrieve", "rank", "choose"} <= trace["milliseconds"].keys()
    assert trace["steps"][0]["name"] == "listen"
    assert trace["candidates"][0]["outputs"]


def test_a_seed_makes_what_is_drawn_the_same_again(open_api: OpenApi) -> None:
    api = open_api(explore=1.0)
    drawn = {seed: [api.text("hello", seed=seed) for _ in range(3)] for seed in range(12)}
    assert all(len(set(texts)) == 1 for texts in drawn.values())
    assert len({texts[0] for texts in drawn.values()}) > 1


@pytest.mark.parametrize(
    "given",
    [{"headers": {"X-Conversation-Id": "talk-1"}}, {"metadata": {"conversation_id": "talk-1", "other": [1]}}],
    ids=["header", "metadata"],
)
def test_a_conversation_keeps_the_id_that_the_client_gave_it(api: Api, given: dict[str, Any]) -> None:
    body = {
        "messages": [{"role": "user", "content": "hello"}],
        **{k: v for k, v in given.items() if k != "headers"},
    }
    answered = api.post(CHAT, body, headers=given.get("headers"))
    assert answered.json()["conversation_id"] == "talk-1"
    assert answered.headers["x-conversation-id"] == "talk-1"


def test_a_conversation_without_an_id_gets_one_of_its_own(api: Api) -> None:
    first, second = (api.chat("hello").json()["conversation_id"] for _ in range(2))
    assert first != second
    assert api.chat("hello", metadata={"conversation_id": first}).json()["conversation_id"] == first


@pytest.mark.parametrize("identity", ["", "a b", "x" * 129, 7, ["a"], {"a": 1}, "naïve", "a\nb", "talk-1\n"])
def test_what_cannot_be_a_conversations_id_is_refused(api: Api, identity: Any) -> None:
    answered = api.chat("hello", metadata={"conversation_id": identity})
    assert (answered.status_code, answered.json()["error"]["param"]) == (400, "conversation_id")


@pytest.mark.parametrize(
    ("header", "user"), [("X-Conversation-Id", "X-User-Id"), ("X-OpenWebUI-Chat-Id", "X-OpenWebUI-User-Id")]
)
def test_a_front_end_names_conversation_and_user_by_headers(api: Api, header: str, user: str) -> None:
    body = {"messages": [{"role": "user", "content": "hello"}]}
    answered = api.post(CHAT, body, headers={header: "talk-1", user: "zoe-7"})
    assert answered.json()["conversation_id"] == "talk-1"
    api.chat("hello", user="zoe-7")
    first, second = api.records("answer")
    assert first["user"] == second["user"] is not None


@pytest.mark.parametrize("stream", [False, True])
def test_a_front_ends_own_job_gets_no_result_and_is_not_logged_as_a_talk(api: Api, stream: bool) -> None:
    task = "### Task:\nGenerate a concise title for this chat.\n<chat_history>hello</chat_history>"
    answered = api.chat(task, stream=stream)
    assert answered.status_code == 200
    assert '"content":"{}"' in answered.text
    assert answered.headers["content-type"].startswith("text/event-stream" if stream else "application/json")
    assert api.records("answer") == []


@pytest.mark.parametrize(
    "job",
    [
        "### Task:\nYou are an autocompletion system. Continue the text.",
        "### Task:\nSummarize the conversation history.\n### Messages Being Compacted:\nUSER: hello",
        "### Task:\nGenerate a title.\n<chat_history>\nUSER: " + "hello " * 5_000 + "\n</chat_history>",
        "Your task is to reflect the speaker's likely facial expression through a fitting emoji. Message: hello",
        "Review the completed conversation turn and decide whether long-term memory should change.\nuser: hello",
    ],
    ids=["completion", "summary", "longer than a turn is read", "emoji", "memory"],
)
def test_each_of_a_front_ends_jobs_is_known_however_much_of_the_chat_it_quotes(api: Api, job: str) -> None:
    assert api.text(job) == "{}"
    assert api.records("answer") == []


def test_what_follows_a_front_ends_job_gets_a_reply(api: Api) -> None:
    job = "### Task:\nGenerate a title.\n<chat_history>hello</chat_history>"
    assert api.text(job, "{}", "hello") != "{}"


@pytest.mark.parametrize(
    "text",
    [
        "### Task:\nwater the plants",
        "### Task:\nRespond to the user query using the context.\n<chat_history>hello</chat_history>",
        "what is a ### Task: <chat_history>",
    ],
)
def test_what_only_looks_like_a_front_ends_job_gets_a_reply(api: Api, text: str) -> None:
    assert api.text(text) != "{}"
    assert len(api.records("answer")) == 1


def test_an_answer_is_logged_without_a_text(api: Api) -> None:
    told = api.chat("i feel lonely", user="zoe-7", metadata={"conversation_id": "talk-1"}).json()
    [record] = api.records("answer")
    assert (record["completion"], record["serial"], record["endpoint"]) == (told["id"], 1, "chat")
    written = "".join(path.read_text() for path in api.folder.glob("*.jsonl"))
    for text in ("lonely", "zoe-7", "talk-1", told["choices"][0]["message"]["content"]):
        assert text not in written


def test_with_log_text_the_whole_dialogue_is_kept(open_api: OpenApi) -> None:
    api = open_api(with_text=True)
    reply = api.text("hello", "hi", "i feel lonely")
    [record] = api.records("answer")
    said = [("user", "hello"), ("bot", "hi"), ("user", "i feel lonely")]
    assert [(turn["speaker"], turn["text"]) for turn in record["context"]] == said
    assert record["reply"] == reply


def test_without_a_log_nothing_is_kept_and_answers_come_all_the_same(open_api: OpenApi) -> None:
    api = open_api(has_log=False)
    assert api.text("hello")
    assert api.client.get("/info").json()["log"] is False
    assert not list(api.folder.glob("*.jsonl")) if api.folder.exists() else True
