"""Quantize: choose int4 weights of a graph column by column, so that later ones make up for errors of earlier ones.

GPTQ (Frantar et al. 2023, arXiv 2210.17323): rounding to the nearest costs a small model a fifth of its perplexity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rejoinder.progress import track
from stages.generator.model import BLOCK, Graph

#: Token ids of some dialogues.
Windows = Sequence[Sequence[int]]

_LEVELS = 15
_DAMPING = 0.01  # of the mean of the diagonal, as in the paper
_SHRINKS = (1.0, 0.95, 0.9, 0.85, 0.8)  # of a block's range that are tried: a few large weights may be cut


@dataclass(frozen=True, slots=True)
class Quantized:
    """A matrix in int4.

    Attributes:
        whole: uint8 [out, in], from 0 to 15.
        scales: float32 [out, blocks].
        zeros: uint8 [out, blocks], which of the numbers stands for 0.
    """

    whole: Tensor
    scales: Tensor
    zeros: Tensor

    def restored(self) -> Tensor:
        """The matrix, float32 [out, in]."""
        scales, zeros = (part.float().repeat_interleave(BLOCK, 1) for part in (self.scales, self.zeros))
        return (self.whole.float() - zeros) * scales


@torch.inference_mode()
def fit(graph: Graph, embeddings: Tensor, windows: Windows) -> dict[str, Quantized]:
    """Quantize all matrices of a graph, layer by layer, each fitted to what those before it make of the windows.

    Args:
        graph: its weights are replaced by the quantized ones.
        embeddings: float32 [vocabulary, width].
        windows: token ids of some dialogues; without, weights are rounded to the nearest.

    Returns:
        By name of the module.
    """
    read = [_begun(graph, embeddings[torch.tensor(list(ids))].float()) for ids in windows]
    found: dict[str, Quantized] = {}
    for number, layer in enumerate(track(list(graph.layers), "generator: int4", "layer")):
        parts = {name: part for name, part in layer.named_children() if isinstance(part, nn.Linear)}
        seen = _seen(parts, layer, read)
        for name, part in parts.items():
            found[f"layers.{number}.{name}"] = _replaced(part, seen[name])
        read = [(layer(*given)[0], *given[1:]) for given in read]
    seen = _seen({"head": graph.head}, graph.head, [(graph.normed(given[0]),) for given in read])
    found["head"] = _replaced(graph.head, seen["head"])
    return found


def _begun(graph: Graph, tokens: Tensor) -> tuple[Any, ...]:
    """What the first layer is given of a window."""
    nothing = torch.zeros(2, 1, graph.kv_heads, 0, graph.dim)
    places = graph.places(tokens[None], nothing, nothing, torch.ones(1, len(tokens)))
    return tokens[None], tuple(nothing), tuple(nothing), places


def _seen(parts: dict[str, nn.Linear], whole: nn.Module, every: Sequence[tuple[Any, ...]]) -> dict[str, Tensor]:
    """Sums of outer products of what matrices are multiplied with, float32 [in, in]."""
    rows: dict[str, list[Tensor]] = {name: [] for name in parts}

    def note(name: str) -> Any:
        def hook(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            rows[name].append(given[0].flatten(0, -2))

        return hook

    hooks = [part.register_forward_pre_hook(note(name)) for name, part in parts.items()]
    for given in every:
        whole(*given)
    for hook in hooks:
        hook.remove()
    read = {name: torch.cat([torch.zeros(0, part.in_features), *rows[name]]) for name, part in parts.items()}
    return {name: found.T @ found for name, found in read.items()}


def _replaced(part: nn.Linear, seen: Tensor) -> Quantized:
    made = quantize(part.weight.detach(), seen)
    part.weight.data = made.restored()
    return made


def quantize(weight: Tensor, seen: Tensor) -> Quantized:
    """Quantize one matrix.

    Args:
        weight: float32 [out, in].
        seen: float32 [in, in], sum of outer products of what it is multiplied with; zeros if nothing is known.

    Returns:
        The matrix in int4.
    """
    size, outputs = weight.shape[1], len(weight)
    columns, spreads = weight.T.contiguous(), _spreads(seen)  # a column in one piece: this is about columns
    whole, grids = torch.zeros(size, outputs, dtype=torch.uint8), []
    for start in range(0, size, BLOCK):
        part, errors = columns[start : start + BLOCK], torch.zeros(BLOCK, outputs)
        scale, zero = _grid(part)
        for row in range(BLOCK):
            spread = spreads[start + row, start + row : start + BLOCK]
            chosen = _nearest(part[row], scale, zero)
            errors[row] = (part[row] - (chosen - zero) * scale) / spread[0]
            part[row:] -= spread[:, None] * errors[row]
            whole[start + row] = chosen.to(torch.uint8)
        columns[start + BLOCK :] -= spreads[start : start + BLOCK, start + BLOCK :].T @ errors
        grids.append((scale, zero))
    scales, zeros = (torch.stack(part, 1) for part in zip(*grids, strict=True))
    return Quantized(whole.T.contiguous(), scales, zeros.to(torch.uint8))


def _spreads(seen: Tensor) -> Tensor:
    """The upper Cholesky factor of the inverse of what was seen, damped, float32 [in, in].

    Of the matrix with its axes turned round, a lower factor is an upper one of the matrix itself: the inverse of
    that is the one that is wanted, without inverting the matrix.
    """
    size = len(seen)
    damped = seen.double() + torch.eye(size).double() * (_DAMPING * float(seen.diagonal().mean()) or 1.0)
    upper = torch.linalg.cholesky(damped.flip(0, 1)).flip(0, 1)
    factor: Tensor = torch.linalg.solve_triangular(upper, torch.eye(size).double(), upper=True)
    return factor.float()


def _nearest(weights: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
    return (weights / scale).round_().add_(zero).clamp_(0, _LEVELS)


def _grid(block: Tensor) -> tuple[Tensor, Tensor]:
    """Scale and zero of each column of a block, float32 [out], of several those that round its weights best."""
    least, most = block.amin(0).clamp(max=0), block.amax(0).clamp(min=0)
    best = torch.full_like(least, torch.inf)
    chosen = torch.ones_like(least), torch.zeros_like(least)
    for shrink in _SHRINKS:
        scale = ((most - least) * shrink / _LEVELS).clamp(min=1e-8)
        zero = torch.clamp(torch.round(-least * shrink / scale), 0, _LEVELS)
        error = ((_nearest(block, scale, zero) - zero) * scale - block).pow_(2).sum(0)
        better = error < best
        best = torch.where(better, error, best)
        chosen = torch.where(better, scale, chosen[0]), torch.where(better, zero, chosen[1])
    return chosen
