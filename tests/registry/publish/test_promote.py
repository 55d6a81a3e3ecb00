"""Champion becomes only what is blessed, signed, whole, of one model and newer."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from registry.errors import NotFoundError, PromotionError, VerdictError
from registry.mlflow.artifacts import upload
from registry.mlflow.catalog import bundle_model, champion, read_catalog
from registry.mlflow.client import set_tag, versions
from registry.mlflow.connection import connect
from registry.publish.keys import new_key, trust_key
from registry.publish.new_release import LAST_SERIAL, take_serial, validity
from registry.publish.promote import Promotion, promote
from registry.publish.register import publish
from rejoinder.parts import Kind
from rejoinder.release.document import VERDICT, Release, parse_time
from rejoinder.release.proof import Installed
from rejoinder.release.trust import Trust
from rejoinder.release.vectorizer_spec import VectorizerId
from tests.bundles import reseal, write_verdict
from tests.registry.artifacts import forge, held, register, ship, stored_file, version_of

Bundles = Mapping[Kind, Path]


def verdict_bytes(folder: Path, bundles: Bundles, **more: Any) -> bytes:
    """What the gate would say."""
    return write_verdict(folder / "more.json", bundles, **more).read_bytes()


class TestPromote:
    """The challenger, or any release that is named."""

    def test_the_challenger_becomes_champion_and_the_champion_previous(
        self, registry_name: str, mine: Installed, other: Installed, tmp_path: Path
    ) -> None:
        first = register(mine.bundles, registry_name, tmp_path)
        assert held(registry_name) == {"challenger": 1}
        assert promote(registry_name) == Promotion(first, None, is_new=True)
        assert held(registry_name) == {"champion": 1}
        second = register(other.bundles, registry_name, tmp_path, champion=first)
        assert held(registry_name) == {"champion": 1, "challenger": 2}
        assert promote(registry_name) == Promotion(second, 1, is_new=True)
        assert held(registry_name) == {"champion": 2, "previous": 1}
        assert champion(registry_name) == second

    def test_promoting_again_changes_nothing(self, registry_name: str, mine: Installed, tmp_path: Path) -> None:
        release = register(mine.bundles, registry_name, tmp_path)
        promote(registry_name)
        for which in ("challenger", "champion", 1):
            assert promote(registry_name, which) == Promotion(release, 1, is_new=False)
        assert held(registry_name) == {"champion": 1}

    def test_another_challenger_stays_one(
        self, registry_name: str, mine: Installed, other: Installed, tmp_path: Path
    ) -> None:
        first = register(mine.bundles, registry_name, tmp_path)
        register(other.bundles, registry_name, tmp_path)
        assert promote(registry_name, 1).release == first
        assert held(registry_name) == {"champion": 1, "challenger": 2}

    def test_nothing_to_promote(self, registry_name: str) -> None:
        for which in ("challenger", "champion", 7):
            with pytest.raises(NotFoundError, match="not in MLflow"):
                promote(registry_name, which)


class TestRefused:
    """Every reason that a release is not fit, each found on an otherwise good one."""

    @pytest.fixture
    def good(self, registry_name: str, mine: Installed) -> Release:
        """The champion; its bundles are in MLflow."""
        return ship(mine.bundles, registry_name)

    def refusal(self, good: Release, which: int) -> str:
        """Why a promotion is refused; checks that nothing has changed."""
        before = held(good.name)
        with pytest.raises(PromotionError) as caught:
            promote(good.name, which)
        assert held(good.name) == before
        return str(caught.value)

    def test_unblessed(self, good: Release, mine: Installed, tmp_path: Path) -> None:
        verdict = verdict_bytes(
            tmp_path, mine.bundles, verdict="NOT_BLESSED", reasons=["worse"], champion=good.digest
        )
        said = self.refusal(good, forge(good, verdict).serial)
        assert "expected BLESSED, got NOT_BLESSED" in said
        assert "- worse" in said
        assert "(1 reason(s))" in said

    def test_no_verdict_at_all(self, good: Release) -> None:
        assert "not a verdict" in self.refusal(good, forge(good, b"{}").serial)

    def test_a_verdict_on_other_bundles(
        self, good: Release, mine: Installed, other: Installed, tmp_path: Path
    ) -> None:
        judged = {**mine.bundles, "cache": other.bundles["cache"]}
        verdict = verdict_bytes(tmp_path, judged, champion=good.digest)
        said = self.refusal(good, forge(good, verdict).serial)
        assert "the verdict is about other bundles" in said
        assert "cache: " in said
        assert "model: " not in said

    def test_unsigned(self, good: Release, mine: Installed, tmp_path: Path) -> None:
        release = forge(good, verdict_bytes(tmp_path, mine.bundles, champion=good.digest))
        stored_file(good.name, None, "release.sig").write_bytes(b"{}")
        said = self.refusal(good, release.serial)
        assert "not signed by a trusted key" in said
        assert "release.sig" in said

    def test_signed_by_a_key_that_nobody_trusts(self, good: Release, mine: Installed, tmp_path: Path) -> None:
        stranger = new_key("stranger", tmp_path / "keys")
        verdict = verdict_bytes(tmp_path, mine.bundles, champion=good.digest)
        release = forge(good, verdict, stranger.private)
        said = self.refusal(good, release.serial)
        assert "not signed by a trusted key" in said
        assert "another key's signature" in said
        trust_key(stranger.public, Trust.default())
        assert promote(good.name, release.serial).is_new  # so it was the key, and nothing else

    def test_changed_after_it_was_signed(self, good: Release, mine: Installed, tmp_path: Path) -> None:
        release = forge(good, verdict_bytes(tmp_path, mine.bundles, champion=good.digest))
        stored_file(good.name, None, VERDICT).write_bytes(verdict_bytes(tmp_path, mine.bundles))
        assert "verdict.json: expected sha256:" in self.refusal(good, release.serial)

    def test_a_bundle_that_the_artifact_store_has_lost_a_file_of(
        self, good: Release, mine: Installed, tmp_path: Path
    ) -> None:
        release = forge(good, verdict_bytes(tmp_path, mine.bundles, champion=good.digest))
        stored_file(good.name, "index", "shard-001.faiss").unlink()
        said = self.refusal(good, release.serial)
        assert "is incomplete in MLflow" in said
        assert "shard-001.faiss" in said

    def test_a_bundle_version_without_any_file(self, good: Release, mine: Installed, tmp_path: Path) -> None:
        release = forge(good, verdict_bytes(tmp_path, mine.bundles, champion=good.digest))
        shutil.rmtree(stored_file(good.name, "cache", "keys.npy").parent)
        assert versions(connect(), bundle_model(good.name, "cache"))  # MLflow takes it for READY
        said = self.refusal(good, release.serial)
        assert "-cache: bundle" in said
        assert "is incomplete in MLflow: NotFoundError" in said

    def test_a_bundle_that_is_not_there(self, good: Release, other: Installed, tmp_path: Path) -> None:
        verdict = verdict_bytes(tmp_path, other.bundles, champion=good.digest)
        pinned: dict[str, Any] = {"bundles": other.release.bundles, "vectorizer_id": other.release.vectorizer_id}
        assert "no bundle sha256:" in self.refusal(good, forge(good, verdict, **pinned).serial)

    def test_bundles_of_another_vectorizer(self, good: Release, mine: Installed, tmp_path: Path) -> None:
        verdict = verdict_bytes(tmp_path, mine.bundles, champion=good.digest)
        release = forge(good, verdict, vectorizer_id=VectorizerId("sha256:" + "0" * 64))
        said = self.refusal(good, release.serial)
        assert [kind for kind in mine.bundles if f"{kind} vectorizer_id" not in said] == []

    def test_one_bundle_of_another_vectorizer(
        self, good: Release, mine: Installed, other: Installed, tmp_path: Path
    ) -> None:
        mixed = {**mine.bundles, "index": other.bundles["index"]}
        tags = {"digest": other.release.bundles["index"], "kind": "index"}
        upload(connect(), f"{good.name}-releases", f"{good.name}-index", other.bundles["index"], tags)
        verdict = verdict_bytes(tmp_path, mixed, champion=good.digest)
        digests = {**good.bundles, "index": other.release.bundles["index"]}
        said = self.refusal(good, forge(good, verdict, bundles=digests).serial)
        assert "index vectorizer_id" in said
        assert "cache vectorizer_id" not in said

    def test_expired(self, good: Release, mine: Installed, tmp_path: Path) -> None:
        verdict = verdict_bytes(tmp_path, mine.bundles, champion=good.digest)
        release = forge(good, verdict, expires="2026-01-02T00:00:00+00:00")
        said = self.refusal(good, release.serial)
        assert "not fresh" in said
        assert "expires" in said

    def test_a_stale_verdict(self, good: Release, other: Installed, tmp_path: Path) -> None:
        late = register(other.bundles, good.name, tmp_path, champion=good)
        verdict = verdict_bytes(tmp_path, other.bundles, champion=good.digest)
        reseal(other.bundles["index"], candidates=5)
        ship(other.bundles, good.name, champion=good)
        early = forge(late, verdict)
        assert f"stale verdict: compared with champion {good.digest}" in self.refusal(good, early.serial)

    def test_an_older_serial(self, good: Release, other: Installed) -> None:
        ship(other.bundles, good.name, champion=good)
        with pytest.raises(PromotionError) as caught:
            promote(good.name, 1)
        assert "stale verdict" in str(caught.value)
        assert held(good.name) == {"champion": 2, "previous": 1}

    def test_an_older_serial_with_a_verdict_that_still_holds(
        self, good: Release, mine: Installed, tmp_path: Path
    ) -> None:
        verdict = verdict_bytes(tmp_path, mine.bundles, champion=good.digest)
        older, newer = forge(good, verdict), forge(good, verdict)
        promote(good.name, newer.serial)
        said = self.refusal(good, older.serial)
        assert "the champion is #3 already, and serials only rise" in said
        assert "rejoinder rollback --to 2" in said

    def test_tags_that_name_another_release_than_was_signed(
        self, good: Release, mine: Installed, tmp_path: Path
    ) -> None:
        release = forge(good, verdict_bytes(tmp_path, mine.bundles, champion=good.digest))
        set_tag(connect(), version_of(good.name, release.serial), "serial", "99")
        assert "its tags name another release than was signed" in self.refusal(good, 99)

    def test_all_reasons_are_given_in_one_message(self, good: Release, mine: Installed, tmp_path: Path) -> None:
        verdict = verdict_bytes(tmp_path, mine.bundles, champion="sha256:" + "0" * 64)
        fields: dict[str, Any] = {
            "expires": "2026-01-02T00:00:00+00:00",
            "vectorizer_id": VectorizerId("sha256:" + "0" * 64),
        }
        release = forge(good, verdict, **fields)
        set_tag(connect(), version_of(good.name, release.serial), "content", "other")
        said = self.refusal(good, release.serial)
        assert "(4 reason(s))" in said
        assert "its tags name" in said
        assert "vectorizer_id" in said
        assert "stale verdict" in said
        assert "expires" in said


class TestSerials:
    """Given out once."""

    def test_a_serial_is_not_given_out_again_after_its_release_was_deleted(
        self, registry_name: str, mine: Installed, tmp_path: Path
    ) -> None:
        first = register(mine.bundles, registry_name, tmp_path)
        version = version_of(registry_name, first.serial)
        connect().delete_model_version(registry_name, str(version.number))
        second = register(mine.bundles, registry_name, tmp_path)
        assert (first.serial, second.serial) == (1, 2)

    def test_a_lost_or_spoilt_tag_does_not_bring_old_serials_back(
        self, registry_name: str, mine: Installed
    ) -> None:
        ship(mine.bundles, registry_name)
        client = connect()
        for spoilt in ("0", "-5", "many", ""):
            client.set_registered_model_tag(registry_name, LAST_SERIAL, spoilt)
            assert take_serial(client, read_catalog(client, registry_name)) == 2

    def test_serials_rise_one_by_one(self, registry_name: str) -> None:
        assert [take_serial(connect(), read_catalog(connect(), registry_name)) for _ in range(3)] == [1, 2, 3]

    def test_a_release_is_valid_for_the_days_asked_for(self) -> None:
        created, expires = map(parse_time, validity(30))
        assert (expires - created).days == 30


class TestParts:
    """A new cache or index on an unchanged model."""

    @pytest.mark.parametrize("kind", ["cache", "index"])
    def test_one_part_is_released_on_an_unchanged_model(
        self, registry_name: str, mine: Installed, tmp_path: Path, kind: Kind
    ) -> None:
        first = ship(mine.bundles, registry_name)
        reseal(mine.bundles[kind], note="new")
        verdict = write_verdict(tmp_path / "v.json", mine.bundles, first.digest)
        second = publish({kind: mine.bundles[kind]}, verdict, registry_name).release
        assert promote(registry_name).release == second
        changed = {k for k in second.bundles if second.bundles[k] != first.bundles[k]}
        assert changed == {kind}
        assert second.vectorizer_id == first.vectorizer_id
        assert len(versions(connect(), bundle_model(registry_name, "model"))) == 1

    def test_a_part_of_another_model_is_refused(
        self, registry_name: str, mine: Installed, other: Installed, tmp_path: Path
    ) -> None:
        first = ship(mine.bundles, registry_name)
        mixed = {**mine.bundles, "index": other.bundles["index"]}
        verdict = write_verdict(tmp_path / "v.json", mixed, first.digest)
        with pytest.raises(Exception, match="index vectorizer_id"):
            publish({"index": other.bundles["index"]}, verdict, registry_name)
        assert held(registry_name) == {"champion": 1}

    def test_the_parts_that_are_left_out_must_be_in_mlflow(
        self, registry_name: str, mine: Installed, tmp_path: Path
    ) -> None:
        verdict = write_verdict(tmp_path / "v.json", mine.bundles)
        with pytest.raises(NotFoundError, match="no bundle"):
            publish({"index": mine.bundles["index"]}, verdict, registry_name)
        reseal(mine.bundles["index"], note="new")
        with pytest.raises(VerdictError, match="index: the gate judged"):
            publish({"index": mine.bundles["index"]}, verdict, registry_name)
