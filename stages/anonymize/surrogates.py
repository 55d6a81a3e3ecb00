"""Surrogates: invented people, numbers and addresses in place of slots, for exports that must read naturally.

Each comes from an HMAC of the conversation and the surface, so the same one returns with the surface throughout its
conversation, and nobody without the key can tell what stood there. Numbers come from ranges that are set aside for
documentation and tests, so that they reach nobody.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from functools import cache

from stages.anonymize.lexicon import packaged
from stages.anonymize.slots import fold


class Surrogates:
    """The surrogates of one conversation."""

    def __init__(self, key: bytes, conversation: str, same: Mapping[str, str]) -> None:
        """Begin a conversation.

        Args:
            key: the secret.
            conversation: its id.
            same: folded names of people -> folded names of the same people.
        """
        self._key, self._conversation, self._same = key, conversation, same

    def __call__(self, kind: str, surface: str) -> str:
        """Return a surface's surrogate: as many words as the name has, in small letters if it has."""
        folded = fold(surface)
        identity = self._same.get(folded, folded) if kind == "PERSON" else folded
        message = f"{self._conversation}\0{kind}\0{identity}".encode()
        number = int.from_bytes(hmac.new(self._key, b"surrogate\0" + message, hashlib.sha256).digest(), "big")
        made = _MAKERS[kind](number, surface)
        return made.lower() if surface.islower() else made


def _person(number: int, surface: str) -> str:
    firsts, surnames = _names()
    words = [firsts[number % len(firsts)], surnames[number // 2**32 % len(surnames)]]
    return " ".join(words[: len(surface.split())])


@cache
def _names() -> tuple[list[str], list[str]]:
    lexicon = packaged()
    return tuple(
        [name.title() for name in sorted(names)] for names in (lexicon.first_names, lexicon.common_surnames)
    )  # type: ignore[return-value]


def _digits(number: int, surface: str) -> str:
    """Other digits in the same places."""
    digits = iter(str(number))
    return re.sub(r"\d", lambda _: next(digits, "0"), surface)


def _age(number: int, surface: str) -> str:
    return re.sub(r"\d+", str(18 + number % 63), surface, count=1)


def _birth_date(number: int, _: str) -> str:
    return f"{1945 + number % 60}-{1 + number // 60 % 12:02}-{1 + number // 720 % 28:02}"


#: Type -> (number of 256 bits, surface) -> surrogate. Sources: RFC 2606 (example.com), RFC 5737 (192.0.2.0/24), the
#: North American plan's fictional 555-01xx, area 900 of US social security numbers, which is never issued.
_MAKERS: Mapping[str, Callable[[int, str], str]] = {
    "PERSON": _person,
    "EMAIL": lambda n, _: f"user{n % 10**6:06}@example.com",
    "URL": lambda n, _: f"https://example.com/{n % 16**8:08x}",
    "HANDLE": lambda n, s: f"{'@' if s.startswith('@') else ''}user_{n % 10**6:06}",
    "IP": lambda n, _: f"192.0.2.{n % 256}",
    "PHONE": lambda n, _: f"202-555-01{n % 100:02}",
    "SSN": lambda n, _: f"900-{n % 100:02}-{n // 100 % 10**4:04}",
    "CARD": lambda n, _: f"4000 0000 0000 {n % 10**4:04}",
    "IBAN": lambda n, _: f"XX00 0000 0000 {n % 10**8:08}",
    "ADDRESS": lambda n, _: f"{1 + n % 998} Example Street",
    "BIRTH_DATE": _birth_date,
    "AGE": _age,
    "NUMBER": _digits,
}
