"""Whatever a client makes of the interface's own document, no answer is a 500, and each refusal has its form."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error

from rejoinder.serving.http.openapi import document
from tests.rejoinder.serving.servers import Server

OPERATIONS = [(path, method) for path, told in document()["paths"].items() for method in told]
_FEW = settings(
    max_examples=25, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def described(serving: Server) -> Any:
    """The interface, as the server describes it."""
    return schemathesis.openapi.from_url(f"{serving.url}/openapi.json")


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_no_request_is_answered_by_a_fault(described: Any, path: str, method: str) -> None:
    operation, statuses = described[path][method], set()
    right = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    wrong = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

    @_FEW
    @given(st.one_of(right, wrong) if method == "post" else right)
    def ask(case: Any) -> None:
        answered = case.call()
        statuses.add(answered.status_code)
        case.validate_response(answered, checks=[not_a_server_error])
        if answered.status_code >= 400:
            assert answered.json()["error"].keys() == {"message", "type", "param", "code"}

    ask()
    assert statuses == {200} if method == "get" else 400 in statuses
