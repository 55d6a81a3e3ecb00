"""Likelihood: how often the reply that was given is likelier than 99 others, by the project's fixed lists.

A sample of the lists of `dialogues` on which every retriever is measured, after the last three turns. Per reply:
the whole log-probability, which favours short ones. Per token: its mean over the tokens, the end counted. Per
reply over no context: less what the reply has without any turn before it. Ties count as wrong, and so does a given
reply with a token that cannot be said; of the others such a reply ranks last. Intervals are 95%, by bootstrap over
conversations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.generator.estimates import Draws, Estimate, Floats, mean
from benchmarks.generator.held_out import TURNS
from benchmarks.generator.setting import BASE, TUNED, Setting
from benchmarks.parts import Figures, Part
from benchmarks.report import table
from rejoinder.progress import track
from stages.evaluation.candidates import Candidates, Rows

SHIPPED, HEADS = "shipped", "context head (retrieval)"
WAYS = {"token": "per token", "reply": "per reply", "gain": "per reply over no context"}
KINDS = ("random", "hard")
_SEED = 18
#: Sums, float64 [n], and tokens, int64 [n], of replies after turns.
Score = Callable[[Sequence[str], Sequence[bool], Sequence[str]], tuple[Floats, Any]]


def measure(setting: Setting) -> Figures:
    """Order lists by every model."""
    lists = Candidates.load(setting.build / "dialogues" / "test")
    number = min(setting.pick(setting.lists, 3), len(lists.items))
    chosen = np.sort(np.random.default_rng(_SEED).choice(len(lists.items), number, replace=False))
    found: dict[str, Any] = {kind: {} for kind in KINDS}
    for name, score in _scorers(setting).items():
        for kind in KINDS[: 2 if name == SHIPPED and not setting.is_quick else 1]:
            right = _ways(lists, chosen, kind, score, name)
            found[kind][name] = {
                way: _estimate(lists, chosen, hits) if hits else None for way, hits in right.items()
            }
    for kind in KINDS[: 1 if setting.is_quick else 2]:
        if (hits := _heads(setting, lists, chosen, kind)) is not None:
            found[kind][HEADS] = {
                "token": None,
                "reply": None,
                "gain": None,
                "score": _estimate(lists, chosen, hits),
            }
    return {
        "lists": number,
        "all": len(lists.items),
        "checksum": lists.checksum,
        "found": {kind: of for kind, of in found.items() if of},
    }


def _scorers(setting: Setting) -> dict[str, Score]:
    generator = setting.generator()
    found: dict[str, Score] = {SHIPPED: generator.log_probabilities}
    for name, folder in ((n, f) for n, f in setting.models().items() if n in (TUNED, BASE)):
        from benchmarks.generator.torch_models import TorchModel, open_model

        found[name] = _summed(TorchModel(open_model(folder, setting.threads), generator.prompt).token_nats)
    return found


def _summed(token_nats: Callable[..., list[Floats]]) -> Score:
    def score(turns: Sequence[str], own: Sequence[bool], replies: Sequence[str]) -> tuple[Floats, Any]:
        nats = token_nats(turns, own, replies)
        return -np.array([values.sum() for values in nats]), np.array([len(values) for values in nats])

    return score


def _ways(lists: Candidates, chosen: Rows, kind: str, score: Score, name: str) -> dict[str, list[bool]]:
    pool = lists.pool["text"].to_list()
    right: dict[str, list[bool]] = {way: [] for way in WAYS}
    for row in track(chosen.tolist(), f"likelihood: {name}, {kind}", "list"):
        item = lists.items.row(row, named=True)
        replies = [pool[place] for place in (item["gold"], *item[kind])]
        sums, tokens = score(item["context"][-TURNS:], item["context_own"][-TURNS:], replies)
        right["token"].append(is_first(sums / tokens))
        right["reply"].append(is_first(sums))
        if name == SHIPPED and kind == KINDS[0]:
            right["gain"].append(is_first(sums - score((), (), replies)[0]))
    return right


def is_first(scores: Floats) -> bool:
    """Whether the first score is above all others.

    Args:
        scores: float64 [n]; what is no number ranks last.

    Returns:
        False at a tie.
    """
    known = np.where(np.isnan(scores), -np.inf, scores)
    return bool((known[0] > known[1:]).all())


def _heads(setting: Setting, lists: Candidates, chosen: Rows, kind: str) -> list[bool] | None:
    """What retrieval makes of the same lists; None where the turns' vectors are not those of this release."""
    from stages.common.errors import DataError
    from stages.common.turn_vectors import TurnVectors
    from stages.evaluation.slates import first, heads_scores

    with setting.release() as opened:
        if opened.heads is None:
            return None
        try:
            turns = TurnVectors(setting.build / "turns", opened.vectorizer.id)
            some = Candidates(lists.items[chosen], lists.pool)
            rows = np.column_stack([some.items["gold"].to_numpy(), np.array(some.items[kind].to_list())])
            return [bool(hit) for hit in first(heads_scores(opened.heads, turns, some, rows))]
        except DataError:
            return None


def _estimate(lists: Candidates, chosen: Rows, hits: Sequence[bool]) -> list[float]:
    conversations = lists.items["conversation_id"][chosen].to_list()
    return mean(np.array(hits, float), Draws.of(conversations)).to_list()


def report(figures: Mapping[str, Any]) -> str:
    """R@1 by kind of list."""
    parts = [f"{figures['lists']:,} of {figures['all']:,} lists (`{figures['checksum'][:19]}`).\n"]
    for kind, systems in figures["found"].items():
        rows = []
        for name, of in systems.items():
            shown = [Estimate(*of[way]).show(".2f") if of[way] else "-" for way in WAYS]
            rows.append([name, *shown, Estimate(*of["score"]).show(".2f") if "score" in of else "-"])
        parts += [f"{kind}:\n", table(["R@1 of 100", *WAYS.values(), "by its score"], rows)]
    return "\n".join(parts)


PART = Part("likelihood", "The given reply among a hundred", measure, report, __doc__ or "")
