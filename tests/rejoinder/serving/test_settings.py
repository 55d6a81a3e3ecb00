"""Nobody is let in by mistake: beyond loopback a token is needed, and a token is long."""

from __future__ import annotations

from pathlib import Path

import pytest

from rejoinder.errors import InputError
from rejoinder.serving.settings import Settings, check_access, is_loopback

TOKEN = "a-token-of-the-tests-0123456789"  # noqa: S105


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.1.2.3"])
def test_this_machine_alone_needs_no_token(host: str) -> None:
    assert is_loopback(host)
    check_access(Settings(Path(), host=host), no_auth=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "chat.example.org", "localhost.evil.example", ""])  # noqa: S104
def test_others_need_one_or_leave_in_so_many_words(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(InputError, match="expected a token where other machines can ask") as refused:
        check_access(Settings(Path(), host=host), no_auth=False)
    assert "REJOINDER_TOKEN" in str(refused.value)
    check_access(Settings(Path(), host=host), no_auth=True)
    check_access(Settings(Path(), host=host, token=TOKEN), no_auth=False)


@pytest.mark.parametrize("no_auth", [False, True])
def test_a_token_that_is_easily_guessed_is_refused_and_not_repeated(no_auth: bool) -> None:
    with pytest.raises(InputError, match="at least 16 characters") as refused:
        check_access(Settings(Path(), token="hunter2"), no_auth=no_auth)  # noqa: S106
    assert "hunter2" not in str(refused.value)


def test_a_token_is_in_no_representation() -> None:
    assert TOKEN not in repr(Settings(Path(), token=TOKEN))
