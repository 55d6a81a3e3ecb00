"""A folder as a source: any store can be pulled from, and is believed no further than its signatures."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.errors import NotFoundError, TransferError
from registry.pull.pull import pull
from registry.pull.sources.folder import FolderSource
from rejoinder.errors import BundleError, FreshnessError, IntegrityError
from rejoinder.parts.notes import read_notes
from rejoinder.parts.opened import open_release
from rejoinder.release.canonical import Digest
from rejoinder.release.proof import Installed
from rejoinder.release.signature import MAX_BYTES
from rejoinder.release.trust import Trust
from rejoinder.store.store import Store
from tests.bundles import KINDS, WHOLE, build_forms, build_whole, pin, put_in_store
from tests.rejoinder.parts.test_opened import flip


@pytest.fixture
def node(tmp_path: Path) -> Store:
    """An empty store to pull into."""
    return Store(tmp_path / "node")


@pytest.fixture
def both(store: Store, other: Installed) -> Store:
    """A store with a second release, which is current."""
    put_in_store(store, pin(other.bundles, serial=2))
    return store


def test_what_is_current_there_becomes_current_here(store: Store, node: Store, pristine: Installed) -> None:
    pulled = pull(node, source=FolderSource(store.root))
    assert (pulled.release, pulled.is_new) == (pristine.release, True)
    opened = open_release(node.current())
    assert opened.release == pristine.release
    opened.close()
    again = pull(node, source=FolderSource(store.root))
    assert (again.release, again.is_new) == (pristine.release, False)


def test_a_pull_finds_out_what_runs_the_model_fastest_so_that_no_server_has_to(tmp_path: Path, node: Store) -> None:
    source = Store(tmp_path / "source")
    source.root.mkdir()
    put_in_store(source, pin(build_whole(tmp_path / "formed", model=build_forms)))
    pull(node, source=FolderSource(source.root))
    (note,) = read_notes(node.choices).values()
    opened = open_release(node.current())
    assert str(opened.vectorizer.execution) == note.execution
    opened.close()
    put_in_store(source, pin(build_whole(tmp_path / "later", 1, model=build_forms), serial=2))
    pull(node, source=FolderSource(source.root), keep=1)
    pull(node, source=FolderSource(source.root), keep=1)
    assert len(read_notes(node.choices)) == len(list((node.root / "bundles").glob("*"))) / len(WHOLE)


def test_a_release_is_found_by_alias_and_by_serial(both: Store, pristine: Installed) -> None:
    source = FolderSource(both.root)
    current, previous = both.current_digest(), both.previous_digest()
    assert source.resolve("rejoinder", "champion").digest == source.resolve("rejoinder", 2).digest == current
    assert source.resolve("rejoinder", "previous").digest == source.resolve("rejoinder", 1).digest == previous
    pointer = source.resolve("rejoinder", 1)
    assert (pointer.digest, pointer.place) == (
        pristine.release.digest, str(both.release_dir(pristine.release.digest)),
    )  # fmt: skip


@pytest.mark.parametrize(("name", "which"), [("rejoinder", 7), ("other", 1), ("rejoinder", "challenger")])
def test_what_is_not_there_is_named(both: Store, name: str, which: str | int) -> None:
    with pytest.raises(NotFoundError) as caught:
        FolderSource(both.root).resolve(name, which)
    assert str(caught.value).startswith(f"release {name} {which}: not in {both.root}. Next: ")


def test_an_empty_folder_has_nothing(tmp_path: Path, node: Store) -> None:
    for which in ("champion", "previous", 1):
        with pytest.raises(NotFoundError):
            pull(node, which=which, source=FolderSource(tmp_path / "empty"))
    assert not node.current_file.exists()


def test_bundles_are_found_by_digest(store: Store, pristine: Installed) -> None:
    source = FolderSource(store.root)
    for kind in KINDS:
        digest = pristine.release.bundles[kind]
        assert source.bundle("rejoinder", kind, digest) == str(store.bundle_dir(digest))
    with pytest.raises(NotFoundError, match="cache bundle sha256:000"):
        source.bundle("rejoinder", "cache", Digest("sha256:" + "0" * 64))


class TestFetch:
    """One file."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        (tmp_path / "place").mkdir()
        (tmp_path / "place" / "file").write_bytes(b"12345")
        return tmp_path / "place"

    def test_the_bytes_arrive_in_the_place_of_what_was_begun(self, place: Path, tmp_path: Path) -> None:
        target = tmp_path / "target"
        target.write_bytes(b"xyz")
        FolderSource(tmp_path).fetch(str(place), "file", target, 5)
        assert target.read_bytes() == b"12345"
        FolderSource(tmp_path).fetch(str(place), "file", target)
        assert target.read_bytes() == b"12345"

    @pytest.mark.parametrize("size", [4, 6])
    def test_another_size_is_refused_before_a_byte_is_written(self, place: Path, tmp_path: Path, size: int) -> None:
        with pytest.raises(TransferError) as caught:
            FolderSource(tmp_path).fetch(str(place), "file", tmp_path / "target", size)
        assert str(caught.value) == f"{place / 'file'}: expected {size} bytes, got 5"
        assert not (tmp_path / "target").exists()

    def test_a_file_of_unknown_size_has_a_limit(self, place: Path, tmp_path: Path) -> None:
        source = FolderSource(tmp_path)
        with (place / "file").open("wb") as file:
            file.truncate(MAX_BYTES)
        source.fetch(str(place), "file", tmp_path / "target")
        with (place / "file").open("wb") as file:
            file.truncate(MAX_BYTES + 1)
        with pytest.raises(TransferError, match=f"expected {MAX_BYTES} bytes at most, got {MAX_BYTES + 1}"):
            source.fetch(str(place), "file", tmp_path / "target")

    def test_nothing_a_folder_and_a_link_are_refused(self, place: Path, tmp_path: Path) -> None:
        (place / "folder").mkdir()
        (place / "link").symlink_to(place / "file")
        for name in ("none", "folder", "link"):
            with pytest.raises(NotFoundError, match=f"{name}: expected a plain file"):
                FolderSource(tmp_path).fetch(str(place), name, tmp_path / "target")


def test_damage_at_the_source_is_refused_and_the_current_release_stays(
    both: Store, node: Store, pristine: Installed
) -> None:
    source = FolderSource(both.root)
    pull(node, which=1, source=source)
    flip(both.current().bundles["index"] / "replies.jsonl", 0.5)
    with pytest.raises(TransferError, match=r"replies\.jsonl"):
        pull(node, source=source)
    digest = both.current_digest()
    assert digest is not None
    flip(both.release_dir(digest) / "verdict.json", 0.5)
    with pytest.raises(IntegrityError, match=r"verdict\.json"):
        pull(node, source=source)
    assert node.current().release == pristine.release


def test_an_old_folder_cannot_take_a_machine_back(both: Store, node: Store, tmp_path: Path) -> None:
    source = FolderSource(both.root)
    pull(node, source=source)
    previous = both.previous_digest()
    both.current_file.write_text(f"{previous}\n")  # whoever may write the folder points it at the past
    with pytest.raises(FreshnessError, match="serial: expected at least 2"):
        pull(node, source=source)
    assert node.current().release.serial == 2
    assert pull(node, which=1, source=source).release.serial == 1  # a person's own decision


def test_a_folder_of_a_stranger_is_refused(store: Store, node: Store, tmp_path: Path) -> None:
    nobody = Trust(tmp_path / "nobody")
    with pytest.raises(BundleError, match="not signed by a trusted key"):
        pull(node, source=FolderSource(store.root), trust=nobody)
    assert not node.current_file.exists()


class TestRepair:
    """What was damaged on this machine's disk is fetched again."""

    @pytest.fixture
    def pulled(self, both: Store, node: Store) -> Store:
        pull(node, which=1, source=FolderSource(both.root))
        pull(node, source=FolderSource(both.root))
        return node

    @pytest.mark.parametrize("file", ["release.json", "release.sig", "verdict.json", "bom.json"])
    def test_of_a_release_folder(self, pulled: Store, both: Store, file: str) -> None:
        digest = pulled.current_digest()
        assert digest is not None
        for damage in (lambda path: flip(path, 0.6), lambda path: path.write_bytes(b""), Path.unlink):
            damage(pulled.release_dir(digest) / file)
            assert not pull(pulled, source=FolderSource(both.root)).is_new
            open_release(pulled.current()).close()

    @pytest.mark.parametrize("text", ["", "{", "sha256:12", "sha256:" + "0" * 64])
    @pytest.mark.parametrize("pointer", ["current", "previous"])
    def test_of_a_pointer(self, pulled: Store, both: Store, pointer: str, text: str) -> None:
        right = both.current_digest()
        (pulled.root / pointer).write_text(text)
        pull(pulled, source=FolderSource(both.root))
        assert pulled.current_digest() == right
        assert pulled.previous_digest() in (None, both.previous_digest())
        open_release(pulled.current()).close()
