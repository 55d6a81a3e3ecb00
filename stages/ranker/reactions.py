"""Reactions: outputs on the ranker's body that tell how people react to a reply, where labels are enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rejoinder.parts.reading import Reading
from rejoinder.text import words
from stages.ranker.slates import Slates, read_tokens

if TYPE_CHECKING:
    import polars as pl

    from stages.ranker.model import ContextOnce

_STRENGTH, _ROUNDS = 0.01, 1000
_COLUMNS = [
    "pair_id", "source", "split", "conversation_id", "role", "context", "context_own", "reply", "reaction",
]  # fmt: skip
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Output:
    """A linear output.

    Attributes:
        weights: float64 [width].
        bias: added.
    """

    weights: Floats
    bias: float


def all_replies(dialogues: Path) -> pl.DataFrame:
    """Read the replies to which people could react: what people replied, and what bots did.

    Args:
        dialogues: output of that stage.

    Returns:
        pair_id, source, split, conversation_id, role, context, context_own, reply, reaction; of a bot's also
        `message_id`, in the decision log the completion that a reaction named.
    """
    import polars as pl

    tables = {"pairs": _COLUMNS, "answers": [*_COLUMNS, "message_id"]}
    read = [pl.read_parquet(dialogues / f"{name}.parquet", columns=columns) for name, columns in tables.items()]
    return pl.concat(read, how="diagonal")


def fit_reaction(
    model: ContextOnce, reading: Reading, pairs: pl.DataFrame, name: str, *, least: int, most: int
) -> tuple[Output | None, dict[str, Any]]:
    """Fit an output for one reaction, and measure it on conversations of the validation split.

    Args:
        model: trained, in evaluation mode.
        reading: of the ranker.
        pairs: with split, conversation_id, role, context, context_own, reply, reaction.
        name: of the reaction.
        least: labels of each class, in each split, without which there is no output.
        most: pairs that are read of each split.

    Returns:
        The output, None where labels are too few or it is not certainly better than lengths; and its figures.
    """
    import polars as pl
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    is_it = pl.col("reaction").eq_missing(name)
    # By role: where people react to a bot, what they say themselves is no reply that they would not react to.
    rows = pairs.filter(is_it.any().over("conversation_id", "role")).with_columns(is_it=is_it)
    learnt, judged = (
        part.sample(min(most, len(part)), seed=0)
        for part in (rows.filter(pl.col("split") == split) for split in ("train", "validation"))
    )
    counts = [int(value) for part in (learnt, judged) for value in (part["is_it"].sum(), (~part["is_it"]).sum())]
    if min(counts) < least:
        return None, {"is_kept": False, "why": f"expected at least {least} labels of each class, got {min(counts)}"}
    labels = judged["is_it"].to_numpy()
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=_STRENGTH, max_iter=300))
    states = [_states(model, reading, part) for part in (learnt, judged)]
    pipeline.fit(states[0], learnt["is_it"].to_numpy())
    by_length = make_pipeline(StandardScaler(), LogisticRegression()).fit(
        _lengths(learnt["reply"].to_list()), learnt["is_it"].to_numpy()
    )
    said = by_length.decision_function(_lengths(judged["reply"].to_list()))
    figures = _compared(labels, pipeline.decision_function(states[1]), said, judged["conversation_id"].to_list())
    figures |= {"learnt": len(learnt), "is_kept": figures["over_length_interval"][0] > 0}
    scale, linear = pipeline[0], pipeline[1]
    weights = linear.coef_[0] / scale.scale_
    output = Output(weights, float(linear.intercept_[0] - weights @ scale.mean_))
    return (output if figures["is_kept"] else None), figures


def _states(model: ContextOnce, reading: Reading, rows: pl.DataFrame) -> npt.NDArray[np.float32]:
    from stages.ranker.learn import over_slates

    tokens = read_tokens(reading, rows["context"].to_list(), rows["context_own"].to_list(), rows["reply"].to_list())
    return over_slates(model, Slates(tokens, np.arange(len(rows))[:, None], []), model.states)[:, 0]


def _lengths(replies: Sequence[str]) -> Floats:
    counts = [len(words(reply)) for reply in replies]
    return np.array([[np.log1p(n), min(n, 30) / 30] for n in counts])


def _compared(
    labels: npt.NDArray[np.bool_], scores: Floats, lengths: Floats, conversations: Sequence[str]
) -> dict[str, Any]:
    """AUC of scores and of lengths, and the 95% interval of the difference over conversations."""
    from sklearn.metrics import roc_auc_score

    draw, (_, group) = np.random.default_rng(1), np.unique(conversations, return_inverse=True)
    members = [np.flatnonzero(group == n) for n in range(group.max() + 1)]
    drawn = []
    for _ in range(_ROUNDS):
        rows = np.concatenate([members[n] for n in draw.integers(0, len(members), len(members))])
        if labels[rows].any() and not labels[rows].all():
            drawn.append(roc_auc_score(labels[rows], scores[rows]) - roc_auc_score(labels[rows], lengths[rows]))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {
        "auc": float(roc_auc_score(labels, scores)),
        "auc_of_length": float(roc_auc_score(labels, lengths)),
        "over_length_interval": [float(low), float(high)],
        "judged": len(labels),
    }
