"""The vectorizer's specification: what decides which vector a text gets, and its digest, the VectorizerId."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import NewType

from rejoinder.release.canonical import canonical_json, digest_bytes

VectorizerId = NewType("VectorizerId", str)


@dataclass(frozen=True, slots=True)
class VectorizerSpec:
    """Everything that decides which vector a text gets.

    Attributes:
        weights: SHA-256 of each ONNX form, by form name.
        tokenizer: SHA-256 of tokenizer.json.
        normalization: `rejoinder.text.NORMALIZATION_VERSION`.
        pooling: how token vectors become one vector.
        output: how that vector is scaled.
        dim: length of a vector.
        dtype: type of the vectors handed out.
        max_length: tokens read of a text, special tokens counted; longer texts lose their beginning.
        opset: ONNX operator set.
    """

    weights: Mapping[str, str]
    tokenizer: str
    normalization: str
    pooling: str
    output: str
    dim: int
    dtype: str
    max_length: int
    opset: int

    @property
    def id(self) -> VectorizerId:
        """Digest over all fields."""
        return VectorizerId(digest_bytes(canonical_json(asdict(self))))
