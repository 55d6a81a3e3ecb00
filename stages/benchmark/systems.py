"""Systems: what is compared. A system scores every pool reply for every item when it is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rejoinder.parts.arrays import Vectors
from rejoinder.parts.heads import Contexts, Heads
from stages.benchmark import baselines
from stages.benchmark.vectors import Remembered
from stages.evaluation.candidates import Candidates
from stages.evaluation.retrieval import Scores, retrieval_scores

if TYPE_CHECKING:
    from rejoinder.parts.opened import OpenRelease
    from rejoinder.parts.vectorizer import Vectorizer

#: Scores of one system, computed when called.
System = Callable[[], Scores]
Encode = Callable[[list[str]], Vectors]


@dataclass(frozen=True, slots=True)
class Systems:
    """Everything that is compared, over any lists.

    Attributes:
        served: encoder by the form that made what bundles hold.
        max_length: tokens that it reads of a text.
        forms: encoders by each other form that is shipped; they meet what the first one made.
        heads: what is served on it.
        folders: torch encoder folders by name.
        base: names the untuned encoder.
        champion: the release to beat, if there is one that opens here.
        remembered: vectors of earlier runs; those of what is served are never taken from there.
    """

    served: Encode
    max_length: int
    forms: Mapping[str, Encode]
    heads: Heads
    folders: dict[str, Path]
    base: str
    champion: OpenRelease | None
    remembered: Remembered

    def over(self, candidates: Candidates, seed: int) -> dict[str, System]:
        """Baselines, untuned encoder, teacher, student if there is one, what is served, and the champion.

        Args:
            candidates: the lists.
            seed: of random scores.

        Returns:
            Systems by name.
        """
        turns = _context_turns(self.folders["teacher"])
        systems: dict[str, System] = {
            "random": partial(baselines.random_scores, candidates, seed),
            "length": partial(baselines.length_scores, candidates),
            "bm25": partial(baselines.bm25_scores, candidates, turns),
        }
        encoders: dict[str, str | Path] = {"untuned": self.base, **self.folders}
        for name, where in encoders.items():
            encode = self.remembered.torch_encoder(name, where, self.max_length)
            systems[name] = partial(retrieval_scores, encode, candidates, turns)
        systems["served"] = partial(heads_scores, self.served, self.heads, candidates)
        for form, encode in self.forms.items():
            systems[f"served_{form}"] = partial(heads_scores, encode, self.heads, candidates, stored=self.served)
        if self.champion is not None:
            encode = self.remembered.exported(self.champion.vectorizer)
            read = int(self.champion.index.facts["context_turns"])
            systems["champion"] = release_system(encode, self.champion.heads, candidates, read)
        return systems


def release_system(encode: Encode, heads: Heads | None, candidates: Candidates, context_turns: int) -> System:
    """What a release computes, scored when called.

    Args:
        encode: its vectorizer.
        heads: its heads; None if it encodes contexts as one text each.
        candidates: the lists.
        context_turns: turns joined into that text.

    Returns:
        The system.
    """
    if heads is None:
        return partial(retrieval_scores, encode, candidates, context_turns)
    return partial(heads_scores, encode, heads, candidates)


def exported(vectorizer: Vectorizer) -> Encode:
    """A vectorizer of the build, which shows how long it will take."""
    from stages.common.encoding import encode_all

    return lambda texts: encode_all(vectorizer, texts, f"benchmark: encoding by {vectorizer.execution}")


def heads_scores(encode: Encode, heads: Heads, candidates: Candidates, *, stored: Encode | None = None) -> Scores:
    """Score every pool reply for every item as a release with heads does: each turn alone, heads on top.

    Args:
        encode: texts to unit rows, float32 [n, turn_dim].
        heads: make contexts and replies of turns.
        candidates: the fixed lists.
        stored: what made the vectors of replies that an index holds; by default `encode`.

    Returns:
        float32 [items, pool].
    """
    contexts = [turns[-heads.turns :] for turns in candidates.items["context"].to_list()]
    own = [turns[-heads.turns :] for turns in candidates.items["context_own"].to_list()]
    distinct = list(dict.fromkeys(turn for turns in contexts for turn in turns))
    vectors, row_of = encode(distinct), {text: row for row, text in enumerate(distinct)}
    replies = heads.replies((stored or encode)(candidates.pool["text"].to_list()))
    laid = Contexts(len(contexts), heads.turns, heads.turn_dim)
    for row, turns in enumerate(contexts):
        laid.put(row, vectors[[row_of[turn] for turn in turns]], own[row])
    scores: Scores = heads.contexts(laid) @ replies.T
    return scores


def _context_turns(folder: Path) -> int:
    import json

    from stages.training.encoder import CONFIG

    return int(json.loads((folder / CONFIG).read_text())["context_turns"])
