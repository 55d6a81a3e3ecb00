"""Vectors of texts as OpenAI's clients ask for them."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from rejoinder.parts.opened import OpenRelease
from tests.rejoinder.serving.apis import EMBEDDINGS, Api

TEXTS = ["hello", "i feel lonely", "they know music"]


def rows(api: Api, given: Any, **fields: Any) -> list[Any]:
    """The vectors of texts, in order."""
    data = api.post(EMBEDDINGS, {"input": given, **fields}).json()["data"]
    assert [row["index"] for row in data] == list(range(len(data)))
    return [row["embedding"] for row in data]


def test_vectors_are_those_of_the_releases_vectorizer(api: Api, opened_whole: OpenRelease) -> None:
    told = api.post(EMBEDDINGS, {"input": TEXTS, "model": "rejoinder"}).json()
    vectors = np.array([row["embedding"] for row in told["data"]], np.float32)
    # The cache of the release holds what is said often as float16.
    np.testing.assert_allclose(vectors, opened_whole.vectorizer.encode(TEXTS), atol=5e-4)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=5e-4)
    assert (told["object"], told["model"]) == ("list", "rejoinder@1")
    assert told["usage"] == {"prompt_tokens": 7, "total_tokens": 7}


def test_base64_holds_the_same_numbers_as_float32_with_the_low_byte_first(api: Api) -> None:
    coded = [np.frombuffer(base64.b64decode(row), "<f4") for row in rows(api, TEXTS, encoding_format="base64")]
    plain = np.array(rows(api, TEXTS, encoding_format="float"), np.float32)
    np.testing.assert_array_equal(np.array(coded), plain)


def test_one_text_is_a_list_of_one(api: Api) -> None:
    assert rows(api, "hello") == rows(api, ["hello"])


def test_many_texts_come_back_in_order(api: Api) -> None:
    texts = [f"{text} {n}" for n, text in enumerate(TEXTS * 30)]
    many = np.array(rows(api, texts))
    assert len(many) == 90
    np.testing.assert_allclose(many[70], rows(api, texts[70])[0], atol=1e-6)


def test_a_vector_bears_its_release(api: Api) -> None:
    answered = api.post(EMBEDDINGS, {"input": "hello"})
    assert answered.headers["x-rejoinder-release"].startswith("rejoinder@1 ")


@pytest.mark.parametrize("tokens", [[1, 2, 3], [[1, 2], [3]], ["hello", [1]]])
def test_tokens_are_refused_by_the_name_of_the_clients_switch(api: Api, tokens: list[Any]) -> None:
    answered = api.post(EMBEDDINGS, {"input": tokens})
    error = answered.json()["error"]
    assert (answered.status_code, error["code"], error["param"]) == (400, "tokens_not_supported", "input")
    assert "check_embedding_ctx_length=False" in error["message"]


def test_the_dimensions_there_are_may_be_asked_for_and_no_others(api: Api) -> None:
    assert len(rows(api, "hello", dimensions=32)[0]) == 32
    answered = api.post(EMBEDDINGS, {"input": "hello", "dimensions": 16})
    error = answered.json()["error"]
    assert (answered.status_code, error["param"]) == (400, "dimensions")
    assert "expected 32" in error["message"]


@pytest.mark.parametrize("given", ["", "   ", [], [""], ["hello", " "], [None], [{"text": "hello"}], None, 7, {}])
def test_what_is_no_text_is_refused(api: Api, given: Any) -> None:
    assert api.post(EMBEDDINGS, {"input": given}).status_code == 400


@pytest.mark.parametrize("text", ["\u200b", "\x00", "\x00hello", "🙂" * 50, "e\u0301" * 2000])
def test_odd_texts_are_encoded_or_refused(api: Api, text: str) -> None:
    answered = api.post(EMBEDDINGS, {"input": text})
    assert answered.status_code in {200, 400}
    if answered.status_code == 200:
        assert np.isfinite(answered.json()["data"][0]["embedding"]).all()


def test_an_unknown_encoding_is_refused(api: Api) -> None:
    answered = api.post(EMBEDDINGS, {"input": "hello", "encoding_format": "canary"})
    assert (answered.status_code, answered.json()["error"]["param"]) == (400, "encoding_format")
    assert "canary" not in answered.text
