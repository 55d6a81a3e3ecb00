"""How well texts would reply, as clients of Jina and Cohere ask."""

from __future__ import annotations

from typing import Any

import pytest

from rejoinder.parts.opened import OpenRelease
from tests.rejoinder.serving.apis import RERANK, Api
from tests.rejoinder.serving.conftest import OpenApi

DOCUMENTS = ["you love pizza", "they know rain", "hello", "i feel lonely"]
PATHS = ("/v1/rerank", "/v2/rerank", "/rerank")


def ranked(api: Api, path: str = RERANK, **fields: Any) -> list[dict[str, Any]]:
    """The results for the query "hello"."""
    answered = api.post(path, {"query": "hello", "documents": DOCUMENTS, **fields})
    assert answered.status_code == 200, answered.text
    results: list[dict[str, Any]] = answered.json()["results"]
    return results


@pytest.mark.parametrize("path", PATHS)
def test_the_likeliest_reply_comes_first_and_all_sum_to_one(api: Api, path: str) -> None:
    results = ranked(api, path)
    scores = [result["relevance_score"] for result in results]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1.0)
    assert sorted(result["index"] for result in results) == [0, 1, 2, 3]


def test_all_three_paths_say_the_same(api: Api) -> None:
    assert ranked(api, PATHS[0]) == ranked(api, PATHS[1]) == ranked(api, PATHS[2])


@pytest.mark.parametrize(("top_n", "count"), [(1, 1), (3, 3), (4, 4), (100, 4)])
def test_only_the_best_are_told_and_their_scores_stay(api: Api, top_n: int, count: int) -> None:
    assert ranked(api, top_n=top_n) == ranked(api)[:count]


def test_documents_are_told_again_where_that_is_asked_for(api: Api) -> None:
    for result in ranked(api, return_documents=True):
        assert result["document"] == {"text": DOCUMENTS[result["index"]]}
    assert all("document" not in result for result in ranked(api))


def test_documents_may_be_objects(api: Api) -> None:
    assert ranked(api, documents=[{"text": text, "title": "?"} for text in DOCUMENTS]) == ranked(api)


def test_a_query_of_several_lines_is_a_dialogue(api: Api) -> None:
    answered = api.post(RERANK, {"query": "i miss rain\nwe know home\nhello", "documents": DOCUMENTS})
    assert answered.json()["results"] != ranked(api)
    assert answered.json()["usage"]["total_tokens"] == 3 + 3 + 1 + 3 + 3 + 1 + 3


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"query": ""}, "query"),
        ({"query": " \n\x00"}, "query"),
        ({"documents": []}, "documents"),
        ({"documents": ["a"] * 1001}, "documents"),
        ({"documents": "hello"}, "documents"),
        ({"documents": [{"title": "x"}]}, "documents[0]"),
        ({"documents": [["hello"]]}, "documents[0]"),
        ({"top_n": 0}, "top_n"),
        ({"top_n": "all"}, "top_n"),
    ],
)
def test_what_cannot_be_ranked_is_refused(api: Api, fields: dict[str, Any], param: str) -> None:
    answered = api.post(RERANK, {"query": "hello", "documents": DOCUMENTS, **fields})
    assert (answered.status_code, answered.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize("document", ["", "\x00", "\u200b", "[SEP] [PAD]", "a" * 5000])
def test_an_odd_document_is_ranked_among_others(api: Api, document: str) -> None:
    assert len(ranked(api, documents=["hello", document])) == 2


def test_a_release_without_a_ranker_says_so(open_api: OpenApi, opened: OpenRelease) -> None:
    answered = open_api(opened).post(RERANK, {"query": "hello", "documents": DOCUMENTS})
    assert answered.status_code == 400
    assert "expected a release with a ranker" in answered.json()["error"]["message"]
