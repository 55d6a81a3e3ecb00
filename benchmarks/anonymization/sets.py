"""The lines that detectors are measured on: generated, presidio-evaluator's, and labelled real ones."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.anonymization.generate import generate
from benchmarks.anonymization.line import Line, Span
from stages.common.errors import DataError
from stages.common.messages import Message
from stages.ingest.readers import chitchat

if TYPE_CHECKING:
    from presidio_evaluator import InputSample

LABELS = Path(__file__).with_name("labels.jsonl")
SENTENCES, SEED = 1500, 20
#: presidio-evaluator's slots in our types. Towns, firms, jobs, titles and the like are out of scope.
SLOTS = {
    **dict.fromkeys(("person", "name", "name_female", "name_male"), "PERSON"),
    **dict.fromkeys(("first_name", "first_name_female", "first_name_male", "first_name_nonbinary"), "PERSON"),
    **dict.fromkeys(("last_name", "last_name_female", "last_name_male"), "PERSON"),
    "email": "EMAIL", "phone_number": "PHONE", "url": "URL", "credit_card_number": "CARD", "iban": "IBAN",
    "ssn": "SSN", "ip_address": "IP", "date_of_birth": "BIRTH_DATE", "age": "AGE",
    "address": "ADDRESS", "street_name": "ADDRESS", "building_number": "ADDRESS",
}  # fmt: skip
#: The street's part of a whole address: up to the flat, else to the first comma or line's end.
STREET = re.compile(r".*?\b(?:Apt\.|Suite) \d+|[^\n,]+", re.DOTALL)


def generated(half: str) -> list[Line]:
    """One half of the generated lines."""
    return [line for line in generate() if line.half == half]


def evaluator() -> list[Line]:
    """presidio-evaluator's own templates, filled by itself: 1,500 sentences, always the same.

    Its hospitals are left out: no template has one, and making their list asks Wikidata.
    """
    import numpy as np
    from presidio_evaluator.data_generator import presidio_sentence_faker as maker

    random.seed(SEED)  # it draws the middle initials before it seeds itself
    np.random.seed(SEED)
    records = maker.load_fake_person_df()
    records["date_time"] = "2019-03-14 09:26:53"  # else drawn up to the present second
    providers = [p for p in maker.presidio_additional_entity_providers if p is not maker.HospitalProvider]
    faker = maker.PresidioSentenceFaker(
        "en_US",
        lower_case_ratio=0.05,
        base_records=records,
        entity_providers=providers,
        entity_type_mapping={slot: slot for slot in maker.PresidioSentenceFaker.ENTITY_TYPE_MAPPING},
        provider_aliases=maker.PresidioSentenceFaker.PROVIDER_ALIASES,
        random_seed=SEED,
    )
    return [_of_sample(sample) for sample in faker.generate_new_fake_sentences(SENTENCES)]


def _of_sample(sample: InputSample) -> Line:
    text = sample.full_text
    raw = sorted((s.start_position, s.end_position, s.entity_type) for s in sample.spans)
    spans: list[Span] = []
    for start, end, slot in raw:
        street = slot == "address" and STREET.match(text, start, end)
        found = Span(start, street.end() if street else end, SLOTS.get(slot, slot.upper()))
        if found.type == "ADDRESS" and not re.search(r"\d", text[found.start : found.end]):
            found = found._replace(type="STREET")
        if spans and (spans[-1].type, found.type, start - spans[-1].end) == ("ADDRESS", "ADDRESS", 1):
            found = found._replace(start=spans.pop().start)  # house number and street are two slots
        spans.append(found)
        if found.end < end:
            spans.append(Span(found.end, end, "PLACE"))
    return Line(text, tuple(spans), template=str(sample.template_id))


def real() -> list[Line]:
    """The lines of labels.jsonl, with their texts from the packaged chit-chat.

    Returns:
        Lines whose `half` is the sample that they were drawn by.

    Raises:
        DataError: the package holds other texts than those that were labelled.
    """
    texts = {(m.conversation_id, m.message_id): m.text for m in _messages()}
    rows = [json.loads(row) for row in LABELS.read_text(encoding="utf-8").splitlines()]
    wrong = [n for n, row in enumerate(rows, start=1) if not _is_labelled(row, texts[_key(row)])]
    if wrong:
        raise DataError(f"{LABELS.name}: the texts of rows {wrong} differ from those that were labelled")
    return [Line(texts[_key(row)], tuple(Span(*span) for span in row["spans"]), row["sample"]) for row in rows]


def _key(row: dict[str, Any]) -> tuple[str, str]:
    return row["conversation_id"], str(row["message"])


def _is_labelled(row: dict[str, Any], text: str) -> bool:
    return hashlib.sha256(text.encode()).hexdigest().startswith(row["sha256"])


def _messages() -> Iterator[Message]:
    return (row for row in chitchat.read(Path()) if isinstance(row, Message))


def chat(count: int) -> list[str]:
    """The first messages of the packaged chit-chat, conversation by conversation, blank ones left out."""
    texts = (message.text for message in _messages() if message.text.strip())
    return [text for text, _ in zip(texts, range(count), strict=False)]
