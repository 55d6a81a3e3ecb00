"""Model: a decoder of Llama's kind that reads a context once for all replies to it, as it is exported."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from stages.common.errors import ParamsError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: Neighbouring weights that share a scale and a zero in int4.
BLOCK = 32
#: Models whose blocks are those below: rotary places, grouped queries, gated perceptrons, root mean square norms.
KINDS = ("llama", "mistral", "qwen2")
_FAR = -1e9


class Places(NamedTuple):
    """Where new tokens stand; computed once, or an export would repeat it for every layer.

    Attributes:
        rows: replies.
        new: new tokens of each.
        read: tokens of the context.
        cos: float32 [rows, 1, new, dim], cosines of places.
        sin: float32 [rows, 1, new, dim], sines; those of the first half with a minus.
        hidden: float32 [rows, 1, group x new, known + new], what is added to scores of what must not be seen.
    """

    rows: int
    new: int
    read: int
    cos: Tensor
    sin: Tensor
    hidden: Tensor


class Graph(nn.Module):
    """The graph of `rejoinder.parts.decoder`: several replies side by side, each after the same context."""

    turns: Tensor

    def __init__(self, model: PreTrainedModel, choices: Tensor) -> None:
        """Take over the weights of a model.

        Args:
            model: of one of `KINDS`.
            choices: int64 [v], tokens that have an output.

        Raises:
            ParamsError: if the model is of another kind.
        """
        super().__init__()
        config: Any = model.config
        check_kind(config)
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.dim = head_dim(config)
        self.eps = config.rms_norm_eps
        self.layers = nn.ModuleList(_Layer(layer, self) for layer in model.model.layers)
        self.norm = nn.Parameter(model.model.norm.weight.detach().clone())
        self.head = nn.Linear(config.hidden_size, len(choices), bias=False)
        self.head.weight.data = model.lm_head.weight.detach()[choices].clone()
        steps = torch.arange(0, self.dim, 2).float() / self.dim
        self.register_buffer("turns", 1.0 / (rope_theta(config) ** steps))

    def forward(
        self, tokens: Tensor, prefix: Tensor, known: Tensor, there: Tensor, wanted: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Read some more tokens of every reply.

        Args:
            tokens: float32 [rows, new, width], embeddings.
            prefix: float32 [2 layers, 1, kv_heads, read, dim], keys and values of the context.
            known: float32 [2 layers, rows, kv_heads, known, dim], those of the replies so far.
            there: float32 [rows, known + new], 1 where there is a token.
            wanted: int64 [1], after how many of the last tokens it is to be told what comes next.

        Returns:
            Logits, float32 [rows, wanted, choices]; and what is known now.
        """
        places = self.places(tokens, prefix, known, there)
        new = []
        for number, layer in enumerate(self.layers):
            keys, values = 2 * number, 2 * number + 1
            tokens, *more = layer(tokens, (prefix[keys], prefix[values]), (known[keys], known[values]), places)
            new += more
        last = tokens[:, torch.arange(tokens.shape[1])[-wanted:]]
        logits: Tensor = self.head(self.normed(last))
        return logits, torch.stack(new)

    def normed(self, x: Tensor) -> Tensor:
        """Norm what the last layer made."""
        return _norm(x, self.norm, self.eps)

    def places(self, tokens: Tensor, prefix: Tensor, known: Tensor, there: Tensor) -> Places:
        """Compute once what all layers need to know of where the new tokens stand."""
        rows, new = tokens.shape[:2]
        before, read = known.shape[3], prefix.shape[3]
        angles = (torch.cumsum(there, 1)[:, before:] - 1 + read)[:, None, :, None] * self.turns
        sines = angles.sin()
        queries = torch.arange(new)[:, None] + before
        seen = (torch.arange(there.shape[1])[None] <= queries)[None] * (there[:, None] > 0)
        hidden = torch.where(seen, 0.0, _FAR)[:, None].expand(-1, self.heads // self.kv_heads, -1, -1)
        return Places(
            rows=rows,
            new=new,
            read=read,
            cos=torch.cat([angles.cos()] * 2, -1),
            sin=torch.cat([-sines, sines], -1),
            hidden=hidden.reshape(rows, 1, -1, there.shape[1]),
        )


class _Layer(nn.Module):
    """One block, its matrices joined: fewer and larger products."""

    def __init__(self, layer: Any, graph: Graph) -> None:
        super().__init__()
        attention, perceptron = layer.self_attn, layer.mlp
        self.heads, self.kv_heads, self.dim, self.eps = graph.heads, graph.kv_heads, graph.dim, graph.eps
        self.qkv = _joined(attention.q_proj, attention.k_proj, attention.v_proj)
        asking = slice(0, self.heads * self.dim)  # scores are divided by the root of the dimension: here, once
        for part in (self.qkv.weight, self.qkv.bias):
            if part is not None:
                part.data[asking] /= math.sqrt(self.dim)
        self.out, self.down = _joined(attention.o_proj), _joined(perceptron.down_proj)
        self.up = _joined(perceptron.gate_proj, perceptron.up_proj)
        self.first, self.second = layer.input_layernorm.weight, layer.post_attention_layernorm.weight

    def forward(
        self, x: Tensor, prefix: tuple[Tensor, Tensor], known: tuple[Tensor, Tensor], at: Places
    ) -> tuple[Tensor, Tensor, Tensor]:
        joined = self.qkv(_norm(x, self.first, self.eps))
        made = joined.view(at.rows, at.new, self.heads + 2 * self.kv_heads, self.dim).transpose(1, 2)
        turned, values = made.split([self.heads + self.kv_heads, self.kv_heads], 1)
        swapped = torch.cat([turned[..., self.dim // 2 :], turned[..., : self.dim // 2]], -1)
        queries, keys = (turned * at.cos + swapped * at.sin).split([self.heads, self.kv_heads], 1)
        keys, values = torch.cat([known[0], keys], 2), torch.cat([known[1], values], 2)
        asked = queries.reshape(at.rows, self.kv_heads, -1, self.dim)
        heard = self._heard(asked, keys, values, prefix, at).view(at.rows, self.heads, at.new, self.dim)
        x = x + self.out(heard.transpose(1, 2).reshape(at.rows, at.new, self.heads * self.dim))
        gate, up = self.up(_norm(x, self.second, self.eps)).split(self.up.out_features // 2, -1)
        return x + self.down(silu(gate) * up), keys, values

    def _heard(
        self, asked: Tensor, keys: Tensor, values: Tensor, prefix: tuple[Tensor, Tensor], at: Places
    ) -> Tensor:
        """Attend to the context, which all rows share, and to what each row knows."""
        own = asked @ keys.transpose(2, 3) + at.hidden
        weights = torch.softmax(torch.cat([asked @ prefix[0].transpose(2, 3), own], -1), -1)
        return weights[..., : at.read] @ prefix[1] + weights[..., at.read :] @ values


def _joined(*parts: nn.Linear) -> nn.Linear:
    joined = nn.Linear(parts[0].in_features, sum(part.out_features for part in parts), parts[0].bias is not None)
    joined.weight.data = torch.cat([part.weight.detach() for part in parts]).float()
    if parts[0].bias is not None:
        joined.bias.data = torch.cat([part.bias.detach() for part in parts]).float()
    return joined


def _norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight


def head_dim(config: Any) -> int:
    """Length of a key of a model."""
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def rope_theta(config: Any) -> float:
    """Base of the rotary places of a model."""
    found = getattr(config, "rope_parameters", None) or {}
    return float(found.get("rope_theta", getattr(config, "rope_theta", 10000.0)))


def check_kind(config: Any) -> None:
    """Refuse a model that this graph does not compute.

    Args:
        config: of the model.

    Raises:
        ParamsError: if it is of another kind; says of which.
    """
    places = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default")
    act = getattr(config, "hidden_act", "no activation that is told")
    if config.model_type not in KINDS or act != "silu" or places != "default":
        raise ParamsError(
            f"generator.base: expected a model of kind {', '.join(KINDS)} with silu and default rotary places, got "
            f"{config.model_type}, {act}, {places} places. Next: choose another base"
        )
    if odd := [size for size in (config.hidden_size, config.intermediate_size) if size % BLOCK]:
        raise ParamsError(
            f"generator.base: expected widths that are multiples of {BLOCK}, got {odd}. Next: choose another base"
        )
