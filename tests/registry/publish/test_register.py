"""Only what the gate has blessed, here and now, becomes a release; and it becomes one once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from registry.errors import TrackingError, TransferError, VerdictError
from registry.mlflow.artifacts import PAGES, sizes, upload
from registry.mlflow.catalog import bundle_model, champion, read_catalog
from registry.mlflow.client import drop_alias, versions
from registry.mlflow.connection import connect
from registry.publish.new_release import runtime_range
from registry.publish.register import publish
from rejoinder.errors import ConsistencyError, IntegrityError
from rejoinder.release.canonical import digest_file
from rejoinder.release.proof import Installed
from rejoinder.release.signature import SIGNATURE, SIGNED
from tests.bundles import KINDS, build_bundles, reseal, write_verdict
from tests.registry.artifacts import ship, stored_file
from tests.rejoinder.parts.test_opened import flip


def test_a_blessed_build_becomes_a_release(registry_name: str, mine: Installed, tmp_path: Path) -> None:
    verdict = write_verdict(tmp_path / "v.json", mine.bundles, metrics={"r@1": 0.4, "cpu": {"ms": 3}, "n": "x"})
    assert champion(registry_name) is None
    published = publish(mine.bundles, verdict, registry_name)
    release = published.release
    assert published.is_new
    assert (release.serial, release.name) == (1, registry_name)
    assert release.bundles == mine.release.bundles
    assert release.vectorizer_id == mine.release.vectorizer_id
    assert release.blessed.verdict == digest_file(verdict)
    assert champion(registry_name) is None
    assert read_catalog(connect(), registry_name).find("challenger").tags["digest"] == release.digest

    client = connect()
    (version,) = read_catalog(client, registry_name).releases
    assert version.tags["content"] == release.content
    assert client.get_run(version.run_id).data.metrics == {"r_1": 0.4, "cpu/ms": 3.0}
    assert set(sizes(version.source)) == {*SIGNED, SIGNATURE}


def test_pages_lie_beside_the_release(registry_name: str, mine: Installed, tmp_path: Path) -> None:
    verdict, page = write_verdict(tmp_path / "v.json", mine.bundles), tmp_path / "replies.html"
    page.write_text("<p>read me</p>")
    client = connect()
    for _ in range(2):
        publish(mine.bundles, verdict, registry_name, pages=[page])
        (version,) = read_catalog(client, registry_name).releases
        assert [file.path for file in client.list_artifacts(version.run_id, PAGES)] == [f"{PAGES}/replies.html"]


def test_registering_again_changes_nothing(registry_name: str, mine: Installed, tmp_path: Path) -> None:
    verdict = write_verdict(tmp_path / "v.json", mine.bundles)
    first = publish(mine.bundles, verdict, registry_name)
    again = publish(mine.bundles, verdict, registry_name)
    assert (again.release, again.is_new) == (first.release, False)
    client = connect()
    models = [registry_name, *(bundle_model(registry_name, kind) for kind in KINDS)]
    assert [len(versions(client, model)) for model in models] == [1, 1, 1, 1]


def test_an_unchanged_part_is_shared(registry_name: str, mine: Installed) -> None:
    first = ship(mine.bundles, registry_name)
    reseal(mine.bundles["index"], candidates=5)
    second = ship(mine.bundles, registry_name, champion=first)
    assert second.serial == 2
    assert champion(registry_name) == second
    client = connect()
    counts = {kind: len(versions(client, bundle_model(registry_name, kind))) for kind in KINDS}
    assert counts == {"model": 1, "cache": 1, "index": 2}


def test_a_registration_killed_before_its_alias_is_completed(
    registry_name: str, mine: Installed, tmp_path: Path
) -> None:
    verdict = write_verdict(tmp_path / "v.json", mine.bundles)
    first = publish(mine.bundles, verdict, registry_name)
    drop_alias(connect(), registry_name, "challenger")
    again = publish(mine.bundles, verdict, registry_name)
    assert (again.release, again.is_new) == (first.release, False)
    assert read_catalog(connect(), registry_name).find("challenger").tags["digest"] == first.release.digest


def test_not_blessed(registry_name: str, mine: Installed, tmp_path: Path) -> None:
    verdict = write_verdict(tmp_path / "v.json", mine.bundles, verdict="NOT_BLESSED", reasons=["r@1 fell to .2"])
    with pytest.raises(VerdictError, match=r"r@1 fell to \.2"):
        publish(mine.bundles, verdict, registry_name)
    assert champion(registry_name) is None


@pytest.mark.parametrize(
    "content", [None, "", "[]", "{}", '{"verdict": "BLESSED"}', '{"verdict": "BLESSED", "bundles": {"model": 1}}']
)
def test_not_a_verdict(mine: Installed, tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "v.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(VerdictError, match=r"v\.json"):
        publish(mine.bundles, path)


def test_a_champion_that_is_no_digest(mine: Installed, tmp_path: Path) -> None:
    path = write_verdict(tmp_path / "v.json", mine.bundles)
    path.write_text(json.dumps({**json.loads(path.read_text()), "champion": {"digest": "latest"}}))
    with pytest.raises(VerdictError, match="champion"):
        publish(mine.bundles, path)


def test_a_verdict_about_other_bundles(mine: Installed, other: Installed, tmp_path: Path) -> None:
    verdict = write_verdict(tmp_path / "v.json", mine.bundles)
    with pytest.raises(VerdictError, match="cache: the gate judged"):
        publish({**mine.bundles, "cache": other.bundles["cache"]}, verdict)


def test_a_stale_verdict(registry_name: str, mine: Installed, other: Installed, tmp_path: Path) -> None:
    early = write_verdict(tmp_path / "early.json", other.bundles)
    ship(mine.bundles, registry_name)
    with pytest.raises(VerdictError, match="stale"):
        publish(other.bundles, early, registry_name)
    assert versions(connect(), bundle_model(registry_name, "model"), digest=other.release.bundles["model"]) == []


def test_a_build_damaged_after_the_gate(registry_name: str, mine: Installed, tmp_path: Path) -> None:
    verdict = write_verdict(tmp_path / "v.json", mine.bundles)
    flip(mine.bundles["model"] / "model.cpu.onnx", 0.5)
    with pytest.raises(IntegrityError, match=r"model\.cpu\.onnx"):
        publish(mine.bundles, verdict, registry_name)
    assert versions(connect(), bundle_model(registry_name, "model")) == []


def test_parts_of_two_models(registry_name: str, mine: Installed, other: Installed, tmp_path: Path) -> None:
    mixed = {**mine.bundles, "index": other.bundles["index"]}
    with pytest.raises(ConsistencyError, match="index vectorizer_id"):
        publish(mixed, write_verdict(tmp_path / "v.json", mixed), registry_name)


def test_an_interrupted_registration_is_completed(registry_name: str, mine: Installed, tmp_path: Path) -> None:
    client = connect()
    tags = {"digest": mine.release.bundles["model"], "kind": "model"}
    upload(client, f"{registry_name}-releases", bundle_model(registry_name, "model"), mine.bundles["model"], tags)
    release = publish(mine.bundles, write_verdict(tmp_path / "v.json", mine.bundles), registry_name).release
    assert release.serial == 1
    assert len(versions(client, bundle_model(registry_name, "model"))) == 1


def test_a_bundle_that_mlflow_has_lost_is_sent_again(registry_name: str, mine: Installed, tmp_path: Path) -> None:
    verdict = write_verdict(tmp_path / "v.json", mine.bundles)
    first = publish(mine.bundles, verdict, registry_name)
    stored_file(registry_name, "cache", "keys.npy").unlink()
    again = publish(mine.bundles, verdict, registry_name)
    assert (again.release, again.is_new) == (first.release, False)
    assert stored_file(registry_name, "cache", "keys.npy").is_file()


def test_an_upload_that_does_not_arrive_makes_no_version(registry_name: str, tmp_path: Path) -> None:
    directory = tmp_path / "bundle"
    (directory / "folder").mkdir(parents=True)
    client = connect()
    with pytest.raises((TransferError, TrackingError)):
        upload(client, f"{registry_name}-releases", registry_name, directory, {})
    assert versions(client, registry_name) == []


def test_releases_of_many_serials_are_listed_over_all_pages(
    registry_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.mlflow.client._PAGE", 2)
    newest = None
    for serial in range(1, 6):
        newest = ship(build_bundles(tmp_path / str(serial), seed=serial), registry_name, champion=newest)
    found = read_catalog(connect(), registry_name).releases
    assert [version.tags["serial"] for version in found] == ["5", "4", "3", "2", "1"]


def test_the_runtime_range_is_one_minor_version() -> None:
    assert runtime_range("0.1.0") == ("0.1", "0.2")
    assert runtime_range("2.10.3") == ("2.10", "2.11")
