"""Street addresses, as people type them in some ten countries."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from stages.anonymize.spans import Span
from stages.anonymize.streets import CUES, NO_STREETS, PLACES, PREFIXES, STREETS, SUFFIXES, TURKISH, UNITS

# A part of an address is at most so long: without a bound, a run of hyphens would be searched again from each.
_WORD = rf"(?!(?:{NO_STREETS})\b)[^\W\d_][\w'’.-]{{0,40}}"
_CAPITAL = r"(?-i:[A-Z])[\w'’.-]{0,40}"

#: "221", "12b,", "No. 5/7"; not "$221".
_NO_SUM = r"(?<![\w.$€£:/-])"
_NUMBER = rf"{_NO_SUM}(?:\d{{1,6}}[a-z]?|h\. ?no\.? ?\d+|no\.? ?\d+)(?:/\d+)?[ ,]{{1,2}}"

#: ", Apt. 4", " #12"
_UNIT = rf"(?:,? ?(?:{UNITS})\b\.? ?#?\w{{1,6}}|,? ?# ?\d{{1,5}})"

#: "90210-1234", "SW1A 1AA", "1017 AB", "00-950", "01310-100"
_POSTCODE = (
    r"(?:\d{5}(?:-\d{4})?|[a-z]{1,2}\d[a-z\d]? ?\d[a-z]{2}|\d{4} ?[a-z]{2}|\d{2,3}[- ]\d{2,3}|\d{4,6}(?:-\d{3,4})?)"
    r"(?!\w)"
)

#: What follows a street: ", Springfield 12345", a new line and "12345 Springfield".
_TOWN = (
    rf"(?:(?:,\s*|\n|\s)(?:(?:{_WORD}[ ,]{{1,2}}){{0,4}}){_POSTCODE}"
    rf"(?:[ ,\n]{{1,2}}{_CAPITAL}(?:[ -]{_CAPITAL}){{0,3}}|[ ,]{{1,2}}[^\W\d_]{{3,40}}(?=[.,!?\n]|$))?)"
)
_REST = rf"{_UNIT}{{0,3}}{_TOWN}?"
#: The same, where a number and a name alone are not enough.
_MORE = rf"(?:{_UNIT}{{1,3}}{_TOWN}?|{_TOWN})"

_FLAT = r"(?:flat|studio|unit|apt|suite) ?\d{1,4}\w?,?\s+"
_FRENCH = "rue|avenue|av\\.|boulevard|bd|chemin|place|impasse|allee|quai|route"
_FRENCH_ARTICLE = r"(?: (?:de|du|des|la|le|les|l[’']\w+|d[’']\w+))*"

#: "no. 5", "nº 5", "s.n. 5" in front of the number of a house that stands behind its street.
_NO = r"(?:n[.º°o]? ?|nr\.? ?|no[:.]? ?|s\.n\. ?)?"

#: Times and shares are no numbers of houses: "live at 5 pm".
_NO_TIME = r"(?! ?(?:am|pm|o[’']?clock|ish|%|k\b)|:\d)"

_ADDRESSES = tuple(
    (rule, re.compile(pattern, re.IGNORECASE))
    for rule, pattern in (
        # 221b baker street, Apt 4, Springfield 12345
        ("address.street", rf"(?P<hit>(?:{_FLAT})?{_NUMBER}(?:{_WORD} ){{1,4}}?(?:{STREETS})\b\.?{_REST})"),
        # 12 oak hill, apt 4; 12 oak hill, springfield 12345
        ("address.place", rf"(?P<hit>{_NUMBER}(?:{_WORD} ){{1,3}}?(?:{PLACES})\b\.?{_MORE})"),
        # 1200 oak hill
        ("address.long", rf"(?P<hit>{_NO_SUM}\d{{3,6}} (?:{_WORD} ){{1,2}}?(?:{PLACES})\b)"),
        # 12 Oak Broadway, apt 4
        ("address.capital", rf"(?P<hit>{_NUMBER}(?:{_CAPITAL} ){{1,3}}?(?-i:[A-Z])\w{{0,40}}{_MORE})"),
        # flat 3, oak hill
        (
            "address.flat",
            rf"(?P<hit>\b{_FLAT}(?:\d{{1,4}}\w? )?(?:{_WORD} ){{1,3}}?(?:{STREETS}|{PLACES})\b{_TOWN}?)",
        ),
        # H. No. 12, Gandhi Chowk
        ("address.number", rf"(?P<hit>\bh\. ?no\.? ?\d+(?:/\d+)?,? {_WORD}(?: {_WORD})?{_TOWN}?)"),
        # calle mayor, 12; 12 rue de la paix 3
        (
            "address.prefixed",
            rf"(?<!\w)(?P<hit>(?:\d{{1,5}}(?: ?bis)?,? )?(?:{PREFIXES})\.? (?:{_WORD} ){{0,4}}{_WORD},? ?"
            rf"{_NO}\d{{1,5}}(?: ?[a-z]\b)?(?:[/ ]\d{{2,4}})?{_REST})",
        ),
        # 12 bis, rue de la paix
        (
            "address.french",
            rf"(?<![\w.])(?P<hit>\d{{1,4}}(?: ?bis| ?ter)?,? (?:{_FRENCH}){_FRENCH_ARTICLE}"
            rf"(?: {_WORD}){{1,3}}?(?=[,.\n!?]|$| \d){_TOWN}?)",
        ),
        # Lange Hauptstraße 12a, kerkstraat 5
        (
            "address.suffixed",
            r"(?<!\w)(?P<hit>(?:(?-i:[A-Z])[\w.-]{0,20}[ -]){0,2}(?:\w{0,20}[^\W\d_]{3}|(?<=-))"
            rf"(?:{SUFFIXES})\.? \d{{1,4}} ?[a-z]?(?:[/-]\d+)?\b{_REST})",
        ),
        # breite str. 12
        (
            "address.suffixed",
            rf"(?<!\w)(?P<hit>{_WORD}[ -](?:straße|strasse|str\.|weg|allee|platz|ring) \d{{1,4}}[a-z]?\b{_REST})",
        ),
        # atatürk mah. no: 5
        (
            "address.turkish",
            rf"(?<!\w)(?P<hit>(?:{_WORD} ){{1,4}}(?:{TURKISH})\.?,? ?(?:no[:. ]*)?\d{{1,5}}{_TOWN}?)",
        ),
        # PO Box 123, PSC 12 Box 3456
        (
            "address.box",
            r"(?<!\w)(?P<hit>(?:p\.? ?o\.? ?box|psc|uss|fpo|apo|dpo) ?\d{2,6}(?:,? (?:box \d+|\w+))?"
            rf"{_TOWN}?)",
        ),
        # I live at hill house 5
        (
            "address.cue",
            rf"\b(?:{CUES})[ :]+(?P<hit>(?:{_WORD}[ ,]+){{0,4}}\d{{1,6}}\w?(?:/\d+)?{_NO_TIME}"
            rf"(?:[ ,]+(?:{_WORD}|\d{{1,5}}(?:[/-]\d+)?\b)){{0,6}}{_REST})",
        ),
    )
)

#: Accents off, one character for one: street names are found however people type them.
_PLAIN = {
    code: base[0] for code in range(0xC0, 0x180) if len(base := unicodedata.normalize("NFKD", chr(code))) == 2
} | {ord("ı"): "i", ord("ł"): "l", ord("ø"): "o"}


def find(text: str) -> Iterator[Span]:
    """Find street addresses.

    Args:
        text: one message.

    Yields:
        Spans, possibly overlapping.
    """
    plain = text.translate(_PLAIN)
    for rule, pattern in _ADDRESSES:
        yield from (Span(*match.span("hit"), "ADDRESS", rule) for match in pattern.finditer(plain))
