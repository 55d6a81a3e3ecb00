"""A rule, and the kinds of rules that stages share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

#: A broken `critical` rule stops the run; rows that break a `row` rule go to quarantine, and the run goes on; a
#: `warning` is shown and changes nothing.
Severity = Literal["critical", "row", "warning"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: what is expected, and how Great Expectations checks it.

    Attributes:
        id: a short stable name, the one found in the quarantine.
        severity: what a breach leads to.
        description: the expectation in words.
        expectation: the class in `great_expectations.expectations`.
        arguments: its arguments.
    """

    id: str
    severity: Severity
    description: str
    expectation: str
    arguments: Mapping[str, Any]


def matches(rule: str, severity: Severity, words: str, column: str, regex: str) -> Rule:
    """Say that every value of a column holds a match."""
    return Rule(rule, severity, words, "ExpectColumnValuesToMatchRegex", {"column": column, "regex": regex})


def free_of(what: str, severity: Severity, words: str, regex: str, column: str = "text") -> Rule:
    """Say that no text holds a match, in a column that has the texts."""
    return Rule(
        f"no_{what}",
        severity,
        f"text holds no {words}",
        "ExpectColumnValuesToNotMatchRegex",
        {"column": column, "regex": regex},
    )


def one_of(rule: str, severity: Severity, column: str, values: Sequence[object], words: str) -> Rule:
    """Say that every value of a column, where given, is one of some."""
    return Rule(rule, severity, words, "ExpectColumnValuesToBeInSet", {"column": column, "value_set": list(values)})
