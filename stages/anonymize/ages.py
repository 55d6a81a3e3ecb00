"""Dates of birth and ages: numbers that a word nearby makes personal."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stages.anonymize.spans import Span

_MONTH = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    "oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_CENTURY = r"(?:19|20)\d{2}"
_YEAR = rf"(?:{_CENTURY}|[’']?\d{{2}})"
_DATES = (
    # 1990-05-02
    r"\d{4}[-/. ]\d{1,2}[-/. ]\d{1,2}",
    # 2/5/90, 02. 05. 1990
    r"\d{1,2} ?[-/. ] ?\d{1,2} ?[-/. ] ?(?:\d{4}|\d{2})",
    # 02051990
    r"\d{8}|\d{6}",
    # the 2nd of may, 1990
    rf"(?:the )?{_DAY}[ -]?(?:day )?(?:of )?{_MONTH}\b\.?(?:[ ,-]{{0,2}}{_YEAR}\b)?",
    # may 2nd in 1990
    rf"{_MONTH}\b\.?[ -](?:the )?{_DAY}\b(?:[ ,-]{{1,2}}(?:in )?{_YEAR}\b)?",
    # may 1990, 1990
    rf"(?:{_MONTH} )?{_CENTURY}\b",
    # 2/5
    r"\d{1,2}[/-]\d{1,2}\b(?!%)",
)
_DATE = f"(?P<hit>{'|'.join(_DATES)})"
_BIRTHS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # born in Oslo on 2/5/90
        r"\b(?:born|birth ?da(?:y|te)|b-?day|d\.?o\.?b\b|date of birth|birth\b)"
        rf"[^\d\n]{{0,40}}?(?<!\w){_DATE}",
        # 2/5/90 is my birthday
        rf"(?<!\w){_DATE}[^\d\n.!?]{{0,25}}\b(?:is|was|s) (?:my|his|her|their|our) "
        r"(?:birthday|bday|date of birth|dob)",
    )
)

_OLD = r"(?:[ -]?(?:years?|yrs?|yr|y)[ -]?(?:old|o\b)|[ ]?y/?o\b|[ -]?years? of age|[ ]yrs\b)"
#: No number of something: "age 5%", "turned 90 degrees".
_NO_UNIT = r"(?! ?(?:%|degrees|pages|am\b|pm\b|times|minutes|days)|\w|[.,:/]\d)"
#: What may follow "I'm 20": an end, a mark, a word that counts nothing, a smiley.
_END = (
    r"(?=\s*(?:$|[,.!?;)\n](?!\d)|(?:and|now|but|so|lol|haha|from|m\b|f\b|male|female|too|btw|today|tomorrow|next|"
    r"this|rn|atm|single|already|years?\b|yrs)(?!\w)|[^\w\s.,:/%$€£-]))"
)
_ABOUT = "(?: only| just| already| almost| about| like| now)?"
_WHO = (
    r"(?:(?:my|his|her|our|your|ur|their) (?:\w+ )?(?:son|daughter|kid|child|baby|boy|girl|twin|brother|sister|bro|"
    r"sis|"
    r"cousin|nephew|niece|mom|mum|dad|wife|husband|gf|bf|girlfriend|boyfriend)|i|he|she)"
)
_AGES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # 20 years old, 20yo
        rf"(?<![\w.$€£])(?P<hit>\d{{1,3}}{_OLD})",
        # age: 20, aged 20
        r"\b(?:my |his |her |your |their )?age(?:d|s)?(?: is| was|:| of|=)? ?(?P<hit>[1-9]\d?)(?![\w%]|[.,:/]\d)",
        # just turned 20
        rf"\bturn(?:ed|ing|s)? (?P<hit>[1-9]\d?){_NO_UNIT}",
        # i'm only 20, she is 20
        r"\b(?:i[’']?m|i am|he[’']?s|she[’']?s|he is|she is|is|was)"
        rf"{_ABOUT} (?P<hit>[1-9]\d){_END}",
        # my son is 7, she just turned 7
        rf"\b{_WHO}(?:[’']?s|[’']?m| is| am| was)?{_ABOUT} (?P<hit>[1-9]\d?){_END}",
        # when i was 7
        r"\b(?:when|since|until|til|till) (?:i|you|u|he|she|we|they) (?:was|were|is|turned|turn)"
        rf" (?P<hit>[1-9]\d?){_NO_UNIT}",
        # 20/f, m/20
        r"(?<![\w.$€£/])(?P<hit>[1-9]\d ?/ ?[mf])(?!\w|[/.,]\d)",
        r"(?<![\w.$€£/])(?P<hit>[mf] ?/ ?[1-9]\d)(?!\w|[/.,]\d)",
        # 20f, m20
        r"(?<![\w.$€£])(?P<hit>[1-9]\d ?[mf])(?!\w|[.,]\d)",
        r"(?<![\w.$€£'’])(?P<hit>[mf][1-9]\d)(?!\w|[.,]\d)",
    )
)


def find(text: str) -> Iterator[Span]:
    """Find dates of birth and ages.

    Args:
        text: one message.

    Yields:
        Spans, possibly overlapping.
    """
    for pattern in _BIRTHS:
        yield from (Span(*match.span("hit"), "BIRTH_DATE", "birth") for match in pattern.finditer(text))
    for pattern in _AGES:
        yield from (Span(*match.span("hit"), "AGE", "age") for match in pattern.finditer(text))
