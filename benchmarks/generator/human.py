"""Human or machine: how well a classifier tells replies from those that people gave to the same contexts.

A logistic regression on the release's own turn vectors and on words and pairs of words, five folds by
conversation, of as many replies of either kind for every length in words, equally many of the tuned model and of
the base. AUC of what it says of conversations that it has not read: .5 is what cannot be told apart. Intervals by
bootstrap over conversations; the difference is paired. The last row but one is the test of the test: people's
replies against others of theirs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.generator.estimates import Draws, Estimate, Floats, auc, auc_draws
from benchmarks.generator.samples import HUMAN, SHIPPED, Samples, samples_of
from benchmarks.generator.setting import BASE, TUNED, Setting
from benchmarks.generator.wordings import length_matched
from benchmarks.parts import Figures, Part
from benchmarks.report import table
from rejoinder.text import normalize, words

Encode = Callable[[list[str]], npt.NDArray[np.float32]]
CHECK = "people against others of them"
_FOLDS, _SEED, _ROUNDS = 5, 3, 1000


@dataclass(frozen=True, slots=True)
class Texts:
    """Replies of both kinds.

    Attributes:
        texts: in any order.
        machine: bool [n], whether a model said it.
        conversations: of each, where it was said.
    """

    texts: list[str]
    machine: npt.NDArray[np.bool_]
    conversations: list[str]


def measure(setting: Setting) -> Figures:
    """Draw samples, and let a classifier tell them apart."""
    samples = samples_of(setting)
    with setting.release() as opened:
        return figures_of(samples, lambda texts: opened.encoder.encode(texts).vectors, setting.pick(_ROUNDS, 200))


def figures_of(samples: Samples, encode: Encode, rounds: int = _ROUNDS) -> Figures:
    """How well each system is told from people.

    Args:
        samples: by system and seed.
        encode: texts to vectors.
        rounds: resamples.

    Returns:
        AUC by system, the mean of its seeds, and how many replies of either kind there were; the tuned model's
        less the base's.
    """
    sets = {name: [matched(samples, texts) for texts in samples.texts[name]] for name in _told(samples)}
    compared = [int(one.machine.sum()) for name in (TUNED, BASE) for one in sets.get(name, [])]
    sets[CHECK] = [_check(samples)]
    found, drawn = dict[str, Any](), dict[str, Floats]()
    for name, by_seed in sets.items():
        least = min(int(one.machine.sum()) for one in by_seed)
        few = [_fewer(one, min([least, *compared])) for one in by_seed]
        given = [scores(one, encode) for one in few]
        drawn[name] = np.mean(
            [_drawn(one, said, samples, rounds) for one, said in zip(few, given, strict=True)], axis=0
        )
        single = float(np.mean([auc(one.machine, said) for one, said in zip(few, given, strict=True)]))
        found[name] = {"answers": int(few[0].machine.sum()), "auc": Estimate.of(single, drawn[name]).to_list()}
    difference = None
    if TUNED in found and BASE in found:
        less = found[TUNED]["auc"][0] - found[BASE]["auc"][0]
        difference = Estimate.of(less, drawn[TUNED] - drawn[BASE]).to_list()
    return {"systems": found, "seeds": {name: len(of) for name, of in sets.items()}, "difference": difference}


def _told(samples: Samples) -> list[str]:
    return [name for name in (TUNED, SHIPPED, BASE) if name in samples.texts]


def matched(samples: Samples, texts: Sequence[str | None]) -> Texts:
    """As many replies of either kind for every length in words.

    Args:
        samples: with what people said.
        texts: what a model said to the same contexts; None: nothing.

    Returns:
        The replies, people's first.
    """
    rows = [row for row, text in enumerate(texts) if text and words(text)]
    asked = [row for row in range(len(texts)) if words(samples.items[row].reply)]
    machine = [str(texts[row]) for row in rows]
    people = [samples.items[row].reply for row in asked]
    ours, theirs = length_matched([len(words(t)) for t in people], [len(words(t)) for t in machine], _SEED)
    where = [samples.items[asked[row]].conversation for row in ours]
    where += [samples.items[rows[row]].conversation for row in theirs]
    kinds = np.array([False] * len(ours) + [True] * len(theirs))
    return Texts([people[row] for row in ours] + [machine[row] for row in theirs], kinds, where)


def _check(samples: Samples) -> Texts:
    """People's replies, half of which are called a machine's by chance."""
    order = [row for row, item in enumerate(samples.items) if words(item.reply)]
    Random(_SEED).shuffle(order)  # noqa: S311 (no secret)
    half = len(order) // 2
    rows = order[: 2 * half]
    kinds = np.arange(2 * half) >= half
    return Texts([samples.items[r].reply for r in rows], kinds, [samples.items[r].conversation for r in rows])


def _fewer(found: Texts, least: int) -> Texts:
    random = Random(_SEED)  # noqa: S311 (no secret)
    rows: list[int] = []
    both = np.flatnonzero(~found.machine).tolist(), np.flatnonzero(found.machine).tolist()
    pairs = list(zip(*both, strict=True))  # of one length each, by how they were matched
    for one, other in random.sample(pairs, least):
        rows += [one, other]
    return Texts([found.texts[r] for r in rows], found.machine[rows], [found.conversations[r] for r in rows])


def scores(found: Texts, encode: Encode) -> Floats:
    """What a classifier says of each reply that has not read its conversation.

    Args:
        found: replies of both kinds.
        encode: texts to vectors.

    Returns:
        float64 [n]; the higher, the more like a machine.
    """
    from scipy.sparse import csr_matrix, hstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold

    vectors = csr_matrix(encode(found.texts))
    given = np.zeros(len(found.texts))
    folds = StratifiedGroupKFold(min(_FOLDS, len(set(found.conversations))), shuffle=True, random_state=_SEED)
    for learnt, asked in folds.split(given, found.machine, found.conversations):
        if found.machine[learnt].all() or not found.machine[learnt].any():
            continue
        grams = TfidfVectorizer(
            ngram_range=(1, 2), min_df=2, preprocessor=normalize, tokenizer=_spoken, token_pattern=None
        )
        said = grams.fit_transform([found.texts[row] for row in learnt])
        model = LogisticRegression(max_iter=1000, class_weight="balanced").fit(
            hstack([vectors[learnt], said]), found.machine[learnt]
        )
        new = grams.transform([found.texts[row] for row in asked])
        given[asked] = model.decision_function(hstack([vectors[asked], new]))
    return given


def _spoken(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", text)


def _drawn(found: Texts, given: Floats, samples: Samples, rounds: int) -> Floats:
    """AUC of every resample of all conversations, the same for every system, so that differences are paired."""
    names = sorted({item.conversation for item in samples.items})
    place = {name: row for row, name in enumerate(names)}
    every = Draws.of(names, rounds)
    group = np.array([place[name] for name in found.conversations])
    return auc_draws(found.machine, given, Draws(group, every.times))


def report(figures: Mapping[str, Any]) -> str:
    """AUC by who speaks."""
    rows = [
        [f"{name} ({figures['seeds'][name]})", f"{of['answers']:,}", Estimate(*of["auc"]).show()]
        for name, of in figures["systems"].items()
    ]
    if figures["difference"]:
        rows.append([f"{TUNED} less {BASE}", "", Estimate(*figures["difference"]).show("+.3f")])
    return f"Seeds in brackets.\n\n{table([f'told from {HUMAN}', 'replies of either', 'AUC, 95%'], rows)}"


PART = Part("human", "Human or machine", measure, report, __doc__ or "")
