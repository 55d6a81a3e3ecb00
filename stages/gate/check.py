"""Check: one rule, what was measured, and what is allowed."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Literal

_COMPARE = {">": operator.gt, ">=": operator.ge, "<=": operator.le}


@dataclass(frozen=True, slots=True)
class Check:
    """One rule and how the candidate fared.

    Attributes:
        rule: its name.
        value: what was measured.
        sign: how the value must compare with the limit.
        limit: what is allowed.
    """

    rule: str
    value: float
    sign: Literal[">", ">=", "<="]
    limit: float

    @property
    def passed(self) -> bool:
        """Whether the value keeps the limit."""
        return bool(_COMPARE[self.sign](self.value, self.limit))

    def __str__(self) -> str:
        return f"{self.rule}: expected {self.sign} {self.limit:g}, got {self.value:.4g}"
