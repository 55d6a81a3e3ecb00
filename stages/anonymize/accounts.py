"""Names of accounts that a site's name nearby gives away: "my insta is ..."."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stages.anonymize.lexicon import Lexicon
from stages.anonymize.spans import Span

_SITES = (
    "insta(?:gram)?|ig|snap(?:chat)?|discord|twitter|tik ?tok|telegram|skype|steam|psn|gamer ?tag|kik|venmo|"
    "cash ?app|reddit|twitch|user ?name|user|handle|xbox(?: live)?|facebook|fb|messenger|whatsapp"
)
#: Looked for first: it is one search where the patterns below are three.
_PREFILTER = re.compile(rf"\b(?:{_SITES})", re.IGNORECASE)

_ACCOUNTS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # my insta account is jo.doe, snap: jo_doe
        rf"\b(?:{_SITES})(?: (?:account|name|username|handle|id|tag|user))?"
        r"(?:(?:[’']?s| is|:| -| =|=| as| called| →) ?|: ?)[\"“]?@?(?P<hit>\w[\w.-]{1,30}\w)",
        # add me on insta, i am jo_doe: whatever is no plain word
        rf"\b(?:{_SITES})\b.{{0,30}}?[ @](?P<hit>(?=\S{{0,31}}[^\W\d_])"
        r"(?=\S{0,31}\w[._\d-]+\w|\S{0,31}[_\d])\w[\w.-]{2,30}\w)",
        # i'm jo_doe on discord
        rf"\b(?:i[’']?m|i am|it[’']?s|its|add(?: me)?|find me|me as|called|as) @?(?P<hit>\w[\w.-]{{2,30}}\w)"
        rf" (?:on|in|at) (?:my )?(?:{_SITES})\b",
        # are you on insta? mine is jodoe
        rf"\b(?:{_SITES})\b.{{0,30}}\b(?:mine(?:[’']?s| is)|i[’']?m|its|it[’']s|add me[ :]*) @?"
        r"(?P<hit>\w[\w.-]{2,30}\w)",
    )
)


def find(text: str, lexicon: Lexicon) -> Iterator[Span]:
    """Find names of accounts.

    Args:
        text: one message.
        lexicon: tells a name from a word: "my snap is down".

    Yields:
        Spans, possibly overlapping.
    """
    if not _PREFILTER.search(text):
        return
    for match in (match for pattern in _ACCOUNTS for match in pattern.finditer(text)):
        name = match["hit"].lower()
        if not name.isalpha() or (name not in lexicon.common and len(name) > 3):
            yield Span(*match.span("hit"), "HANDLE", "handle.cue")
