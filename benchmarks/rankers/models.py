"""Models: each scores the replies of slates; what it reads of them is its own business."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.rankers.slates import Rows, Slates
from rejoinder.parts.heads import Heads

_VOCABULARY = 30_522  # of BERT's tokenizer
_WIDTH, _HIDDEN, _DROPOUT = 200, 128, 0.2
_SCALE = 20.0  # first inverse temperature of what the heads say; it is learnt


@dataclass(frozen=True, slots=True)
class Read:
    """Some slates as tensors; a model looks at what it needs.

    Attributes:
        slates: all of them.
        some: int64 [b], which of them.
    """

    slates: Slates
    some: Rows

    @property
    def rows(self) -> Rows:
        """Of the pool, int64 [b, k]."""
        return self.slates.rows[self.some]

    def turns(self) -> Tensor:
        """The contexts' turns with flags, float32 [b, t, d + 2]."""
        laid, some = self.slates.laid, self.some
        flags = np.stack([laid.mask[some], laid.own[some] * laid.mask[some]], -1)
        return torch.from_numpy(np.concatenate([laid.turns[some], flags], -1))

    def contexts(self) -> Tensor:
        """By the context head, float32 [b, dim]."""
        return torch.from_numpy(self.slates.context_vectors[self.some])

    def replies(self) -> tuple[Tensor, Tensor]:
        """As turns, float32 [b, k, d], and by the reply head, float32 [b, k, dim]."""
        slates = self.slates
        return torch.from_numpy(slates.turn_vectors[self.rows]), torch.from_numpy(slates.reply_vectors[self.rows])

    def tokens(self) -> tuple[Tensor, Tensor]:
        """Of contexts, int64 [b, 60], and of replies, int64 [b, k, 20]."""
        slates = self.slates
        return torch.from_numpy(slates.context_tokens[self.some]), torch.from_numpy(slates.reply_tokens[self.rows])


class Words(nn.Module):
    """Bag of words: mean embeddings of context and reply, and what each word of a reply is worth by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.context, self.reply = (nn.Embedding(_VOCABULARY, _WIDTH, padding_idx=0) for _ in range(2))
        self.worth = nn.Embedding(_VOCABULARY, 1, padding_idx=0)

    def forward(self, read: Read) -> Tensor:
        """Score, float32 [b, k]."""
        context, replies = read.tokens()
        mean = _mean(self.context(context), context)
        alike = (mean[:, None] * _mean(self.reply(replies), replies)).sum(-1)
        return alike + _mean(self.worth(replies), replies)[..., 0]


class Lstm(nn.Module):
    """The published baseline: an LSTM over 60 tokens of context, one over 20 of the reply, an MLP on both."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(_VOCABULARY, _WIDTH, padding_idx=0)
        self.context, self.reply = (nn.LSTM(_WIDTH, _HIDDEN, batch_first=True) for _ in range(2))
        self.joint = nn.Sequential(
            nn.Linear(4 * _HIDDEN, _HIDDEN), nn.ReLU(), nn.Dropout(_DROPOUT), nn.Linear(_HIDDEN, 1)
        )

    def forward(self, read: Read) -> Tensor:
        """Score, float32 [b, k]."""
        context, replies = read.tokens()
        b, k, most = replies.shape
        said = self._last(self.reply, replies.reshape(b * k, most)).view(b, k, -1)
        asked = self._last(self.context, context)[:, None].expand(-1, k, -1)
        scores: Tensor = self.joint(torch.cat([asked, said, asked * said, (asked - said).abs()], -1))
        return scores[..., 0]

    def _last(self, lstm: nn.LSTM, tokens: Tensor) -> Tensor:
        states: Tensor = lstm(self.words(tokens))[0]
        ends = (tokens != 0).sum(1).clamp(min=1) - 1
        return states[torch.arange(len(tokens)), ends]


class Linear(nn.Module):
    """Linear on frozen vectors: what the heads say, the reply's cosine with each turn, and the reply by itself."""

    def __init__(self, turns: int, dim: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(_SCALE))
        self.near, self.reply = nn.Linear(turns, 1), nn.Linear(dim, 1)

    def forward(self, read: Read) -> Tensor:
        """Score, float32 [b, k]."""
        turns, (said, replies) = read.turns()[..., :-2], read.replies()
        near = torch.einsum("btd,bkd->bkt", turns, said)
        heads = torch.einsum("bd,bkd->bk", read.contexts(), replies)
        scores: Tensor = self.scale * heads + self.near(near)[..., 0] + self.reply(said)[..., 0]
        return scores


class Mlp(nn.Module):
    """A network on frozen vectors of all turns, of the context and of the reply, beside what the heads say."""

    def __init__(self, turns: int, turn_dim: int, dim: int, hidden: int = 384) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(_SCALE))
        self.context = _network(turns * (turn_dim + 2) + dim, hidden)
        self.reply = _network(turn_dim + dim, hidden)
        last = nn.Linear(hidden, 1)
        nn.init.zeros_(last.weight)  # it starts as the heads
        self.joint = nn.Sequential(nn.Linear(3 * hidden + turns + 1, hidden), nn.GELU(), nn.Dropout(_DROPOUT), last)

    def forward(self, read: Read) -> Tensor:
        """Score, float32 [b, k]."""
        turns, context, (said, replies) = read.turns(), read.contexts(), read.replies()
        near = torch.einsum("btd,bkd->bkt", turns[..., :-2], said)
        heads = torch.einsum("bd,bkd->bk", context, replies)
        asked = self.context(torch.cat([turns.flatten(1), context], -1))[:, None].expand(-1, said.shape[1], -1)
        told = self.reply(torch.cat([said, replies], -1))
        mixed: Tensor = self.joint(torch.cat([asked * told, asked, told, near, heads[..., None]], -1))
        return self.scale * heads + mixed[..., 0]


def _network(width: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Dropout(_DROPOUT), nn.Linear(hidden, hidden))


def _mean(vectors: Tensor, tokens: Tensor) -> Tensor:
    return vectors.sum(-2) / (tokens != 0).sum(-1, keepdim=True).clamp(min=1)


def build_models(heads: Heads) -> Mapping[str, Callable[[], nn.Module]]:
    """Makers of every model that learns, by name."""
    turns, turn_dim, dim = heads.turns, heads.turn_dim, heads.dim
    return {
        "words": Words,
        "lstm": Lstm,
        "linear": lambda: Linear(turns, turn_dim),
        "mlp": lambda: Mlp(turns, turn_dim, dim),
    }
