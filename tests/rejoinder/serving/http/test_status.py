"""What those are told who run the server: whether it lives, which release answers, and figures without a text."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import rejoinder
from tests.rejoinder.serving.apis import CHAT, Api, figure
from tests.rejoinder.serving.conftest import OpenApi

CANARY = "xylophone"


def test_a_server_that_lives_says_so(api: Api) -> None:
    assert api.client.get("/health").json() == {"status": "ok"}
    assert api.client.get("/ready").json() == {"status": "ready"}


def test_a_server_that_goes_away_is_not_ready_but_lives(api: Api) -> None:
    api.context.is_draining = True
    told = api.client.get("/ready")
    assert (told.status_code, told.json()["error"]["code"]) == (503, "draining")
    assert told.headers["retry-after"] == "1"
    assert api.client.get("/health").status_code == 200
    assert api.text("hello")  # what comes in the last moment is answered


def test_info_tells_which_release_answers_and_what_is_kept(api: Api, open_api: OpenApi, tmp_path: Path) -> None:
    told, release = api.client.get("/info").json(), api.context.release
    assert (told["name"], told["serial"], told["digest"]) == ("rejoinder", 1, release.digest)
    assert told["release"] == f"rejoinder #1 ({release.digest[7:19]})"
    assert (told["created"], told["expires"]) == (release.created, release.expires)
    assert (told["version"], told["swaps"]) == (rejoinder.__version__, 0)
    assert {"model", "heads", "ranker", "guard"} <= set(told["parts"])
    assert (told["log"], told["log_text"], told["retention_days"]) == (True, False, None)
    kept = open_api(with_text=True, folder=tmp_path / "other").client.get("/info").json()
    assert (kept["log"], kept["log_text"], kept["retention_days"]) == (True, True, 30.0)


def test_info_tells_nobody_where_things_are(api: Api, tmp_path: Path) -> None:
    assert str(tmp_path) not in api.client.get("/info").text
    assert "/" not in api.client.get("/info").json()["execution"]


def test_metrics_are_read_by_prometheus(api: Api) -> None:
    api.chat("hello")
    api.post("/v1/embeddings", {"input": ["hello", "i love pizza"]})
    told = api.client.get("/metrics")
    assert told.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(told.text)}
    assert {
        "rejoinder_requests", "rejoinder_request_seconds", "rejoinder_queue_seconds", "rejoinder_queue_rows",
        "rejoinder_batch_rows", "rejoinder_step_seconds", "rejoinder_turns", "rejoinder_dropped_candidates",
        "rejoinder_answers", "rejoinder_reactions", "rejoinder_feedback", "rejoinder_vote_storms",
        "rejoinder_decision_log_failures", "rejoinder_swaps",
    } <= families.keys()  # fmt: skip
    assert all(family.documentation for family in families.values())
    assert figure(told.text, "rejoinder_requests_total", endpoint=CHAT, status="200") == 1
    assert figure(told.text, "rejoinder_batch_rows_sum") == 3
    assert figure(told.text, "rejoinder_answers_total", route="free", source="replies", fallback="none") == 1
    assert figure(told.text, "rejoinder_turns_total", vector="cold") == 1
    assert figure(told.text, "rejoinder_step_seconds_count", step="rank") == 1


def test_the_release_that_answers_is_one_figure_of_one(api: Api) -> None:
    digest = api.context.release.digest[7:19]
    api.context.metrics.serving(api.context.release, rejoinder.__version__)
    labels = {"name": "rejoinder", "serial": "1", "digest": digest, "version": rejoinder.__version__}
    assert api.figure("rejoinder_release_info", **labels) == 1


def test_refusals_are_counted_by_their_status(api: Api) -> None:
    api.post(CHAT, {"messages": []})
    api.client.get("/info", headers={"host": "evil.example"})
    api.client.get("/nowhere")
    assert api.figure("rejoinder_requests_total", endpoint=CHAT, status="400") == 1
    assert api.figure("rejoinder_requests_total", endpoint="/info", status="403") == 1
    assert api.figure("rejoinder_requests_total", endpoint="other", status="404") == 1


def test_care_and_vetoes_are_counted(api: Api) -> None:
    api.chat("want hello")
    api.chat("hello", max_tokens=1)
    assert api.figure("rejoinder_answers_total", route="guard", source="guard") == 1
    assert api.figure("rejoinder_dropped_candidates_total", reason="max_tokens") == 22


@pytest.mark.parametrize("path", [f"/{CANARY}", f"/v1/models/{CANARY}", f"/page/{CANARY}"])
def test_no_label_holds_what_somebody_sent(api: Api, path: str) -> None:
    api.client.get(path)
    api.client.request(CANARY.upper(), CHAT)
    api.chat(f"my {CANARY}", user=CANARY, metadata={"conversation_id": CANARY}, model=CANARY)
    api.chat(f"my {CANARY}", user=CANARY, metadata={"conversation_id": CANARY})
    api.post(f"/v1/conversations/{CANARY}/feedback", {"ratings": {CANARY: 7}})
    api.react(CANARY, "love")
    assert CANARY not in api.client.get("/metrics").text.lower()
    assert CANARY not in api.said.getvalue().lower()
