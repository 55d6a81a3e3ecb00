"""Validation of heads: R@1 of 100 over every validation pair, not only those of the fixed lists.

Heads cost so little to run that all pairs can be asked; 500 items would leave a standard error of .02, as large as
what separates two variants.
"""

from __future__ import annotations

import numpy as np
import torch

from stages.heads.model import HeadsModel
from stages.heads.pairs import PairRows

BLOCK = 100
_BATCH = 4096


@torch.inference_mode()
def heads_r_at_1(model: HeadsModel, pairs: PairRows, seed: int) -> float:
    """Rank every pair's reply among those of 99 other pairs, drawn once by the seed.

    Args:
        model: in any mode; put into evaluation mode while it works.
        pairs: n pairs of the validation split, at least `BLOCK`.
        seed: of the blocks.

    Returns:
        Share of pairs whose reply comes first; a tie counts as wrong, an equal reply does not compete.
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    order = np.random.default_rng(seed).permutation(len(pairs))
    order = order[: len(order) // BLOCK * BLOCK]
    contexts, replies = [], []
    for start in range(0, len(order), _BATCH):
        rows = order[start : start + _BATCH]
        contexts.append(model.context(*(part.to(device) for part in pairs.turns(rows))))
        replies.append(model.reply(pairs.reply_turns(rows).to(device)))
    blocks = -1, BLOCK, contexts[0].shape[-1]
    scores = torch.cat(contexts).view(blocks) @ torch.cat(replies).view(blocks).transpose(1, 2)
    keys = pairs.keys[order].view(-1, BLOCK).to(device)
    equal = keys[:, :, None] == keys[:, None, :]
    gold = scores.diagonal(dim1=1, dim2=2)
    best_other = scores.masked_fill(equal, float("-inf")).amax(-1)
    model.train(was_training)
    return float((gold > best_other).float().mean())
