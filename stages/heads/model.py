"""Context head and reply head in torch.

Each is a skip path, which starts as what works without any training, plus a small network that starts near zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from rejoinder.parts.arrays import Vectors

_START = 1e-3  # standard deviation of a network's last weights: near zero, so that training starts from the skips
_CARRY = 0.3  # what the turns before the last one count at first, each
_FLAGS = 2  # of a turn: is there one, and is it of the one who answers
_ATTENTION_HEADS = 6


class Concatenated(nn.Module):
    """All turns and flags side by side.

    A mixer makes one row of features, `width` long, of the turns of a context.
    """

    def __init__(self, turns: int, dim: int) -> None:
        super().__init__()
        self.width = turns * (dim + _FLAGS)

    def forward(self, turns: Tensor, flags: Tensor) -> Tensor:
        """Mix turns.

        Args:
            turns: float32 [n, t, d]; zeros where there is none.
            flags: float32 [n, t, 2]: is there one, and is it of the one who answers.

        Returns:
            float32 [n, width].
        """
        return torch.cat([turns, flags], -1).flatten(1)


class Gated(nn.Module):
    """The last turn, and the sum of all turns, each through gates that see it beside the last one."""

    def __init__(self, turns: int, dim: int) -> None:
        super().__init__()
        self.width = 2 * dim
        self.gates = nn.Linear(2 * dim + _FLAGS, dim)
        self.places = nn.Parameter(torch.zeros(turns, dim))

    def forward(self, turns: Tensor, flags: Tensor) -> Tensor:
        """Mix turns, as `Concatenated` does."""
        last = turns[:, -1:]
        gates = torch.sigmoid(self.gates(torch.cat([turns, last.expand_as(turns), flags], -1)) + self.places)
        return torch.cat([last[:, 0], (gates * turns).sum(1)], -1)


class Attended(nn.Module):
    """The last turn, and what it attends to among all turns."""

    def __init__(self, turns: int, dim: int) -> None:
        super().__init__()
        self.width = 2 * dim
        self.flags = nn.Linear(_FLAGS, dim)
        self.places = nn.Parameter(torch.zeros(turns, dim))
        self.query, self.key, self.value = (nn.Linear(dim, dim) for _ in range(3))

    def forward(self, turns: Tensor, flags: Tensor) -> Tensor:
        """Mix turns, as `Concatenated` does."""
        seen = turns + self.flags(flags) + self.places
        n, t, dim = turns.shape
        heads = _ATTENTION_HEADS if dim % _ATTENTION_HEADS == 0 else 1
        query = self.query(seen[:, -1]).view(n, heads, 1, -1)
        key, value = (part(seen).view(n, t, heads, -1).transpose(1, 2) for part in (self.key, self.value))
        scores = (query @ key.transpose(2, 3)) / math.sqrt(dim / heads)
        scores = scores + (flags[:, None, None, :, 0] - 1) * 1e4  # a gap gets no weight
        mixed = (scores.softmax(-1) @ value).reshape(n, dim)
        return torch.cat([turns[:, -1], mixed], -1)


Mixer = Concatenated | Gated | Attended
MIXERS: Mapping[str, Callable[[int, int], Mixer]] = {"mlp": Concatenated, "gated": Gated, "attention": Attended}


def _network(width: int, hidden: int, dim: int, dropout: float) -> nn.Sequential:
    last = nn.Linear(hidden, dim)
    nn.init.normal_(last.weight, std=_START)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), last)


def _skip(axes: Vectors) -> nn.Linear:
    skip = nn.Linear(axes.shape[1], axes.shape[0], bias=False)
    skip.weight.data = torch.tensor(axes)
    return skip


class ContextHead(nn.Module):
    """Turns of a context -> its vector."""

    def __init__(self, mixer: Mixer, axes: Vectors, hidden: int, dropout: float) -> None:
        """Put a skip path beside a mixer and a network.

        Args:
            mixer: makes features of the turns.
            axes: float32 [dim, d], the skip's first weights.
            hidden: width of the network.
            dropout: share of its hidden units that are dropped in training.
        """
        super().__init__()
        self.mixer = mixer
        self.network = _network(mixer.width, hidden, len(axes), dropout)
        self.skip = _skip(axes)
        self.carry = nn.Parameter(torch.tensor(_CARRY))

    def forward(self, turns: Tensor, mask: Tensor, own: Tensor) -> Tensor:
        """Make contexts' vectors.

        Args:
            turns: float32 [n, t, d], the last turn last; zeros where there is none.
            mask: float32 [n, t], 1 where there is a turn.
            own: float32 [n, t], 1 where it is of the one who answers.

        Returns:
            float32 [n, dim], rows of unit length.
        """
        flags = torch.stack([mask, own * mask], -1)
        straight = turns[:, -1] + self.carry * turns[:, :-1].sum(1)
        mixed = self.skip(straight) + self.network(self.mixer(turns, flags))
        return nn.functional.normalize(mixed.float(), dim=-1)


class ReplyHead(nn.Module):
    """A reply's vector as a turn -> its vector as a reply."""

    def __init__(self, axes: Vectors, hidden: int, dropout: float) -> None:
        super().__init__()
        self.network = _network(axes.shape[1], hidden, len(axes), dropout)
        self.skip = _skip(axes)

    def forward(self, turns: Tensor) -> Tensor:
        """Make replies' vectors, float32 [n, d] -> [n, dim], rows of unit length."""
        return nn.functional.normalize((self.skip(turns) + self.network(turns)).float(), dim=-1)


class HeadsModel(nn.Module):
    """Both heads, and the temperature that they are trained at."""

    def __init__(self, kind: str, turns: int, axes: Vectors, *, hidden: int, dropout: float, scale: float) -> None:
        """Build untrained heads.

        Args:
            kind: a key of `MIXERS`.
            turns: most turns of a context.
            axes: float32 [dim, d]: identity, or the directions to keep.
            hidden: width of the networks.
            dropout: share of hidden units that are dropped in training.
            scale: first inverse temperature; it is learnt.
        """
        super().__init__()
        self.context = ContextHead(MIXERS[kind](turns, axes.shape[1]), axes, hidden, dropout)
        self.reply = ReplyHead(axes, hidden, dropout)
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
