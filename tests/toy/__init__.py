"""A list of parts with one line more: two numbers in JSON, tied to the vectorizer. Import it first."""

from rejoinder import parts

NUMBERS = parts.Part(
    name="numbers",
    bundle="head",
    files=r"head\.json",
    facts=("count",),
    ties=("model",),
    module="tests.toy.numbers",
    purpose="Two numbers",
)
parts.PARTS = (*parts.PARTS, NUMBERS)
