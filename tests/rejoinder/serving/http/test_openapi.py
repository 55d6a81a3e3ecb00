"""The document of the interface names every path there is, and describes bodies as they are read."""

from __future__ import annotations

from typing import Any

import pytest

from rejoinder.serving.http.openapi import document
from tests.rejoinder.serving.apis import CHAT, Api


def test_the_document_is_served(api: Api) -> None:
    told = api.client.get("/openapi.json")
    assert told.headers["content-type"] == "application/json"
    assert told.json() == document()
    assert told.json()["openapi"] == "3.1.0"


def test_every_path_of_the_document_is_answered_by_its_method(api: Api) -> None:
    for path, operations in document()["paths"].items():
        for method in operations:
            answered = api.client.request(method, path.replace("{conversation}", "talk-1"), json={})
            assert answered.status_code in {200, 400}, (method, path, answered.text)


def schema(path: str) -> dict[str, Any]:
    """The schema of a path's body."""
    told = document()
    body = told["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    found: dict[str, Any] = told["components"]["schemas"][body["$ref"].rpartition("/")[2]]
    return found


@pytest.mark.parametrize("path", [path for path, told in document()["paths"].items() if "post" in told])
def test_every_body_is_described_and_every_refusal_has_the_same_form(path: str) -> None:
    assert schema(path)["properties"]
    responses = document()["paths"][path]["post"]["responses"]
    assert {"200", "400", "413", "415", "429"} <= responses.keys()
    refused = {str(told.get("content")) for status, told in responses.items() if status != "200"}
    assert len(refused) == 1


def test_what_a_body_must_have_is_said() -> None:
    assert schema(CHAT)["required"] == ["messages"]
    assert schema("/v1/rerank")["required"] == ["query", "documents"]
    assert set(schema("/v1/reactions")["required"]) == {"completion_id", "reaction"}
