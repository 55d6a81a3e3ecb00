"""What stands before or behind a word and says that it is somebody's name, or that it is none."""

from __future__ import annotations

import re

_KIN = (
    "brother|sister|bro|sis|cousin|uncle|aunt|auntie|aunty|son|daughter|nephew|niece|husband|wife|hubby|wifey|"
    "fiancee?|boyfriend|girlfriend|bf|gf|friend|bestie|bff|buddy|roommate|flatmate|neighbou?r|boss|manager|coworker|"
    "colleague|teacher|coach|doctor|dentist|therapist|lawyer|landlord|nanny|babysitter|grandma|grandpa|granny|"
    "patient|passenger|driver|agent|professor|pastor|kid|twin|ex"
)

#: Characters of a text in front of a word that may hold a cue.
REACH = 40

#: "how's", "where is", "whos"
_WHERE_IS = r"(?:how|where|who)(?:[’']?s| is)"

#: Behind these a name follows, whatever it looks like: "my name is ...", "call me ...", "Mrs ...".
INTRODUCED = re.compile(
    r"(?:\b(?:(?:first|last|full|middle|nick|sur|real)[ -]?)?name(?:[’']?s| is| was|d|:| =| -)?(?: is| was|:)?"
    r"|\bcall(?:s|ed|ing)? (?:me|him|her|them)|\bi go by|\b(?:mr|mrs|ms|dr|prof)\.?"
    r"|\b(?:attn|fao|signed|signed by|sincerely|regards|xoxo|yours),?)[ \n\t]*[\"“(]?$",
    re.IGNORECASE,
)

#: Behind these a name follows, even if it is a word.
MY_NAME = re.compile(r"\b(?:my name(?:[’']?s| is)|i go by)[ \t]+", re.IGNORECASE)

#: Behind these a capitalised name may follow, and something of `SAYS_WHO` behind it: "im ..., nice to meet you".
I_AM = re.compile(r"\b(?:i[’']?m|i am|this is|it[’']?s)[ \t]+$", re.IGNORECASE)
SAYS_WHO = re.compile(
    r"\s*(?:$|[.,!?;:)\n])|[ \t]+(?:what[’']?s|and (?:you|u|who)|nice|btw|by the way|here|speaking|from)\b",
    re.IGNORECASE,
)

#: Behind these stands who it is: "my sister ...".
KIN = re.compile(rf"\b(?:my|his|her|our|your|ur|their) (?:{_KIN}),?[ \t]+$", re.IGNORECASE)

_SPOKEN_OF = (
    r"ask(?:ed)? for|voted for|ask|tell|told|met|dating|date a|according to|aka|sir|madam|i[’']?m called|"
    r"talked? to|(?:call|text|message|letter|note) (?:to|from)|(?:not )?me,? its|who invited|do you know if|"
    r"is this|"
    r"(?:a )?hug from|love u,|ring|(?:no ?one|everyone|everybody|nobody) (?:likes|loves|hates)|"
    rf"(?:my|his|her|our|your|their|ur|the) (?:\w+ )?(?:{_KIN})|uncle|aunt|grandma|grandpa|patient|passenger"
)
_GREETING = (
    r"hi|hey|hello|heya|hiya|(?:hi+|hey+|hello),? (?:this is|it[’']?s|i[’']?m|i am)|dear|"
    r"thanks|thank you|thx|ty|(?:thanks|thank you|thx) for [\w ]{1,25},|bye|goodbye|so,|ugh\.|"
    r"good (?:morning|night|evening)|morning|happy birthday|congrats|reaching out,|cheers,"
)
#: Behind these a name may follow: a word that no list knows is one.
SPOKEN_OF = re.compile(
    rf"(?:\b(?:{_SPOKEN_OF})|(?:^|[.!?,\n]\s*)(?:{_GREETING})),?[ \t]+$"
    # "roommate: ...", "who's driving? ..."
    rf"|\b(?:{_KIN}):[ \t]+$|\bwho[^.!?\n]{{0,30}}\?[ \t]+$",
    re.IGNORECASE,
)

#: The same, for a capitalised word that the recogniser takes for a place or a firm: to it, rare names are such.
PERHAPS = re.compile(
    r"\b(?:with|to|give|does|did|so|by|love|us|better|named the \w+|a|for|ring|call|text|miss|hate|than|"
    rf"{_WHERE_IS}|what about|i[’']?m|invited)[, ]+$",
    re.IGNORECASE,
)

#: The same, for a word that neither chats nor a dictionary know.
STRANGE = re.compile(
    r"(?:\b(?:with|without|by|for|and|about|than|except|besides|between|next to|hi to|hello to|heard from|"
    r"what about|miss|invited?|ring|call|text|dm|kiss|hug|marry|married|dump(?:ed)?|saw|seen|remind|thank|trust|"
    r"believe|help|pay|owes?|show|give|gave|bring|send|sent|let|wake(?: up)?|pick(?:ed)? up|dropp?(?:ed)? off|"
    rf"forgive|blame|warn|teach|block|unblock|add|beat|crush on|cheated on|does|did|{_WHERE_IS}|"
    r"that[’']?s so|poor|love (?:u|you)|know better|sorry|dude|bro|come on)|,)[, \t]+$",
    re.IGNORECASE,
)
#: In front of these stood such a word.
STRANGE_DOES = re.compile(
    r"[ \t]+(?:wants|thinks|lives|works|gave|sent|left|promised|owes|keeps|came|went|ate|drank|slept|smiled|dances|"
    r"sings|cooks|drives|moved|passed|failed|quit|married|and (?:i|me)|here$)\b",
    re.IGNORECASE,
)
#: Behind such a word at the beginning of a text.
ADDRESSED = re.compile(r"[ \t]*(?:,|[!?.]*$)")

#: Of a surname.
_INITIAL = r"(?:[ \t]\w\.?)?"

_DOES = (
    "said|says|told|texted|called|scored|snores|thinks|thought|replied|wrote|asked|cheated|promised|invited|"
    "ate|cried|laughed|lied|forgot|hates|loves|likes|"
    "(?:is|was) (?:driving|crying|coming|so|still|sick|late|here|mad|my)|just (?:texted|called|left|sent)|"
    "got (?:fired|hired|married|engaged|divorced|pregnant|drunk|sick|mad)|dropped out|"
    "sent (?:me|u|you|us)|owes me|still lives|knows|(?:even |really )?know how|wants to|pls|posted"
)
#: In front of these stood a name: "... said", "... is driving me mad", "... and he is", "give ... a hug".
SPEAKS = re.compile(
    rf"{_INITIAL}[ \t]+(?:{_DOES}|and (?:i|s?he)|s?he[’']s|(?:you|u) (?:are|r) (?:such|so)|a (?:hug|kiss|call))\b"
    # "...!!!! come here"
    r"|!*[ \t]+come (?:here|over)",
    re.IGNORECASE,
)

#: In front of these stood whoever did it, whatever the word: "... called me".
TELLS = re.compile(
    rf"{_INITIAL}[ \t]+(?:said|says|told|texted|called|replied|wrote|asked|promised|invited|laughed|cried|lied|"
    r"cheated|snores|owes me|just (?:texted|called|left|sent|told|said)|"
    r"got (?:fired|hired|married|engaged|divorced|pregnant))\b",
    re.IGNORECASE,
)

#: Behind a name, where nothing else says that the word was one: the end of a clause, or what somebody is or did.
NAME_ENDS = re.compile(
    r"\s*(?:$|[.,!?;:)\n])|[ \t]+(?:is|was|has|had|isn[’']?t|wasn[’']?t|doesn[’']?t|didn[’']?t|and|who|lol|haha|"
    r"said|says|told|texted|called|asked)\b",
    re.IGNORECASE,
)

#: In front of these stood a name with an "s": "...s number".
OWNS = re.compile(
    r"[ \t]+(?:number|house|place|birthday|bday|party|car|phone|insta|snap|email|mom|mum|dad|parents|brother|"
    r"sister|wife|husband|girlfriend|boyfriend|gf|bf|kids?|dog|cat)\b",
    re.IGNORECASE,
)

#: In front of these stood a name with an apostrophe and an "s".
OWNED = re.compile(rf"[’']s{OWNS.pattern}", re.IGNORECASE)

#: Words between two names.
AND = re.compile(r",? (?:and|or|n|und|y|et) |, | ?& ?|\+", re.IGNORECASE)

#: Behind these follows the name of a place: "San Diego", "Mount Shasta".
PLACE_BEFORE = re.compile(
    r"\b(?:san|santa|sao|são|st\.?|saint|mount|mt\.?|fort|ft\.?|costa|port|lake) $", re.IGNORECASE
)

#: In front of these stood the name of a place or a firm: "Brigham Young University". No "Hall": Annie's surname.
PLACE_BEHIND = re.compile(
    r"(?: [A-Z][\w’']*)? (?:University|College|Institute|Academy|High School|Center|Centre|Library|Building|"
    r"County|Airport|Hospital|Museum|Stadium|Apartments|Inc|Corp)\b"
)

#: In front of a word that is no name there.
_DETERMINES = re.compile(
    r"\b(?:an?|the|this|that|these|those|my|your|ur|his|her|our|their|its|some|any|no|every|each|another|more|most|"
    r"much|many|such|very|too|of)[ \t]+$",
    re.IGNORECASE,
)

#: In front of a verb, and behind one.
_BEFORE_VERB = re.compile(
    r"(?:\b(?:i|you|u|we|they|he|she|it|to|not|do|does|did|can|could|would|should|will|may|might|just|really|always|"
    r"never|please|pls|let[’']?s|who|and)|n[’']?t)[ \t]+$",
    re.IGNORECASE,
)
_BEHIND_VERB = re.compile(
    r"[ \t]+(?:i|you|u|ur|your|we|they|he|she|it|its|to|so|that|this|the|a|my|for|be|not|have|get|do|go|see|come|"
    r"make|take|everyone|everything|all|there)\b",
    re.IGNORECASE,
)


def is_cued(text: str, start: int, end: int) -> bool:
    """Tell whether what stands beside some characters of a text speaks of a person."""
    before = text[max(0, start - REACH) : start]
    return bool(INTRODUCED.search(before) or SPOKEN_OF.search(before) or SPEAKS.match(text, end))


def is_determined(text: str, start: int, end: int, *, is_verb: bool) -> bool:
    """Tell whether what stands beside some characters of a text says that they are a word and nobody's name.

    Args:
        text: one message.
        start: of the characters.
        end: of the characters.
        is_verb: whether the word may be a verb: "hope", "will".

    Returns:
        Whether they are.
    """
    before = text[max(0, start - REACH) : start]
    if _DETERMINES.search(before):
        return True
    return is_verb and bool(_BEFORE_VERB.search(before) or _BEHIND_VERB.match(text, end))
