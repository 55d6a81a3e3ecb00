"""What has a form of its own: addresses of the net, numbers and handles, by pattern and check digit."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from itertools import takewhile

from stages.anonymize.lexicon import packaged
from stages.anonymize.spans import Span

#: One pass that 9 of 10 chat lines leave at once: without any of these no pattern below can match.
_PREFILTER = re.compile(r"[@\d]|://|www\.|\w\.[a-z]|\bat\b.{1,70}\bdot\b|::|\bu/", re.IGNORECASE)

#: Endings of addresses written without "www.": generic ones, and countries (ISO 3166) that are no English words.
_DOMAINS = (
    "com|org|net|edu|gov|mil|int|info|biz|name|mobi|xyz|dev|gg|tv|io|(?:co|com|org|ac|gov|net|edu)\\.[a-z]{2}|"
    "ac|ad|ae|af|ag|al|ao|ar|au|aw|az|ba|bb|bd|bg|bh|bj|bm|bo|br|bs|bt|bw|bz|ca|cc|cd|cf|cg|ch|ci|ck|cl|cm|cn|co|cr|cu|"
    "cv|cy|cz|dj|dk|dm|dz|ec|ee|eg|er|et|eu|fi|fj|fm|fo|fr|gd|ge|gh|gl|gm|gn|gp|gq|gr|gt|gu|gy|hk|hn|hr|ht|hu|ie|il|iq|"
    "ir|je|jm|jo|jp|ke|kg|kh|km|kn|kr|kw|ky|kz|lb|lc|li|lk|lr|ls|lt|lu|lv|ly|mc|md|mg|mh|mk|ml|mm|mn|mq|mr|mt|mu|mv|mw|"
    "mx|mz|nc|ne|ng|ni|nl|np|nr|nu|nz|pe|pf|pg|ph|pk|pl|pr|ps|pt|py|qa|ro|rs|ru|rw|sb|sc|sd|sg|sk|sl|sm|sn|sr|st|su|sv|"
    "sy|sz|tc|td|tg|tj|tk|tl|tm|tn|tr|tt|tw|tz|ua|ug|uk|uy|uz|vc|ve|vg|vn|vu|ws|ye|za|zm|zw"
)
#: Endings that are words as well, which a missing space puts behind a full stop ("nice.me too").
_WORDS = (
    "me|it|in|us|es|de|se|ai|is|be|at|app|site|online|shop|store|club|blog|page|live|news|space|tech|cloud|link|world|"
    "today|email|pro|jobs|travel|games|art"
)

#: Countries that have account numbers of this form (SWIFT, IBAN registry).
_IBAN_COUNTRIES = re.compile(
    "A[DELTZ]|B[AEGHIRY]|C[HRYZ]|D[EJKO]|E[EGS]|F[IOR]|G[BEILRT]|H[RU]|I[ELQST]|JO|K[WZ]|L[BCITUVY]|M[CDEKNRTU]|"
    "N[ILO]|OM|P[KLST]|QA|R[OSU]|S[ACEIKMOTV]|T[LNR]|UA|V[AG]|XK",
    re.IGNORECASE,
)

_IBAN_SHORTEST = 15  # Norway

Check = Callable[[str], int]


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of ISO/IEC 7812-1 (Luhn)."""
    doubled = [int(d) * (1 + i % 2) for i, d in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def mod_97(iban: str) -> bool:
    """Whether characters three and four are the check digits of ISO 7064 (mod 97-10) over the rest."""
    turned = iban[4:] + iban[:4]
    return int("".join(str(int(c, 36)) for c in turned)) % 97 == 1


def _digits(found: str) -> str:
    return re.sub(r"\D", "", found)


def _card(found: str) -> int:
    return len(found) if luhn(_digits(found)) else 0


def _iban(found: str) -> int:
    # The pattern may have run on into the next word: shorten it group by group until the check digits agree.
    while _IBAN_COUNTRIES.match(found):
        groups = re.split(r"[ -]", found)
        printed = len(groups) == 1 or all(len(group) == 4 for group in groups[:-2])
        if printed and len("".join(groups)) >= _IBAN_SHORTEST and mod_97("".join(groups)):
            return len(found)
        found = re.sub(r"[ -]?[^ -]*$", "", found)
    return 0


def _phone(found: str) -> int:
    """Accept what is grouped as nobody groups dates, years, sums or counting; at most 15 digits (ITU-T E.164)."""
    number = re.split(r"[ ,]*(?:x|ext)", found, maxsplit=1, flags=re.IGNORECASE)[0]
    groups = re.findall(r"\d+", number)
    digits = sum(map(len, groups))
    if not 7 <= digits <= 15 or (digits < 9 and all(len(group) <= 2 for group in groups)):
        return 0
    years = all(len(group) == 4 and group[:2] in ("19", "20") for group in groups)
    thousands = re.fullmatch(r"\d{1,3}(?:[ .]\d{3})*[ .]000", number)
    return 0 if years or thousands or _DATE.fullmatch(number.strip()) else len(found)


_DATE = re.compile(r"\d{4}([-/. ])\d{1,2}\1\d{1,2}|\d{1,2}([-/. ])\d{1,2}\2(?:\d{2}|\d{4})")


def _ip(found: str) -> int:
    try:
        ipaddress.ip_address(found)
    except ValueError:
        return 0
    return len(found) if len(found) > 2 else 0


def _url(found: str) -> int:
    return len(found.rstrip(".,;:!?)]}'\"*"))


def _mentioned(found: str) -> int:
    """Accept the words of an account's name up to one that begins a sentence: "@Ann Lee" of "@Ann Lee You"."""
    first, *others = found.split(" ")
    named = takewhile(lambda word: word.lower() not in packaged().function_words, others)
    return len(" ".join([first, *named]))


def _spelt(found: str) -> int:
    # "look at google.com" has neither.
    return len(found) if "@" in found or "dot" in found.lower() else 0


_HOST = r"(?<![\w@.-])(?:[\w-]+\.)+"
_AT = r"(?:@|\(at\)|\[at\]|(?<= )at(?= ))"
_DOT = r"(?:\.|\(dot\)|\[dot\]|(?<= )dot(?= ))"

#: Type, rule, pattern, and how many of the found characters count (0: a false alarm).
_DETECTORS: tuple[tuple[str, str, re.Pattern[str], Check], ...] = tuple(
    (kind, rule, re.compile(pattern, re.IGNORECASE), check)
    for kind, rule, pattern, check in (
        # jo.doe+x@mail.example.org
        ("EMAIL", "email", r"(?<![\w.+-])[\w.%+'-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?!\w)", len),
        # jo at example dot com, jo [at] example.com
        (
            "EMAIL",
            "email.spelt",
            rf"(?<![\w.+-])(?:[\w+-]{{1,64}} ?{_DOT} ?){{0,3}}[\w.+-]{{2,64}} ?{_AT} ?[\w-]{{2,63}} ?{_DOT} ?"
            r"(?:com|net|org|edu|de|fr|it|es|pl|nl|uk|co|io)(?!\w)",
            _spelt,
        ),
        # https://example.com/a?b=1, www.example.com
        ("URL", "url", r"(?<!\w)(?:https?://|ftp://|www\.)[^\s<>]+", _url),
        # example.co.uk, example.com:80/a
        ("URL", "url.bare", rf"{_HOST}(?:{_DOMAINS})(?![\w-]|\.\w)(?:[:/][^\s<>]*)?", _url),
        (
            "URL",
            "url.word",
            rf"(?<![\w@.-])(?=[\w.-]*[\w-]{{5}}\.){_HOST}(?:{_WORDS})(?![\w-]|\.\w)(?:[:/][^\s<>]*)?",
            _url,
        ),
        # bit.example/a1
        ("URL", "url.path", rf"{_HOST}[a-z]{{2,10}}/[\w?=&%#~./-]+", _url),
        # @jo.doe
        ("HANDLE", "handle.at", r"(?<![\w@./])@\w\w{1,30}(?:[.-]\w{1,30}){0,3}", len),
        # @Jo Doe
        ("HANDLE", "handle.name", r"(?<![\w@./])@(?-i:[A-Z][a-z]+(?: [A-Z][a-z]+){1,2})(?![\w'’])", _mentioned),
        # jo#1234
        ("HANDLE", "handle.tag", r"(?<![\w#])[^\W\d][\w.]{1,31}#\d{4}(?!\w)", len),
        # u/jo, /u/jo
        ("HANDLE", "handle.reddit", r"(?<!\w)/?u/[\w-]{3,20}(?!\w)", len),
        # 192.168.0.17
        ("IP", "ip.v4", r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d)", _ip),
        # fe80::1
        ("IP", "ip.v6", r"(?<![\w:.])(?=[0-9a-f:]*:[0-9a-f]*:)[0-9a-f:]{2,39}(?![\w:])", _ip),
        # DE89 3704 0044 0532 0130 00; in ASCII, since "ı" is an "I" to the case-blind
        (
            "IBAN",
            "iban",
            r"(?a:(?<![a-z0-9])[a-z]{2}[ -]?[0-9]{2}(?:[ -]?[a-z0-9]){11,30}(?![a-z0-9]))",
            _iban,
        ),
        # 4111 1111 1111 1111
        ("CARD", "card", r"(?<!\d)\d(?:[ .-]?\d){11,18}(?!\d)", _card),
        # 123-45-6789
        ("SSN", "ssn", r"(?<![\w-])(?!000|666)\d{3}([- .])(?!00)\d{2}\1(?!0000)\d{4}(?![\w-])", len),
        # +49 (30) 1234-5678, 0171/1234567, 555-3455 ext. 2
        (
            "PHONE",
            "phone",
            r"(?<![\w.])(?:\+ ?)?(?:\(\+?\d{1,5}\)|\d)(?:[ .\-/\u2011]{0,2}(?:\(\d{1,5}\)|\d)){3,16}"
            r"(?:,? ?(?:x|ext\.?) ?\d{1,6})?(?!\w)",
            _phone,
        ),
        # Whatever the patterns above do not know: nobody types six digits in a row for fun.
        ("NUMBER", "digits", r"\d{6,}", len),
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
    for kind, rule, pattern, check in _DETECTORS:
        for match in pattern.finditer(text):
            if length := check(match[0]):
                spans.append(Span(match.start(), match.start() + length, kind, rule))
    return spans
