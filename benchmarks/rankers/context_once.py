"""Context once: a cross-encoder in which the context attends to itself alone, and a reply to it and to itself.

So the context's keys and values are computed once for a whole slate (Uni-Encoder, arXiv 2106.01263, and later).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

_FAR = -1e4


class _Body(nn.Module):
    """Layers of a BERT, by the names that Hugging Face gives them."""

    def __init__(self, bert: Any) -> None:
        super().__init__()
        self.embeddings, self.layers = bert.embeddings, bert.encoder.layer
        self.heads = int(bert.config.num_attention_heads)

    def split(self, states: Tensor) -> Tensor:
        """Give [n, t, width] as [n, heads, t, width / heads]."""
        n, t, width = states.shape
        return states.view(n, t, self.heads, width // self.heads).transpose(1, 2)

    def embedded(self, ids: Tensor, kind: int) -> Tensor:
        """Embed tokens of the context (kind 0) or of replies (kind 1)."""
        kinds = torch.full_like(ids, kind)
        places = torch.arange(ids.shape[1])[None]
        found: Tensor = self.embeddings(input_ids=ids, token_type_ids=kinds, position_ids=places)
        return found

    def attended(self, layer: Any, states: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        """Run one layer on states that look at given keys and values."""
        n, t, width = states.shape
        query = self.split(layer.attention.self.query(states))
        scores = query @ keys.transpose(-1, -2) / math.sqrt(width / self.heads) + mask
        mixed = (scores.softmax(-1) @ values).transpose(1, 2).reshape(n, t, width)
        mid = layer.attention.output(mixed, states)
        found: Tensor = layer.output(layer.intermediate(mid), mid)
        return found


class ContextGraph(nn.Module):
    """Tokens of a context -> its keys and values in every layer."""

    def __init__(self, bert: Any) -> None:
        super().__init__()
        self.body = _Body(bert)

    def forward(self, context: Tensor) -> Tensor:
        """Read a context.

        Args:
            context: int64 [1, c], no padding.

        Returns:
            float32 [2 x layers, heads, c, width / heads]: keys, then values.
        """
        states, keys, values = self.body.embedded(context, 0), [], []
        nothing = torch.zeros(1, 1, 1, 1)
        for layer in self.body.layers:
            key, value = (self.body.split(part(states)) for part in _key_and_value(layer))
            states = self.body.attended(layer, states, key, value, nothing)
            keys.append(key[0])
            values.append(value[0])
        return torch.stack([*keys, *values])


class RepliesGraph(nn.Module):
    """Keys and values of a context, tokens of replies -> their scores."""

    def __init__(self, bert: Any, score: nn.Linear) -> None:
        super().__init__()
        self.body, self.score = _Body(bert), score

    def forward(self, context: Tensor, replies: Tensor) -> Tensor:
        """Score replies.

        Args:
            context: by `ContextGraph`.
            replies: int64 [n, r], 0 where there is no token.

        Returns:
            float32 [n].
        """
        states, layers = self.body.embedded(replies, 1), len(self.body.layers)
        n = replies.shape[0]
        own = (replies == 0).to(states.dtype)[:, None, None, :] * _FAR
        mask = torch.cat([torch.zeros(1, 1, 1, context.shape[2]).expand(n, -1, -1, -1), own], -1)
        for number, layer in enumerate(self.body.layers):
            key, value = (self.body.split(part(states)) for part in _key_and_value(layer))
            keys, values = (
                torch.cat([context[row][None].expand(n, -1, -1, -1), mine], 2)
                for row, mine in ((number, key), (layers + number, value))
            )
            states = self.body.attended(layer, states, keys, values, mask)
        return self.score(states[:, 0])[..., 0]  # type: ignore[no-any-return]


class Pairs(nn.Module):
    """The plain cross-encoder of the same body: context and reply in one text, all of which looks at all."""

    def __init__(self, bert: Any, score: nn.Linear) -> None:
        super().__init__()
        self.bert, self.score = bert, score

    def forward(self, ids: Tensor, kinds: Tensor, mask: Tensor) -> Tensor:
        """Score pairs, int64 [n, t] each, float32 [n]."""
        states = self.bert(input_ids=ids, token_type_ids=kinds, attention_mask=mask).last_hidden_state
        return self.score(states[:, 0])[..., 0]  # type: ignore[no-any-return]


def _key_and_value(layer: Any) -> Iterator[Any]:
    yield layer.attention.self.key
    yield layer.attention.self.value
