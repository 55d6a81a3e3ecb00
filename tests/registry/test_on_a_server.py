"""The tests of publishing, promoting and pulling once more, against a server with PostgreSQL and authentication."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from deploy.mlflow_server import Server
from registry.errors import NotFoundError, TrackingError
from registry.publish.promote import rollback
from registry.pull.pull import pull
from rejoinder.errors import SignatureError
from rejoinder.parts.opened import open_current
from rejoinder.release.proof import Installed
from rejoinder.release.trust import Trust
from rejoinder.store.store import Store
from tests.mlflow_servers import act_as
from tests.registry.artifacts import ship

# Imported so that pytest collects them here too, with this module's fixtures.
from tests.registry.publish.test_register import (  # noqa: F401
    test_a_blessed_build_becomes_a_release,
    test_a_bundle_that_mlflow_has_lost_is_sent_again,
    test_a_stale_verdict,
    test_an_interrupted_registration_is_completed,
    test_an_unchanged_part_is_shared,
    test_registering_again_changes_nothing,
)
from tests.registry.pull.test_pull import (  # noqa: F401
    remote,
    successor,
    test_a_bundle_damaged_on_disk_is_fetched_again,
    test_a_flipped_bit_in_the_release_document_is_refused,
    test_a_lost_file_is_named,
    test_a_pulled_release_opens,
    test_half_a_file_is_refused,
    test_the_champion_comes_unless_another_is_named,
    test_what_a_killed_pull_left_is_completed,
)

pytestmark = pytest.mark.server
#: Of a rollback that looks for the deny list of the champion, too; with MLflow's client alone it was 125.
MOST_REQUESTS = 45


@pytest.fixture(autouse=True)
def on_the_server(server_env: Server) -> Server:
    """Every test of this module speaks to the server, as its publisher."""
    return server_env


def test_what_is_not_there_is_refused_with_a_hint(registry_name: str, tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match="and the name"):
        pull(Store(tmp_path / "node"), f"{registry_name}-nobody")
    with pytest.raises(NotFoundError, match="#9"):
        pull(Store(tmp_path / "node"), registry_name, 9)


def test_a_puller_that_may_only_read_serves_what_was_published(
    mlflow_server: Server, registry_name: str, mine: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = ship(mine.bundles, registry_name)
    act_as(mlflow_server, "puller", monkeypatch)
    store = Store(tmp_path / "node")
    assert pull(store, registry_name).release == release
    assert open_current(store).release == release
    with pytest.raises(SignatureError):
        pull(Store(tmp_path / "elsewhere"), registry_name, trust=Trust(tmp_path / "nobody"))


def test_a_rollback_asks_the_server_few_times(
    registry_name: str, mine: Installed, foreign: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    ship(foreign.bundles, registry_name, ship(mine.bundles, registry_name))
    asked: list[str | None] = []
    send = requests.Session.send

    def counted(session: requests.Session, request: requests.PreparedRequest, **settings: Any) -> requests.Response:
        asked.append(request.url)
        return send(session, request, **settings)

    monkeypatch.setattr(requests.Session, "send", counted)
    assert rollback(registry_name).release.bundles == mine.release.bundles
    assert len(asked) <= MOST_REQUESTS, asked
