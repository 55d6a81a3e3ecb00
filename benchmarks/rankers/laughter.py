"""Laughter: does an audience laugh at this reply? Episodes held out, several seeds of which."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.rankers.slates import World
from rejoinder.parts.arrays import Vectors
from rejoinder.text import words

_FUNNY = "funny"
_HELD_OUT = 20 / 96  # of the episodes
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reacted:
    """n replies in conversations where anybody reacted.

    Attributes:
        features: by name, float [n, ...]: `lengths`, `reply`, `both`.
        texts: the replies.
        asked: the turns before them.
        labels: bool [n], whether somebody laughed.
        episodes: n names.
    """

    features: Mapping[str, Vectors]
    texts: list[str]
    asked: list[str]
    labels: npt.NDArray[np.bool_]
    episodes: npt.NDArray[np.str_]


def read_reacted(pairs: pl.DataFrame, world: World) -> Reacted:
    """Take replies with and without laughter.

    Args:
        pairs: all of them.
        world: makes vectors.

    Returns:
        Those of conversations in which there is any.
    """
    is_funny = pl.col("reaction") == _FUNNY
    rows = pairs.filter(is_funny.any().over("conversation_id")).sort("pair_id")
    texts, asked = rows["reply"].to_list(), [context[-1] for context in rows["context"].to_list()]
    reply, context = world.vectors(texts), world.vectors(asked)
    lengths = np.array([_lengths(*pair) for pair in zip(texts, asked, strict=True)], np.float32)
    return Reacted(
        {
            "lengths": lengths,
            "reply": np.hstack([lengths, reply]),
            "both": np.hstack([lengths, reply, context, reply * context]),
        },
        texts,
        asked,
        rows["reaction"].eq_missing(_FUNNY).to_numpy(),
        rows["conversation_id"].to_numpy(),
    )


def _lengths(reply: str, context: str) -> list[float]:
    said, asked = len(words(reply)), len(words(context))
    return [np.log1p(said), np.log1p(asked), min(said, 30) / 30, float("?" in reply), float("!" in reply)]


def laughter_aucs(reacted: Reacted, seeds: int) -> dict[str, list[float]]:
    """Fit every kind of features, and measure on episodes that were held out.

    Args:
        reacted: the replies.
        seeds: draws of the episodes that are held out.

    Returns:
        By kind, an AUC a seed.
    """
    from sklearn.metrics import roc_auc_score

    kinds: dict[str, Callable[[npt.NDArray[np.bool_]], Floats]] = {
        "length": lambda held: _linear(reacted.features["lengths"], reacted.labels, held),
        "bag of words": lambda held: _words(reacted, held),
        "linear on the reply's vector": lambda held: _linear(reacted.features["reply"], reacted.labels, held),
        "linear on reply, context, product": lambda held: _linear(reacted.features["both"], reacted.labels, held),
        "MLP on reply, context, product": lambda held: _mlp(reacted.features["both"], reacted.labels, held),
    }
    found: dict[str, list[float]] = {name: [] for name in kinds}
    for seed in range(seeds):
        held = held_out_episodes(reacted.episodes, seed)
        for name, fit in kinds.items():
            found[name].append(float(roc_auc_score(reacted.labels[held], fit(held))))
    return found


def held_out_episodes(episodes: npt.NDArray[np.str_], seed: int) -> npt.NDArray[np.bool_]:
    """Mark the rows of about a fifth of the episodes, bool [n]."""
    names = np.unique(episodes)
    drawn = np.random.default_rng(seed).permutation(names)[: max(1, round(_HELD_OUT * len(names)))]
    return np.isin(episodes, drawn)


def _linear(rows: Vectors, labels: npt.NDArray[np.bool_], held: npt.NDArray[np.bool_]) -> Floats:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200))
    found: Floats = model.fit(rows[~held], labels[~held]).predict_proba(rows[held])[:, 1]
    return found


def _words(reacted: Reacted, held: npt.NDArray[np.bool_]) -> Floats:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    texts = np.array(reacted.texts, object)
    bag = TfidfVectorizer(min_df=3, ngram_range=(1, 2), sublinear_tf=True).fit(texts[~held])
    model = LogisticRegression(max_iter=200).fit(bag.transform(texts[~held]), reacted.labels[~held])
    found: Floats = model.predict_proba(bag.transform(texts[held]))[:, 1]
    return found


def _mlp(rows: Vectors, labels: npt.NDArray[np.bool_], held: npt.NDArray[np.bool_]) -> Floats:
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    network = MLPClassifier((64,), alpha=3.0, batch_size=512, learning_rate_init=5e-4, max_iter=8, random_state=0)
    model = make_pipeline(StandardScaler(), network)
    found: Floats = model.fit(rows[~held], labels[~held]).predict_proba(rows[held])[:, 1]
    return found
