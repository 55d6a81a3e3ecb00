"""Guard: written care + turns -> classifiers of sensitive turns and of offensive replies -> the guard bundle.

data/care/*.yaml -> checked -> examples beside ordinary and everyday turns -> fitted -> thresholds by unseen turns
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from stages.common.output import atomic_directory, write_json
from stages.common.params import StageParams

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rejoinder.parts.care import Care
    from rejoinder.parts.vectorizer import Vectorizer
    from stages.classify.training_set import Fitted, Written
    from stages.common.turn_vectors import TurnVectors


class Params(StageParams):
    """Where help is found, how classifiers are fitted, and how often they may be wrong."""

    locale: str = Field(min_length=2)
    """Whose helplines the scripts name: a locale of helplines.yaml."""
    care_turns: int = Field(ge=0, le=3)
    """For how many further turns of the user care goes on."""
    most_examples: int = Field(ge=1)
    """Turns and look-alikes of a kind that are used, the first ones; fewer make a small build quick."""
    strength: float = Field(gt=0)
    """Inverse of the penalty on the classifiers' squared weights."""
    ordinary: int = Field(ge=1)
    """Turns of the training split that are learnt as ordinary, and of the validation split that thresholds see."""
    everyday: int = Field(ge=0)
    """Example turns of remarks and phrases of intents that are learnt as everyday ones, the first of each."""
    grave_themes: list[str]
    """Themes of remarks whose turns are not."""
    max_alarms: float = Field(gt=0, lt=1)
    """Share of the validation split's turns that the classifier may take for sensitive."""
    max_look_alike_alarms: float = Field(gt=0, lt=1)
    """Share of the look-alikes that a first classifier does not see, and may take for sensitive all the same."""
    max_everyday_alarms: float = Field(gt=0, lt=1)
    """Share of everyday turns, likewise."""
    max_checks: float = Field(gt=0, lt=1)
    """Share of the validation split's turns to which a check comes before everything else."""
    max_cautions: float = Field(gt=0, lt=1)
    """Share of the validation split's turns after which nothing from logs may answer."""
    max_vetoes: float = Field(gt=0, lt=1)
    """Share of the validation split's turns that an assistant may not say."""
    hidden: int = Field(ge=0)
    """Units of the network beside the regression that finds sensitive turns; 0 for none."""
    held_out: float = Field(gt=0, lt=1)
    """Share of the examples that a first classifier does not see, to measure by; the one that ships sees all."""
    seed: int
    """Of the ordinary turns, of what is held out, and of the network."""


def first_examples(care: Care, most: int) -> Care:
    """Leave all but the first examples of each kind out."""
    from dataclasses import replace

    kinds = tuple(replace(k, turns=k.turns[:most], look_alikes=k.look_alikes[:most]) for k in care.kinds)
    return replace(care, kinds=kinds)


def everyday_turns(params: Params, remarks: Path, intents: Path, care: Care) -> list[str]:
    """Read what people wrote as everyday turns for other parts: chat of strangers holds little of it.

    Args:
        params: section `guard`.
        remarks: folder of themes.
        intents: folder of intents.
        care: whose lists know no everyday turn, and whose examples are none.

    Returns:
        Distinct turns.
    """
    from rejoinder.parts.guard import WordList
    from rejoinder.parts.themes import read_themes
    from rejoinder.parts.written_intents import read_phrases
    from rejoinder.text import normalize

    themes = [theme for theme in read_themes(remarks) if theme.name not in params.grave_themes]
    of_themes = [turn for theme in themes for turn in theme.turns]
    turns = [*of_themes[: params.everyday], *read_phrases(intents)[: params.everyday]]
    lists = [WordList(kind.phrases, kind.unless) for kind in care.kinds]
    known = {normalize(text) for kind in care.kinds for text in (*kind.turns, *kind.look_alikes)}
    distinct = {normalize(turn): turn for turn in turns}
    return [
        turn
        for key, turn in distinct.items()
        if key not in known and not any(listed.holds(turn) for listed in lists)
    ]


def examples(care: Care, everyday: Sequence[str]) -> dict[str, Written]:
    """The examples of each classifier: what is sensitive or offensive first, then what only resembles it.

    Args:
        care: as people wrote it.
        everyday: turns that are not sensitive; they come last.

    Returns:
        Examples by the classifier's name.
    """
    import numpy as np

    from rejoinder.parts.guard import OFFENSIVE, SENSITIVE, examples_of, labels_of
    from stages.classify.training_set import Written

    kinds = [number for number, kind in enumerate(care.kinds, 1) for _ in kind.turns]
    resembling = {
        SENSITIVE: [*(text for kind in care.kinds for text in kind.look_alikes), *everyday],
        OFFENSIVE: list(care.offensive.acceptable),
    }
    numbers = {SENSITIVE: kinds, OFFENSIVE: [1] * len(care.offensive.offensive)}
    return {
        name: Written(
            [*texts, *resembling[name]],
            np.array(numbers[name] + [0] * len(resembling[name]), np.int64),
            labels_of(care)[name],
        )
        for name, texts in examples_of(care).items()
    }


def found_of(written: Written, fitted: Fitted, least: float) -> dict[str, Any]:
    """What a classifier finds of examples that it has not seen, at a threshold.

    Args:
        written: the examples.
        fitted: the classifier.
        least: probability of not being everything else from which on an example counts.

    Returns:
        Shares: `found` by label, `alarms` of what is something else, `ordinary` of the validation split's turns.
    """
    import numpy as np

    alarms, numbers = 1 - fitted.unseen[:, 0] >= least, written.numbers[fitted.rows]
    found = {
        label: float(alarms[numbers == number].mean())
        for number, label in enumerate(written.labels)
        if number and (numbers == number).any()
    }
    return {
        "found": found,
        "alarms": float(alarms[numbers == 0].mean()) if (numbers == 0).any() else 0.0,
        "ordinary": float(np.mean(1 - fitted.ordinary[:, 0] >= least)),
    }


def ordinary_turns_of(params: Params, care: Care, pairs: Path) -> tuple[list[str], list[str]]:
    """Draw ordinary turns of the training and of the validation split; what the lists know is none."""
    from rejoinder.parts.guard import WordList
    from stages.classify.ordinary import SPLITS, ordinary_turns

    lists = [WordList(kind.phrases, kind.unless) for kind in care.kinds]
    drawn = (ordinary_turns(pairs, split, params.ordinary, params.seed) for split in SPLITS)
    learnt, judged = ([turn for turn in turns if not any(each.holds(turn) for each in lists)] for turns in drawn)
    return learnt, judged


def fit_all(
    params: Params,
    written: Mapping[str, Written],
    ordinary: tuple[Sequence[str], Sequence[str]],
    vectorizer: Vectorizer,
    known: TurnVectors,
) -> dict[str, Fitted]:
    """Fit both classifiers.

    Args:
        params: section `guard`.
        written: examples by classifier.
        ordinary: by `ordinary_turns_of`.
        vectorizer: the exported one.
        known: its vectors of all turns.

    Returns:
        Classifiers by name.
    """
    from dataclasses import replace

    from rejoinder.parts.guard import OFFENSIVE, SENSITIVE
    from stages.classify.training_set import Recipe, encoded, fit_written

    recipe = Recipe(params.strength, params.held_out, params.seed)
    recipes = {SENSITIVE: replace(recipe, hidden=params.hidden), OFFENSIVE: recipe}
    return {
        name: fit_written(given, encoded(vectorizer, given), ordinary, known, recipes[name])
        for name, given in written.items()
    }


def thresholds(fitted: Mapping[str, Fitted], written: Written, everyday: int, params: Params) -> dict[str, float]:
    """Choose from which probabilities on the guard acts, by turns that nobody is in distress in.

    Those of the validation split are talk of strangers, in which nobody tells a sorrow; so look-alikes and everyday
    turns that a first classifier has not seen have their say as well.

    Args:
        fitted: classifiers by name.
        written: examples of the classifier of sensitive turns.
        everyday: how many of them, the last ones, are everyday turns.
        params: the shares that may be hit.

    Returns:
        The facts `min_sensitive`, `min_check`, `min_caution`, `min_offensive`.
    """
    from rejoinder.parts.guard import MIN_CHECK, OFFENSIVE, SENSITIVE
    from stages.classify.fit import threshold

    alike = {name: 1 - found.ordinary[:, 0] for name, found in fitted.items()}
    sensitive = fitted[SENSITIVE]
    alarming, is_none = 1 - sensitive.unseen[:, 0], written.numbers[sensitive.rows] == 0
    is_everyday = sensitive.rows >= len(written.texts) - everyday
    surely = max(
        threshold(alike[SENSITIVE], params.max_alarms),
        threshold(alarming[is_none & ~is_everyday], params.max_look_alike_alarms),
        threshold(alarming[is_everyday], params.max_everyday_alarms) if is_everyday.any() else 0.0,
    )
    return {
        "min_sensitive": surely,
        MIN_CHECK: min(surely, threshold(alike[SENSITIVE], params.max_checks)),
        "min_caution": threshold(alike[SENSITIVE], params.max_cautions),
        "min_offensive": threshold(alike[OFFENSIVE], params.max_vetoes),
    }


def run(
    params: Params,
    *,
    care: Path = Path("data/care"),
    remarks: Path = Path("data/remarks"),
    intents: Path = Path("data/intents"),
    dialogues: Path,
    export: Path,
    turns: Path,
    out: Path,
) -> None:
    """Build the guard bundle.

    Args:
        params: section `guard`.
        care: folder of kinds, helplines and offensive replies.
        remarks: folder of themes, whose turns are everyday ones.
        intents: folder of intents, whose phrases are everyday ones.
        dialogues: output of the stage `dialogues`.
        export: output of the stage `export`.
        turns: output of the stage `turns`.
        out: directory to make: guard/ (the bundle), metrics.json.
    """
    from rejoinder.parts import GUARD, VECTORIZER
    from rejoinder.parts.care import care_files, read_care
    from rejoinder.parts.classifier import write_classifier
    from rejoinder.parts.guard import OFFENSIVE, SENSITIVE, write_guard
    from rejoinder.parts.opened import open_model
    from rejoinder.release.canonical import digest_file
    from rejoinder.release.manifest import write_manifest
    from stages.common.turn_vectors import TurnVectors

    read = first_examples(read_care(care, params.locale), params.most_examples)
    vectorizer, _ = open_model(export / VECTORIZER.bundle)
    everyday = everyday_turns(params, remarks, intents, read)
    written = examples(read, everyday)
    ordinary = ordinary_turns_of(params, read, dialogues / "pairs.parquet")
    fitted = fit_all(params, written, ordinary, vectorizer, TurnVectors(turns, vectorizer.id))
    least = thresholds(fitted, written[SENSITIVE], len(everyday), params)
    with atomic_directory(out) as directory:
        bundle = directory / GUARD.bundle
        bundle.mkdir()
        for name, found in fitted.items():
            write_classifier(bundle, name, found.weights)
        made = {name: found.classifier for name, found in fitted.items()}
        write_guard(bundle, read, made, {name: found.vectors for name, found in fitted.items()})
        files = {path.name: digest_file(path) for path in care_files(care)}
        facts = {"locale": params.locale, "care_turns": params.care_turns, **least, "written_in": files}
        write_manifest(bundle, GUARD.bundle, vectorizer.id, facts)
        measured = {
            name: found_of(written[name], fitted[name], least[fact])
            for name, fact in ((SENSITIVE, "min_sensitive"), (OFFENSIVE, "min_offensive"))
        }
        reviewed = {entry.locale: entry.reviewed.isoformat() for entry in read.helplines}
        write_json(directory / "metrics.json", {**measured, **least, "reviewed": reviewed})
