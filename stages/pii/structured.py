"""What has a form of its own: addresses, numbers and handles, by pattern and check digit."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from stages.pii.spans import Span

#: One pass that 9 of 10 chat lines leave at once: without any of these no pattern below can match.
_PREFILTER = re.compile(r"[@\d]|://|www\.|\w\.[a-z]", re.IGNORECASE)

#: Endings of addresses written without "www."; more of them would turn a missing space ("go.to") into an address.
_DOMAINS = "com|org|net|edu|gov|io|tv|info|biz|co\\.uk|de|fr|ru"

_IBAN_SHORTEST = 15  # Norway


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of ISO/IEC 7812-1 (Luhn)."""
    doubled = [int(d) * (1 + i % 2) for i, d in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def mod_97(iban: str) -> bool:
    """Whether characters three and four are the check digits of ISO 7064 (mod 97-10) over the rest."""
    turned = iban[4:] + iban[:4]
    return int("".join(str(int(c, 36)) for c in turned)) % 97 == 1


def _card(found: str) -> int:
    return len(found) if luhn(re.sub(r"\D", "", found)) else 0


def _iban(found: str) -> int:
    # The pattern may have run on into the next word: shorten group by group until the check digits agree.
    while found:
        compact = re.sub(r"\s", "", found)
        if len(compact) < _IBAN_SHORTEST:
            return 0
        if mod_97(compact):
            return len(found)
        found = found.rpartition(" ")[0]
    return 0


def _phone(fewest: int) -> Callable[[str], int]:
    # At most 15 digits (ITU-T E.164); with too few it is rather a date, a sum or a score.
    return lambda found: len(found) if fewest <= len(re.sub(r"\D", "", found)) <= 15 else 0


def _ip(found: str) -> int:
    try:
        ipaddress.ip_address(found)
    except ValueError:
        return 0
    return len(found)


def _url(found: str) -> int:
    return len(found.rstrip(".,;:!?)]}'\"*"))


#: Type, pattern, and how many of the found characters count (0: a false alarm).
_DETECTORS: tuple[tuple[str, re.Pattern[str], Callable[[str], int]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE), check)
    for kind, pattern, check in (
        ("EMAIL", r"(?<![\w.+-])[\w.%+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?!\w)", len),
        ("URL", r"(?<!\w)(?:https?://|www\.)[^\s<>]+", _url),
        ("URL", rf"(?<![\w@.-])(?:[\w-]+\.)+(?:{_DOMAINS})(?![\w-])(?:/[^\s<>]*)?", _url),
        ("HANDLE", r"(?<![\w@./])@[^\W\d]\w{1,30}(?:\.\w{1,30}){0,3}", len),
        ("IP", r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)", _ip),
        ("IP", r"(?<![\w:])(?:[0-9a-f]{1,4}:{1,2}){2,7}[0-9a-f]{1,4}(?![\w:])", _ip),
        ("IBAN", r"(?<![a-z0-9])[a-z]{2}[0-9]{2}(?: ?[a-z0-9]{2,4}){3,8}(?![a-z0-9])", _iban),
        ("CARD", r"(?<!\d)\d{4}([ -]?)\d{4}\1\d{4}\1\d{4}(?!\d)", _card),
        ("CARD", r"(?<!\d)3\d{3}([ -]?)\d{6}\1\d{5}(?!\d)", _card),
        ("CARD", r"(?<!\d)\d{13,19}(?!\d)", _card),
        ("SSN", r"(?<![\w-])(?!000|666|9)\d{3}([- ])(?!00)\d{2}\1(?!0000)\d{4}(?![\w-])", len),
        # International; North American (ten digits, then seven); and national with a leading zero.
        ("PHONE", r"(?<!\w)\+\d{1,3}(?:[ ./-]?\(?\d{1,4}\)?){2,6}(?!\w)", _phone(8)),
        ("PHONE", r"(?<![\w.])(?:1[ .-]?)?(?:\(\d{3}\)|\d{3})[ ./-]?\d{3}[ .-]?\d{4}(?!\w)", len),
        ("PHONE", r"(?<![\w.-])\d{3}-\d{4}(?![\w-])", len),
        ("PHONE", r"(?<![\w.-])0\d{1,4}[ ./-]\d{2,4}(?:[ ./-]?\d{2,4}){1,3}(?!\w)", _phone(9)),
        # Whatever the patterns above do not know: nobody types six digits in a row for fun.
        ("NUMBER", r"\d{6,}", len),
    )
)


def find(text: str) -> list[Span]:
    """Find everything identifying that has a form of its own.

    Args:
        text: one message.

    Returns:
        Spans, possibly overlapping, in no particular order.
    """
    if not _PREFILTER.search(text):
        return []
    spans = []
    for kind, pattern, check in _DETECTORS:
        for match in pattern.finditer(text):
            if length := check(match[0]):
                spans.append(Span(match.start(), match.start() + length, kind))
    return spans
