"""Chat-style lines with known spans: templates.jsonl filled by Faker, the same every time.

The templates were written before the rules and without a look at them, and are frozen: a test holds the SHA-256
of all lines. Rules may be tuned on the half `tune`; the half `test` is for reporting, and whoever works on the
rules does not read it. A template belongs to a half by the parity of its id's SHA-256; ids were dealt out in a
shuffled order in which each type's templates fall about evenly on both halves.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from random import Random

import click

from benchmarks.anonymization.line import Line, Span
from benchmarks.anonymization.values import LOCALES, VALUES, faker_of, fold

TEMPLATES = Path(__file__).with_name("templates.jsonl")
#: Lines of a template with slots. One without gives itself and itself in small letters.
PER_TEMPLATE = 14
#: Share of lines written wholly in small letters, and of foreign values typed without accents.
LOWERCASE, FOLDED = 0.45, 0.5
#: Share of addresses that a town follows.
WITH_PLACE = 0.35

SLOT = re.compile(r"\{(\w+)\}")
NAMES = ("FIRST_NAME", "LAST_NAME")
Piece = tuple[str, str]
"""Text and its type; the type is empty between slots."""


def generate() -> list[Line]:
    """Fill every template.

    Returns:
        All lines of both halves, in the order of the templates.
    """
    templates = [json.loads(row) for row in TEMPLATES.read_text(encoding="utf-8").splitlines()]
    return [line for number, template in enumerate(templates) for line in _lines(number, **template)]


def half_of(template_id: str) -> str:
    """The half that a template belongs to: parity of the last byte of its id's SHA-256."""
    return ("tune", "test")[hashlib.sha256(template_id.encode()).digest()[-1] % 2]


def checksum(lines: list[Line]) -> str:
    """SHA-256 of the lines, one JSON object each."""
    rows = (json.dumps(asdict(line), ensure_ascii=False, sort_keys=True) + "\n" for line in lines)
    return hashlib.sha256("".join(rows).encode()).hexdigest()


def _lines(number: int, id: str, half: str, text: str) -> Iterator[Line]:  # noqa: A002, the field's name
    if not SLOT.search(text):
        for written in dict.fromkeys((text, text.lower())):
            yield Line(written, (), half, written == text.lower(), "", id)
        return
    for copy in range(PER_TEMPLATE):
        locale = LOCALES[(number * PER_TEMPLATE + copy) % len(LOCALES)]
        rng = Random(f"{id}/{copy}")  # noqa: S311, reproducible by design
        pieces = list(_fill(text, locale, rng))
        lowercase = rng.random() < LOWERCASE
        yield Line(*_join(pieces, lowercase), half, lowercase, locale, id)


def _fill(template: str, locale: str, rng: Random) -> Iterator[Piece]:
    fake = faker_of(locale)
    for source in (fake, faker_of("en_US")):
        source.seed_instance(rng.getrandbits(32))
    folded = rng.random() < FOLDED
    for place, part in enumerate(SLOT.split(template)):
        if place % 2 == 0:
            yield part, ""
            continue
        value = VALUES[part](fake, rng)
        yield (fold(value) if folded else value), "PERSON" if part in NAMES else part
        if part == "ADDRESS" and rng.random() < WITH_PLACE:
            yield ", ", ""
            yield VALUES["PLACE"](fake, rng), "PLACE"


def _join(pieces: list[Piece], lowercase: bool) -> tuple[str, tuple[Span, ...]]:
    text, spans = "", []
    for raw, kind in pieces:
        # Each piece by itself, since a letter such as "İ" grows when it is made small.
        piece = raw.lower() if lowercase else raw
        if kind:
            at = kind == "HANDLE" and text.endswith("@")
            spans.append(Span(len(text) - at, len(text) + len(piece), kind))
        text += piece
    return text, tuple(spans)


@click.command(help=__doc__, epilog="\b\nExample:\n  python -m benchmarks.anonymization.generate | head")
def main() -> None:
    """Print the lines, one JSON object each."""
    for line in generate():
        sys.stdout.write(json.dumps(asdict(line), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.anonymization.generate")
