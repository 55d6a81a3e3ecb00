"""The key of the log, and the ids that it makes."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from rejoinder.errors import InputError
from rejoinder.home import home
from rejoinder.serving.decisions.pseudonyms import VARIABLE, Keyer, decisions_key, key_file


def test_an_id_is_the_same_for_the_same_text_and_another_for_another_kind_or_key() -> None:
    keyer = Keyer(b"a" * 32)
    assert keyer.keyed("user", "ann") == keyer.keyed("user", "ann")
    ids = {keyer.keyed(kind, "ann") for kind in ("user", "conversation", "reply")}
    ids |= {Keyer(b"b" * 32).keyed(kind, "ann") for kind in ("user", "conversation", "reply")}
    assert len(ids) == 6
    assert {len(i) for i in ids} == {32}


def test_any_text_has_an_id() -> None:
    assert len({Keyer(b"a" * 32).keyed("user", text) for text in ("", "\0", "\ud800", "é", "x" * 100_000)}) == 5


def test_a_keyer_does_not_show_its_key() -> None:
    assert "secret" not in repr(Keyer(b"secret" * 5))


def test_a_key_is_made_once_for_its_owner_alone() -> None:
    assert not key_file().exists()
    assert decisions_key() == decisions_key()
    assert stat.S_IMODE((home() / "decisions.key").stat().st_mode) == 0o600


def test_a_key_in_the_environment_comes_first_and_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "ab" * 32)
    assert decisions_key() == b"\xab" * 32
    assert not key_file().exists()


def test_workers_that_start_at_once_have_one_key(own_folder: Path) -> None:
    code = "from rejoinder.serving.decisions.pseudonyms import decisions_key; print(decisions_key().hex())"
    workers = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(6)]
    keys = {worker.communicate(timeout=60)[0] for worker in workers}
    assert keys == {f"{decisions_key().hex()}\n".encode()}
    assert [path.name for path in home().iterdir()] == ["decisions.key"]


@pytest.mark.parametrize("value", ["", "xyz", "ab" * 31, "ab" * 33])
def test_a_key_that_is_none_is_refused_and_not_quoted(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(InputError, match="64 hexadecimal digits") as caught:
        decisions_key()
    assert not value or value not in str(caught.value)


def test_a_key_that_others_may_read_is_refused() -> None:
    decisions_key()
    key_file().chmod(0o644)
    with pytest.raises(InputError, match="chmod 600"):
        decisions_key()


def test_whoever_erases_makes_no_key() -> None:
    with pytest.raises(InputError, match="REJOINDER_HOME"):
        decisions_key(make=False)
    assert not key_file().exists()
