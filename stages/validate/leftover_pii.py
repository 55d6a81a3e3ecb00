"""Personal data that anonymisation may have left: rules written independently of it.

Its expressions are not imported, and these were not copied from them: a gap there must not be a gap here. This net
is the wider one ("v1.2.3.4" is no address), so what it finds costs the row. The run stops only where forms that
hardly stand for anything else (`LEFTOVERS`) are found in too many rows of a source: then the anonymiser is broken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from itertools import accumulate

import polars as pl

from stages.checks import rule
from stages.checks.rule import Rule, Severity, matches, one_of

#: Sixteen lower-case hexadecimal digits: a sender after keyed hashing, never a name or an account.
KEYED_SENDER = r"\A[0-9a-f]{16}\Z"

#: Any address: something, an at sign, a dotted name.
EMAIL = r"[^\s@<>]@[^\s@<>]+\.[A-Za-z]{2,}"

#: A scheme or "www.", and something after it.
URL = r"(?i)\b(?:https?|ftp)://\w|\bwww\.\w"

#: A bare name under one of the oldest top-level domains. Also a missing blank ("bought it.net price").
#: Only its last letter is asked for: what stands before it would be read again from each of its letters.
DOMAIN = r"(?i)[a-z0-9]-*\.(?:com|org|net|edu|gov)\b"

#: An at sign before a word that no other word touches; three characters, as "@7" and "@me" are no accounts.
HANDLE = r"(?<![\w@.])@[A-Za-z_]\w{2,}"

#: Three, two and four digits with hyphens, without the areas, groups and serials that are never issued
#: (ssa.gov, "Social Security Number Randomization").
SSN = r"(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])"

_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"

#: Four octets; or six and more groups of hexadecimal digits; or a first group of three or four, and "::".
IP = (
    rf"(?i)(?<![\d.])(?:{_OCTET}\.){{3}}{_OCTET}(?!\.?\d)"
    r"|(?<![\w:])(?:(?:[0-9a-f]{1,4}:){5,7}[0-9a-f]{1,4}|(?=[a-f]*\d)[0-9a-f]{3,4}(?::[0-9a-f]{1,4})*::[0-9a-f:]*)"
    r"(?![\w:])"
)

#: Nine or more digits, with at most two separators between neighbours. Also dates, scores, people counting, and
#: what looks like a card or an account but has no right check digit.
PHONE = r"\d(?:[ ().\-/]{0,2}\d){8,}"

#: 13 to 19 digits (ISO/IEC 7812), in one piece or in the groups printed on cards: 4-4-4-1..7 and 4-6-5.
#: Single digits with blanks between them are somebody counting.
_CARD = re.compile(r"(?<!\d)\d{4}[ -]?(?:\d{4}[ -]?\d{4}[ -]?\d{1,7}|\d{6}[ -]?\d{5})(?!\d)")

#: Country, two check digits, up to 30 letters and digits (ISO 13616), in one piece or in groups of four.
_IBAN = re.compile(r"(?ai)(?<![a-z0-9])[a-z]{2}\d{2}(?:[ -]?[a-z0-9]{4}){2,7}(?:[ -]?[a-z0-9]{1,3})?")

#: Rules that hardly anything but personal data breaks.
LEFTOVERS = ("no_email", "no_url", "no_handle", "no_iban", "no_card", "no_ssn", "no_ip", "no_digits")

#: The minus sign is no dash to Unicode, but is to who types one.
_MINUS = "\u2212"


def privacy_rules(max_digits: int) -> tuple[Rule, ...]:
    """List the rules on what must not be left.

    Args:
        max_digits: longest run of digits in a text.

    Returns:
        The rules, over the columns `sender` and `plain`, and those of `checked_numbers`.
    """
    digits = rf"\d{{{max_digits + 1},}}"
    keyed = "sender is 16 lower-case hexadecimal digits, that is, keyed"
    free_of = partial(rule.free_of, column="plain")
    return (
        matches("sender_keyed", "critical", keyed, "sender", KEYED_SENDER),
        free_of("email", "row", "e-mail address", EMAIL),
        free_of("url", "row", "web address with a scheme or www", URL),
        free_of("handle", "row", "@handle", HANDLE),
        _none("iban", "row", "bank account (IBAN with the right check digits)"),
        _none("card", "row", "payment card number (with the right check digit)"),
        free_of("ssn", "row", "social security number (3-2-4 digits)", SSN),
        free_of("ip", "row", "IP address", IP),
        free_of("digits", "row", f"run of more than {max_digits} digits", digits),
        free_of("phone", "row", "phone number: nine or more digits in groups", PHONE),
        free_of("domain", "row", "bare web address", DOMAIN),
    )


def _none(what: str, severity: Severity, words: str) -> Rule:
    return one_of(f"no_{what}", severity, what, (False,), f"text holds no {words}")


def plain(texts: pl.Series) -> pl.Series:
    """Write texts as the patterns above read them, since people also write "202–555 0143" with other characters.

    Args:
        texts: with nulls.

    Returns:
        Column plain: letters and digits of any width as the usual ones, blanks and hyphens of any kind as " " and
        "-", neither characters of no width nor marks.
    """
    # Texts in ASCII, nearly all, are plain.
    odd = texts.str.contains(r"[^\x00-\x7F]").fill_null(False).arg_true()
    written = (
        texts.gather(odd)
        .str.normalize("NFKC")
        .str.replace_all(r"[\p{Cf}\p{Mn}\p{Me}]", "")
        .str.replace_all(r"\p{Zs}", " ")
        .str.replace_all(rf"[\p{{Pd}}{_MINUS}]", "-")
    )
    return texts.clone().scatter(odd, written).alias("plain")


def checked_numbers(texts: pl.Series) -> pl.DataFrame:
    """Find numbers with check digits, which no expression can verify.

    Args:
        texts: plain, with nulls.

    Returns:
        Columns card and iban, boolean: whether the text holds one.
    """
    # A card has 13 digits at least; an IBAN has fewer in a few countries only, with eleven (Malta is the least).
    rich = (texts.fill_null("").str.count_matches(r"\d") >= 11).arg_true()
    found = [(has_card(text), has_iban(text)) for text in texts.gather(rich)]
    none = pl.repeat(False, texts.len(), dtype=pl.Boolean(), eager=True)
    columns = {"card": [card for card, _ in found], "iban": [iban for _, iban in found]}
    return pl.DataFrame({name: none.clone().scatter(rich, flags) for name, flags in columns.items()})


def has_card(text: str) -> bool:
    """Whether a plain text holds the number of a payment card."""
    return any(luhn(re.sub(r"\D", "", match[0])) for match in _CARD.finditer(text))


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    doubled = (2 * int(d) for d in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(d // 10 + d % 10 for d in doubled)) % 10 == 0


def has_iban(text: str) -> bool:
    """Whether a plain text holds the number of a bank account."""
    return any(mod_97(account) for match in _IBAN.finditer(text) for account in _accounts(match[0]))


def _accounts(found: str) -> Iterator[str]:
    """What may be the account: the groups up to each of them, as a word may follow the last."""
    return (account for account in accumulate(re.split("[ -]", found)) if len(account) >= 15)


def mod_97(account: str) -> bool:
    """Whether the two digits after the country are right (ISO 7064, MOD 97-10)."""
    number = "".join(str(int(character, 36)) for character in account[4:] + account[:4])
    return int(number) % 97 == 1
