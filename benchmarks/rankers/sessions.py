"""Sessions: what participants thought of whole conversations, against what rankers and vectors make of them.

One triple a conversation, rater unknown, half of them at the form's default. Conversations of two people alone;
good ones against poor ones; nearly all people are connected through others, so folds are by the one of the two who
talks less often: no such person is in two folds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.rankers.slates import Slates, World
from rejoinder.parts.arrays import Vectors
from stages.evaluation.retrieval import Scores

#: A conversation is good from here on, and poor up to there: the mean of its ratings.
GOOD, POOR = 7.5, 5.5
#: Pairs of conversations that are compared: shorter ones were abandoned, and then length tells everything.
PAIRS = (30, 60)
_FOLDS, _ROUNDS = 5, 2000


@dataclass(frozen=True, eq=False)
class Sessions:
    """n rated conversations.

    Attributes:
        pairs: of all of them, with a column `session`, the row.
        is_good: bool [n].
        lengths: int64 [n], pairs.
        rarer: n names, of the one of the two who talks less often.
        components: how many groups of connected people there are, and the share of conversations in the largest.
    """

    pairs: pl.DataFrame
    is_good: npt.NDArray[np.bool_]
    lengths: npt.NDArray[np.int64]
    rarer: npt.NDArray[np.str_]
    components: tuple[int, float]


def read_sessions(pairs: pl.DataFrame, feedback: Path) -> Sessions:
    """Join conversations and their ratings.

    Args:
        pairs: all of them.
        feedback: feedback.parquet of the stage `anonymize`.

    Returns:
        Good and poor conversations of two people, of `PAIRS` pairs.
    """
    rating = pl.read_parquet(feedback).group_by("conversation_id").agg(rating=pl.col("rating").mean())
    of_two = (
        pairs.group_by("conversation_id")
        .agg(length=pl.len(), people=pl.col("sender").unique().sort())
        .filter(pl.col("people").list.len() == 2)
        .join(rating, on="conversation_id")
        .sort("conversation_id")
    )
    chosen = of_two.filter(
        pl.col("length").is_between(*PAIRS), (pl.col("rating") >= GOOD) | (pl.col("rating") <= POOR)
    ).with_row_index("session")
    talks = of_two.explode("people")["people"].value_counts()
    often: dict[str, int] = dict(talks.iter_rows())
    rarer = [min(people, key=lambda one: (often[one], one)) for people in chosen["people"].to_list()]
    rows = pairs.join(chosen.select("conversation_id", "session"), on="conversation_id").sort("session", "pair_id")
    return Sessions(
        rows,
        (chosen["rating"] >= GOOD).to_numpy(),
        chosen["length"].cast(pl.Int64).to_numpy(),
        np.array(rarer),
        _components(of_two["people"].to_list()),
    )


def _components(people: list[list[str]]) -> tuple[int, float]:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    number: dict[str, int] = {}
    ends = np.array([[number.setdefault(one, len(number)) for one in two] for two in people])
    graph = coo_matrix((np.ones(len(ends)), ends.T), (len(number), len(number)))
    count, labels = connected_components(graph, directed=False)
    return int(count), float(np.bincount(labels[ends[:, 0]]).max() / len(ends))


def untrained_auc(
    sessions: Sessions, world: World, score: Callable[[Slates], Scores]
) -> dict[str, tuple[float, float, float]]:
    """AUC of a ranker's mean score of what was said, which no rating taught it, and of length.

    Args:
        sessions: rated conversations.
        world: makes vectors.
        score: a ranker.

    Returns:
        `score`, `length` and `difference`, each with its 95% interval over people.
    """
    numbers = sessions.pairs["session"].to_numpy()
    scores = score(as_slates(sessions, world))[:, 0]
    means = np.bincount(numbers, weights=scores) / np.bincount(numbers)
    return _with_intervals(sessions, means, sessions.lengths.astype(float))


def as_slates(sessions: Sessions, world: World) -> Slates:
    """What was said, each reply a slate of its own."""
    rows = sessions.pairs
    return Slates(
        world,
        rows["context"].to_list(),
        rows["context_own"].to_list(),
        rows["conversation_id"].to_list(),
        rows["reply"].to_list(),
        np.arange(len(rows))[:, None],
    )


def trained_auc(sessions: Sessions, world: World) -> dict[str, tuple[float, float, float]]:
    """AUC of a regression on mean turn vectors, five folds by people, and of length.

    Args:
        sessions: rated conversations.
        world: makes vectors.

    Returns:
        As `untrained_auc`.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold

    vectors, numbers = world.vectors(sessions.pairs["reply"].to_list()), sessions.pairs["session"].to_numpy()
    means: Vectors = np.zeros((len(sessions.is_good), vectors.shape[1]), np.float32)
    np.add.at(means, numbers, vectors)
    means /= np.bincount(numbers)[:, None]
    found = np.zeros(len(means))
    for learnt, judged in GroupKFold(_FOLDS).split(means, sessions.is_good, sessions.rarer):
        scaled = means / means[learnt].std()
        model = LogisticRegression(C=0.03, max_iter=500).fit(scaled[learnt], sessions.is_good[learnt])
        found[judged] = model.decision_function(scaled[judged])
    return _with_intervals(sessions, found, sessions.lengths.astype(float))


def _with_intervals(
    sessions: Sessions, scores: npt.NDArray[np.float64], lengths: npt.NDArray[np.float64]
) -> dict[str, tuple[float, float, float]]:
    from sklearn.metrics import roc_auc_score

    draw, labels = np.random.default_rng(1), sessions.is_good
    _, group = np.unique(sessions.rarer, return_inverse=True)
    members = [np.flatnonzero(group == n) for n in range(group.max() + 1)]

    def three(rows: npt.NDArray[np.int64]) -> tuple[float, float, float]:
        score, length = (float(roc_auc_score(labels[rows], of[rows])) for of in (scores, lengths))
        return score, length, score - length

    drawn: list[tuple[float, float, float]] = []
    while len(drawn) < _ROUNDS:
        rows = np.concatenate([members[n] for n in draw.integers(0, len(members), len(members))])
        if labels[rows].any() and not labels[rows].all():
            drawn.append(three(rows))
    low, high = np.percentile(np.array(drawn), [2.5, 97.5], axis=0)
    every = three(np.arange(len(labels)))
    return {
        name: (every[n], float(low[n]), float(high[n])) for n, name in enumerate(("score", "length", "difference"))
    }
