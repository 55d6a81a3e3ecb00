"""Texts that apps write themselves, in English, told from what people write.

A notice is recognised as a whole line only, and where it starts with its actor, only with the sender's own name or
"You": "Ann left the group" by Ben is gossip. WhatsApp's must be in its own letter case and punctuation: "poll: who
comes?" is talk.
"""

from __future__ import annotations

import re

#: Characters of a text that can be a notice.
MAX_NOTICE = 1000

_A_CALL = r"(?:the|a|an|your) (?:(?:group|video|audio|voice) )*(?:call|chat)"
_SENT = r"photo|picture|video|sticker|gif|attachment|link|file|location|live location|voice (?:message|clip)|post"

_MESSENGER_DEEDS = {
    "call": rf"(?:joined|started|ended) {_A_CALL}|missed {_A_CALL}(?: (?:from|with) .+)?|called you",
    "membership": r"(?:added|removed) .+ (?:to|from) the group|(?:left|joined) the group(?: via .+)?",
    "group": (
        r"named the group .+|changed the (?:group|chat|conversation) (?:photo|name|theme|colou?rs?)(?: to .+)?"
        r"|created (?:the|this) group|(?:set|cleared) .*\bnickname\b.*|set the (?:emoji|quick reaction) to .+"
        r"|turned (?:on|off) (?:disappearing|vanish|member|link) .+|(?:un)?pinned a message"
    ),
    "media": rf"sent (?:a|an|\d+) (?:{_SENT})s?(?: to the group)?",
    "unsent": r"unsent a message",
    "reaction": r"reacted \S+ to (?:your|\S+) message|waved at .+",
    "poll": r"created a (?:new )?poll\b.*|(?:voted|changed .+ vote|removed .+ vote)\b.* in the poll\b.*",
    "game": (
        r"(?:sent|invited) .+ (?:a game request|to play .+)|challenged .+ to (?:a game|play) .*"
        r"|(?:beat|set|got) .+ (?:high|best|new) score\b.*|scored \d.*"
    ),
}
_MESSENGER_LINES = {
    "call": r"(?:the )?(?:video chat|call) ended|missed (?:video |voice )?call",
    "contact": (
        r"you are now connected on messenger|you can now (?:message and )?call each other\b.*"
        r"|say hi to your new facebook friend, .+"
    ),
}

#: What an iPhone's exports put before all that nobody typed.
INSERTED = "\u200e"

_ENCRYPTED = (
    r"Messages (?:and calls are end-to-end encrypted|[^\n.]* secured with end-to-end encryption)\."
    r"(?: (?:No one|Only people|Tap|They)\b[^\n]*)?"
)
# Also without the mark, which Android leaves out.
_WHATSAPP_LINES = {
    "media": r"<\u200e?[^<>\n]+ omitted>|.*\u200e(?:image|video|GIF|document) omitted",
    "unsent": r"(?:This message was deleted|You deleted this message)(?: by admin [^\n]+)?\.?",
    "call": r"Missed (?:group )?(?:voice|video) call",
    "location": r"(?:[Ll]ive )?[Ll]ocation: https://\S+|[Ll]ive location shared",
    "poll": r"POLL:\n.+",
    "notice": rf"{_ENCRYPTED}|Waiting for this message\. This may take a while\.",
}
# Only behind the mark, or where no sender is named: people type these too.
_WHATSAPP_MARKED_LINES = {
    "media": r"(?:image|video|video note|audio|sticker|GIF|document|Contact card) omitted",
    "call": r"(?:Missed )?(?:[Gg]roup )?(?:[Vv]oice|[Vv]ideo) call(?:[,.] .+)?",
    "notice": r"Your security code with .+ changed\b.*",
}
# What a group was called may hold a colon; before it, ": " ends the name of a sender.
_WHATSAPP_EVENT = re.compile(
    r"(?:(?!: )[^\n])+? (?:created (?:group|community)"
    r"|changed the (?:subject|group name)(?: from [“\"][^\n]*[”\"])? to) [“\"][^\n]*[”\"]\.?"
    rf"|{_ENCRYPTED}"
)


def _compile(patterns: dict[str, str]) -> dict[str, re.Pattern[str]]:
    return {
        kind: re.compile(rf"(?:{pattern})[.!]?", re.IGNORECASE | re.DOTALL) for kind, pattern in patterns.items()
    }


def _exactly(patterns: dict[str, str]) -> dict[str, re.Pattern[str]]:
    return {kind: re.compile(pattern, re.DOTALL) for kind, pattern in patterns.items()}


_DEEDS, _LINES = map(_compile, (_MESSENGER_DEEDS, _MESSENGER_LINES))
_WHATSAPP, _WHATSAPP_MARKED = map(_exactly, (_WHATSAPP_LINES, _WHATSAPP_MARKED_LINES))


def messenger_notice(text: str, sender: str) -> str | None:
    """Tell what Messenger reports with a text, or None if a person wrote it.

    Args:
        text: of the message.
        sender: its sender's name, who is the actor of the notice.

    Returns:
        The kind of notice.
    """
    for actor in (f"{sender} ", "You "):
        if text.startswith(actor):
            deed = text.removeprefix(actor)
            return _line(deed, _DEEDS) or _line(text, _LINES)
    return _line(text, _LINES)


def _line(text: str, patterns: dict[str, re.Pattern[str]]) -> str | None:
    if len(text) > MAX_NOTICE:
        return None
    return next((kind for kind, pattern in patterns.items() if pattern.fullmatch(text)), None)


def whatsapp_notice(text: str) -> str | None:
    """Tell what WhatsApp puts in the place of a text, or None if a person wrote it.

    Args:
        text: what stands behind a sender's name, with the mark that an iPhone puts before what it inserts.

    Returns:
        The kind of notice; "event" for what stands behind the mark and is of no known kind.
    """
    shown = text.removeprefix(INSERTED)
    if kind := _line(shown, _WHATSAPP):
        return kind
    return None if shown == text else _line(shown, _WHATSAPP_MARKED) or "event"


def whatsapp_event(line: str) -> bool:
    """Tell whether a line with ": " in it reports an event, rather than what a sender wrote."""
    return len(line) <= MAX_NOTICE and bool(_WHATSAPP_EVENT.fullmatch(line))
