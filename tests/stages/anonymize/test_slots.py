"""Slots: the same surface gets the same slot, and nothing but the spans changes."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from stages.anonymize.slots import Slots, fill, fold
from stages.anonymize.spans import TYPES, Span, resolve

SLOT = re.compile(r"<[A-Z_]+_\d+>")


@st.composite
def texts_with_spans(draw: st.DrawFn) -> tuple[str, list[Span]]:
    text = draw(st.text(st.characters(exclude_characters="<>"), min_size=1, max_size=40))
    starts = st.integers(0, len(text) - 1)
    spans = draw(st.lists(st.builds(lambda a, n, t: Span(a, min(a + n, len(text)), t, "x"), starts,
                                    st.integers(1, 9), st.sampled_from(TYPES))))  # fmt: skip
    return text, resolve(spans)


@settings(max_examples=100)
@given(texts_with_spans())
def test_no_span_stays_and_every_other_character_does(case: tuple[str, list[Span]]) -> None:
    text, spans = case
    ends = [0, *(span.end for span in spans)]
    starts = [*(span.start for span in spans), len(text)]
    between = [text[end:start] for end, start in zip(ends, starts, strict=True)]
    filled = fill(text, spans, Slots())
    assert SLOT.split(filled) == between
    assert [slot[1:].rsplit("_", 1)[0] for slot in SLOT.findall(filled)] == [span.type for span in spans]


@settings(max_examples=100)
@given(st.lists(st.text(max_size=5)), st.sampled_from(TYPES))
def test_surfaces_share_a_slot_if_they_fold_alike(surfaces: list[str], kind: str) -> None:
    slots = Slots()
    given_slots = [slots(kind, surface) for surface in surfaces]
    assert len(set(given_slots)) == len({fold(surface) for surface in surfaces})


def test_each_type_counts_for_itself() -> None:
    slots = Slots()
    assert [slots("PERSON", s) for s in ("Ann", "Bob", "ANN", "Ann  Lee", "ann lee")] == [
        "<PERSON_1>",
        "<PERSON_2>",
        "<PERSON_1>",
        "<PERSON_3>",
        "<PERSON_3>",
    ]
    assert slots("EMAIL", "Ann") == "<EMAIL_1>"


def test_names_of_one_person_share_a_slot_and_nothing_else_does() -> None:
    slots = Slots({"ann": "ann lee"})
    assert slots("PERSON", "Ann Lee") == slots("PERSON", "Ann") == "<PERSON_1>"
    assert slots("HANDLE", "ann lee") == "<HANDLE_1>"
    assert slots("HANDLE", "ann") == "<HANDLE_2>"


def test_filling_takes_any_replacement() -> None:
    spans = [Span(0, 3, "PERSON", "x"), Span(10, 12, "AGE", "x")]
    assert (
        fill("Ann, just 20.", spans, lambda kind, surface: f"[{kind}:{len(surface)}]")
        == "[PERSON:3], just [AGE:2]."
    )
