"""Context once: a cross-encoder in which the context attends to itself alone, and a reply to it and to itself.

So the context's keys and values are computed once for a whole slate (Uni-Encoder, arXiv 2106.01263, and later).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

_FAR = -1e4


class ContextOnce(nn.Module):
    """Layers of a BERT, and a linear output for each thing that is scored.

    The embeddings stay as they are: a release ships them once, apart from the graph.
    """

    def __init__(self, bert: Any, layers: Sequence[int], outputs: int) -> None:
        """Take layers over.

        Args:
            bert: a Hugging Face BERT; what is kept of it is trained in place.
            layers: which of its layers are kept, in this order.
            outputs: how many scores a reply gets.
        """
        super().__init__()
        embeddings = bert.embeddings
        self.words = embeddings.word_embeddings.requires_grad_(False)
        self.places, self.kinds = embeddings.position_embeddings, embeddings.token_type_embeddings
        self.norm = embeddings.LayerNorm
        self.layers = nn.ModuleList(bert.encoder.layer[n] for n in layers)
        self.heads, self.width = int(bert.config.num_attention_heads), int(bert.config.hidden_size)
        self.score = nn.Linear(self.width, outputs)

    def embedded(self, words: Tensor, kinds: Tensor) -> Tensor:
        """Add places and kinds to words.

        Args:
            words: float [n, t, width].
            kinds: int64 [n, t], 1 where a token is of the one who replies.

        Returns:
            float [n, t, width].
        """
        places = torch.arange(words.shape[1], device=words.device)[None]
        found: Tensor = self.norm(words + self.places(places) + self.kinds(kinds))
        return found

    def read(self, layer: Any, states: Tensor, known: tuple[Tensor, Tensor] | None, mask: Tensor) -> Any:
        """Run one layer on states that look at what is known and at themselves.

        Args:
            layer: of a BERT.
            states: float [n, t, width].
            known: keys and values of what was read before, float [n, heads, c, width / heads] each.
            mask: float [n, 1, 1, c + t], added to attention.

        Returns:
            New states, and their own keys and values.
        """
        n, t, width = states.shape
        attention = layer.attention.self
        query, key, value = (
            part(states).view(n, t, self.heads, -1).transpose(1, 2)
            for part in (attention.query, attention.key, attention.value)
        )
        keys, values = key, value
        if known is not None:
            keys, values = (torch.cat(two, 2) for two in zip(known, (key, value), strict=True))
        mixed = scaled_dot_product_attention(query, keys, values, attn_mask=mask.to(query.dtype))
        middle = layer.attention.output(mixed.transpose(1, 2).reshape(n, t, width), states)
        return layer.output(layer.intermediate(middle), middle), key, value

    def forward(self, contexts: Tensor, kinds: Tensor, replies: Tensor) -> Tensor:
        """Score the replies of slates; as `states`, float [b, k, outputs]."""
        scores: Tensor = self.score(self.states(contexts, kinds, replies))
        return scores

    def states(self, contexts: Tensor, kinds: Tensor, replies: Tensor) -> Tensor:
        """Read the replies of slates.

        Args:
            contexts: int64 [b, c], 0 where there is no token.
            kinds: int64 [b, c], of the contexts' tokens.
            replies: int64 [b, k, r], 0 where there is no token.

        Returns:
            float [b, k, width], of what scores are made.
        """
        b, k, r = replies.shape
        flat = replies.reshape(b * k, r)
        asked, said = (self.embedded(self.words(ids), of) for ids, of in ((contexts, kinds), (flat, _ones(flat))))
        of_contexts, of_replies = _mask(contexts), _mask(flat)
        both = torch.cat([of_contexts.repeat_interleave(k, 0), of_replies], -1)
        for layer in self.layers:
            new, key, value = self.read(layer, asked, None, of_contexts)
            known = (key.repeat_interleave(k, 0), value.repeat_interleave(k, 0))
            said, _, _ = self.read(layer, said, known, both)
            asked = new
        return said[:, 0].view(b, k, -1)


class Graph(nn.Module):
    """The one graph of both passes: of a context, before which nothing is known, and of replies after it."""

    def __init__(self, model: ContextOnce) -> None:
        super().__init__()
        self.model = model

    def forward(self, known: Tensor, words: Tensor, kinds: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """Read rows of tokens after what is known.

        Args:
            known: float32 [2 x layers, heads, c, width / heads], of a context; c is 0 while it is read itself.
            words: float32 [n, t, width], their embeddings.
            kinds: int64 [n, t].
            there: float32 [n, t], 1 where there is a token.

        Returns:
            Scores float32 [n, outputs], and keys and values float32 [2 x layers, heads, t, width / heads] of the
            first row.
        """
        n, count = words.shape[0], len(self.model.layers)
        states = self.model.embedded(words, kinds)
        before = torch.zeros_like(known[0, :1, :, 0])[None, None].expand(n, 1, 1, -1)
        mask = torch.cat([before, (1 - there)[:, None, None] * _FAR], -1)
        keys, values = [], []
        for number, layer in enumerate(self.model.layers):
            of_context = tuple(known[row][None].expand(n, -1, -1, -1) for row in (number, count + number))
            states, key, value = self.model.read(layer, states, of_context, mask)  # type: ignore[arg-type]
            keys.append(key[0])
            values.append(value[0])
        return self.model.score(states[:, 0]), torch.stack([*keys, *values])


class Pairs(nn.Module):
    """The plain cross-encoder of the same body: context and reply in one text, all of which looks at all."""

    def __init__(self, bert: Any, outputs: int) -> None:
        super().__init__()
        self.once = ContextOnce(bert, range(len(bert.encoder.layer)), outputs)

    def forward(self, contexts: Tensor, kinds: Tensor, replies: Tensor) -> Tensor:
        """Score the replies of slates; as `ContextOnce`."""
        b, k, r = replies.shape
        once, flat = self.once, replies.reshape(b * k, r)
        ids = torch.cat([flat, contexts.repeat_interleave(k, 0)], 1)  # the reply first: its first token is read out
        of = torch.cat([_ones(flat), kinds.repeat_interleave(k, 0)], 1)
        states, mask = once.embedded(once.words(ids), of), _mask(ids)
        for layer in once.layers:
            states, _, _ = once.read(layer, states, None, mask)
        scores: Tensor = once.score(states[:, 0])
        return scores.view(b, k, -1)


def open_bert(folder: Path) -> Any:
    """Load the encoder that a ranker starts from, in Hugging Face's layout."""
    from transformers import AutoModel

    return AutoModel.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32)


def _ones(ids: Tensor) -> Tensor:
    return torch.ones_like(ids)


def _mask(ids: Tensor) -> Tensor:
    return (ids == 0)[:, None, None].float() * _FAR
