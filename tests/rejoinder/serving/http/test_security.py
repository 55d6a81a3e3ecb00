"""Loopback protects nothing from a browser: who asks is checked by Host, Origin, content type and token."""

from __future__ import annotations

import pytest

from rejoinder.serving.http.security import Access
from tests.rejoinder.serving.apis import CHAT, Api
from tests.rejoinder.serving.conftest import OpenApi

TOKEN = "a-token-of-the-tests-0123456789"  # noqa: S105
BODY = {"messages": [{"role": "user", "content": "hello"}]}


def status(api: Api, method: str = "POST", path: str = CHAT, **headers: str) -> int:
    """The status of a request with some headers, `_` for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = BODY if method == "POST" else None
    return int(api.client.request(method, path, json=body, headers=named).status_code)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080", "192.168.1.7", "localhost:80"]
)
def test_the_servers_own_names_and_addresses_are_answered(api: Api, host: str) -> None:
    assert status(api, host=host) == 200
    assert status(api, "GET", "/info", host=host) == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "", "[", "[::1",
     "a b", "localhost@evil.example", "0x7f000001", "127.1"],
)  # fmt: skip
@pytest.mark.parametrize(("method", "path"), [("POST", CHAT), ("GET", "/info"), ("GET", "/"), ("GET", "/metrics")])
def test_a_name_that_was_made_to_point_here_is_refused(api: Api, host: str, method: str, path: str) -> None:
    assert status(api, method, path, host=host) == 403


def test_a_name_is_answered_once_it_is_allowed(open_api: OpenApi) -> None:
    api = open_api(access=Access(hosts=frozenset({"chat.example.org"})))
    for host, expected in (("chat.example.org", 200), ("CHAT.example.org:443", 200), ("example.org", 403)):
        assert status(api, host=host) == expected


def test_the_servers_own_page_may_ask(api: Api) -> None:
    assert status(api, host="localhost:8080", origin="http://localhost:8080", sec_fetch_site="same-origin") == 200
    assert status(api, sec_fetch_site="none") == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://localhost:9999"},
        {"origin": "http://127.0.0.1:8080"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://["},
        {"origin": "http://[::1"},
        {"origin": "http://localhost:8080.evil.example"},
        {"origin": "http://localhost:8080@evil.example"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site", "origin": "http://localhost:8080"},
    ],
)
def test_a_page_of_somebody_else_may_not_ask(api: Api, headers: dict[str, str]) -> None:
    assert status(api, host="localhost:8080", **headers) == 403


def test_a_foreign_page_gets_no_leave_by_asking_first(api: Api) -> None:
    asked = api.client.options(
        CHAT, headers={"origin": "http://evil.example", "access-control-request-method": "POST"}
    )
    assert asked.status_code == 403
    answered = api.post(CHAT, BODY)
    assert not any(name.startswith("access-control") for name in (*asked.headers, *answered.headers))


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "application/jsonx"],
)
def test_what_a_form_could_send_is_no_json(api: Api, kind: str) -> None:
    assert status(api, content_type=kind) == 415


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_json_is_taken_however_it_is_written(api: Api, kind: str) -> None:
    assert status(api, content_type=kind) == 200


def test_a_header_that_stands_there_twice_counts_as_wrong(api: Api) -> None:
    for name, value in (("host", "localhost"), ("content-type", "application/json")):
        asked = [(name, value), (name, "evil.example"), *{"content-type": "application/json"}.items()]
        assert api.client.post(CHAT, content=b"{}", headers=asked).status_code in {403, 415}


@pytest.mark.parametrize(
    "given",
    ["", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer ", f"Basic {TOKEN}",
     "Bearer \xe9"],
)  # fmt: skip
def test_without_the_token_nothing_is_told(open_api: OpenApi, given: str) -> None:
    api = open_api(access=Access(TOKEN))
    headers = {"authorization": given.encode("latin-1")} if given else {}
    for path in ("/info", "/metrics", "/v1/models", "/openapi.json", "/nowhere"):
        answered = api.client.get(path, headers=headers)  # type: ignore[arg-type]
        error = answered.json()["error"]
        assert (answered.status_code, error["type"], error["code"]) == (401, "authentication_error", "no_token")
        assert answered.headers["www-authenticate"] == "Bearer"
        assert TOKEN not in answered.text
    assert api.client.post(CHAT, json=BODY, headers=headers).status_code == 401  # type: ignore[arg-type]


def test_with_the_token_all_is_told(open_api: OpenApi) -> None:
    api = open_api(access=Access(TOKEN))
    assert status(api, authorization=f"Bearer {TOKEN}") == status(api, authorization=f"bearer {TOKEN}") == 200
    assert status(api, "GET", "/info", authorization=f"Bearer {TOKEN}") == 200


@pytest.mark.parametrize("path", ["/health", "/ready", "/", "/page/page.js"])
def test_whether_it_lives_and_its_page_are_told_to_everybody(open_api: OpenApi, path: str) -> None:
    assert status(open_api(access=Access(TOKEN)), "GET", path) == 200


def test_a_token_is_in_no_representation() -> None:
    assert TOKEN not in repr(Access(TOKEN))


@pytest.mark.parametrize("path", ["/", "/page/page.js", "/info", "/v1/models", "/nowhere", "/health"])
def test_every_answer_bears_the_headers_that_tell_browsers_to_be_careful(api: Api, path: str) -> None:
    headers = api.client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["content-security-policy"].startswith("default-src 'none'")


def test_a_fault_and_a_refusal_bear_them_too(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = api.client.get("/info", headers={"host": "evil.example"})
    monkeypatch.setattr("rejoinder.serving.service.Service.reply", None)
    fault = api.post(CHAT, BODY)
    assert (refused.status_code, fault.status_code) == (403, 500)
    for answered in (refused, fault):
        assert answered.headers["x-content-type-options"] == "nosniff"
        assert answered.headers["cache-control"] == "no-store"


def test_the_page_may_load_what_is_its_own_and_nothing_else(api: Api) -> None:
    page = api.client.get("/")
    policy = dict(rule.split(" ", 1) for rule in page.headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "connect-src": "'self'",
        "img-src": "'self' data:", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
    }  # fmt: skip
    assert page.headers["content-type"].startswith("text/html")
    assert "<script>" not in page.text
    assert " style=" not in page.text


def test_answers_are_kept_in_no_cache(api: Api) -> None:
    assert api.post(CHAT, BODY).headers["cache-control"] == "no-store"
    assert api.client.get("/info").headers["cache-control"] == "no-store"
