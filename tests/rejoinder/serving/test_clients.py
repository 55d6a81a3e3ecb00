"""Clients of other people speak with a server as their documentation has it, and with nobody else meanwhile."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

import cohere
import httpx
import numpy as np
import openai
import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from tests.rejoinder.serving.conftest import Serve
from tests.rejoinder.serving.servers import Server

TEXTS = ["hello", "i feel lonely", "they know music"]
DOCUMENTS = ["you love pizza", "they know rain", "hello", "i feel lonely"]
#: What such clients would tell of themselves to others is switched off.
QUIET = {"LANGSMITH_TRACING": "false", "LANGCHAIN_TRACING_V2": "false", "DO_NOT_TRACK": "1"}
#: Audit events of whoever looks somebody up or speaks to them, and which of their arguments says whom.
_SPEAKING = {"socket.connect": 1, "socket.getaddrinfo": 0, "socket.gethostbyname": 0, "socket.sendto": 1}
_spoken_to: list[object] = []
_is_watched = threading.Event()


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event in _SPEAKING and _is_watched.is_set():
        _spoken_to.append(arguments[_SPEAKING[event]])


sys.addaudithook(_note)


@pytest.fixture(autouse=True)
def _only_to_the_server(serving: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whom a client speaks to is the server, or the test fails."""
    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)
    _spoken_to.clear()
    _is_watched.set()
    yield
    _is_watched.clear()
    assert _spoken_to
    names = {str(whom[0] if isinstance(whom, tuple) else whom) for whom in _spoken_to}
    assert names == {"127.0.0.1"}


@pytest.fixture
def client(serving: Server) -> Iterator[openai.OpenAI]:
    """OpenAI's own client."""
    with openai.OpenAI(base_url=f"{serving.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_openai_chats(client: openai.OpenAI) -> None:
    told = client.chat.completions.create(
        model="rejoinder",
        messages=[{"role": "system", "content": "Be nice."}, {"role": "user", "content": "hello"}],
        temperature=0.7,
        n=2,
    )
    assert [choice.message.role for choice in told.choices] == ["assistant"] * 2
    assert told.choices[0].message.content == "You want lonely!"
    assert told.choices[0].finish_reason == "stop"
    assert told.usage is not None
    assert told.usage.total_tokens == told.usage.prompt_tokens + told.usage.completion_tokens
    assert told.model == "rejoinder@1"
    assert told.system_fingerprint is not None


def test_openai_streams_with_usage(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="rejoinder",
            messages=[{"role": "user", "content": "hello"}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    texts = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(texts) == "You want lonely!"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 4


def test_openai_collects_a_stream(client: openai.OpenAI) -> None:
    asked: Any = [{"role": "user", "content": "hello"}]
    with client.chat.completions.stream(model="rejoinder", messages=asked) as stream:
        assert stream.get_final_completion().choices[0].message.content == "You want lonely!"


def test_openai_gets_the_trace_and_the_headers_that_are_ours(client: openai.OpenAI) -> None:
    asked: Any = {"model": "rejoinder", "messages": [{"role": "user", "content": "hello"}]}
    raw = client.chat.completions.with_raw_response.create(
        **asked, extra_body={"include_trace": True}, extra_headers={"X-Conversation-Id": "talk-1"}
    )
    told = raw.parse()
    assert raw.headers["x-rejoinder-release"].startswith("rejoinder@1 ")
    assert raw.headers["x-completion-id"] == told.id
    assert raw.headers["x-conversation-id"] == "talk-1"
    assert told.model_extra is not None
    assert told.model_extra["trace"]["text"] == told.choices[0].message.content
    assert told.model_extra["conversation_id"] == "talk-1"


def test_openai_gets_the_same_vectors_by_default_and_as_floats(client: openai.OpenAI) -> None:
    default = client.embeddings.create(model="rejoinder", input=TEXTS)  # base64 on the wire
    floats = client.embeddings.create(model="rejoinder", input=TEXTS, encoding_format="float")
    vectors = [np.array([row.embedding for row in told.data]) for told in (default, floats)]
    assert vectors[0].shape == (3, 32)
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-7)


def test_openai_lists_and_shows_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["rejoinder", "rejoinder@1"]
    assert client.models.retrieve("rejoinder").owned_by == "rejoinder"


def test_openais_errors_are_of_their_kinds(client: openai.OpenAI) -> None:
    asked: Any = [{"role": "user", "content": "hello"}]
    with pytest.raises(openai.NotFoundError, match="expected rejoinder or rejoinder@1"):
        client.chat.completions.create(model="gpt-5", messages=asked)
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="rejoinder", messages=[], n=1)
    assert (refused.value.param, refused.value.type) == ("messages", "invalid_request_error")
    with pytest.raises(openai.BadRequestError, match="Next: ask without stream"):
        client.chat.completions.create(model="rejoinder", messages=asked, n=2, stream=True)


def test_openai_sends_the_token_that_is_asked_for(serve: Serve) -> None:
    token = "a-token-of-the-tests-0123456789"  # noqa: S105
    server = serve(REJOINDER_TOKEN=token)
    asked: Any = {"model": "rejoinder", "messages": [{"role": "user", "content": "hello"}]}
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=token) as right:
        assert right.chat.completions.create(**asked).choices[0].message.content
    with (
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="x") as wrong,
        pytest.raises(openai.AuthenticationError),
    ):
        wrong.chat.completions.create(**asked)
    server.stop()
    assert token not in "".join(server.lines)


def langchain(serving: Server, **more: Any) -> ChatOpenAI:
    """LangChain's chat model."""
    return ChatOpenAI(base_url=f"{serving.url}/v1", api_key=SecretStr("none"), model="rejoinder", **more)


def test_langchain_invokes_and_streams(serving: Server) -> None:
    model = langchain(serving)
    talk = [SystemMessage("Be nice."), HumanMessage("i miss home"), AIMessage("We know."), HumanMessage("hello")]
    told = model.invoke(talk)
    assert isinstance(told.content, str)
    assert told.content
    assert told.response_metadata["model_name"] == "rejoinder@1"
    assert told.usage_metadata is not None
    assert told.usage_metadata["output_tokens"] > 0
    streamed = list(model.stream(talk))
    assert "".join(str(chunk.content) for chunk in streamed) == told.content


def test_langchain_embeds_texts_that_it_does_not_cut_into_tokens(serving: Server) -> None:
    given: dict[str, Any] = {"base_url": f"{serving.url}/v1", "api_key": "none", "model": "rejoinder"}
    embeddings = OpenAIEmbeddings(**given, check_embedding_ctx_length=False)
    vectors = embeddings.embed_documents(TEXTS)
    assert [len(vector) for vector in vectors] == [32] * 3
    np.testing.assert_allclose(embeddings.embed_query(TEXTS[1]), vectors[1], atol=1e-6)


def test_langchain_is_told_which_switch_to_set_when_tokens_come(client: openai.OpenAI) -> None:
    # What OpenAIEmbeddings sends as it is by default, once it has its tokenizer.
    with pytest.raises(openai.BadRequestError, match="check_embedding_ctx_length=False"):
        client.embeddings.create(model="rejoinder", input=[[15339], [72, 2733]])


def test_cohere_reranks_by_the_second_version(serving: Server) -> None:
    posted: list[str] = []
    hook = {"request": [lambda request: posted.append(request.url.path)]}
    with httpx.Client(event_hooks=hook) as http:
        told = cohere.ClientV2(api_key="none", base_url=serving.url, httpx_client=http).rerank(
            model="rejoinder", query="hello", documents=DOCUMENTS, top_n=3
        )
    assert posted == ["/v2/rerank"]
    scores = [result.relevance_score for result in told.results]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 3
    assert told.id


def test_cohere_reranks_by_the_first_version(serving: Server) -> None:
    posted: list[str] = []
    hook = {"request": [lambda request: posted.append(request.url.path)]}
    with httpx.Client(event_hooks=hook) as http:
        told = cohere.Client(api_key="none", base_url=serving.url, httpx_client=http).rerank(
            model="rejoinder", query="hello", documents=DOCUMENTS, return_documents=True
        )
    assert posted == ["/v1/rerank"]
    assert sum(result.relevance_score for result in told.results) == pytest.approx(1)
    for result in told.results:
        assert result.document is not None
        assert result.document.text == DOCUMENTS[result.index]


def test_coheres_error_says_what_is_wrong(serving: Server) -> None:
    with pytest.raises(cohere.BadRequestError) as refused:
        cohere.ClientV2(api_key="none", base_url=serving.url).rerank(
            model="rejoinder", query="", documents=DOCUMENTS
        )
    assert "query: expected a text" in str(refused.value.body)
    with pytest.raises(cohere.NotFoundError):
        cohere.ClientV2(api_key="none", base_url=serving.url).rerank(model="x", query="a", documents=DOCUMENTS)


def test_prometheus_reads_the_figures(serving: Server) -> None:
    serving.chat("hello")
    told = httpx.get(f"{serving.url}/metrics", headers={"accept": "text/plain;version=0.0.4"})
    families = {family.name for family in text_string_to_metric_families(told.text)}
    assert {"rejoinder_requests", "rejoinder_release_info", "rejoinder_step_seconds"} <= families
