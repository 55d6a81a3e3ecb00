"""Benchmark: candidate and champion on the same lists in the same run; measures everything, judges nothing.

fixed lists -> baselines, untuned encoder, teacher, any student, what is served, champion -> ranks, intervals, gains
            -> the same, mistyped; slices of what is served
other forms over every test pair -> what they lose
exported forms beside sentence-transformers -> speed; bundles -> sizes, memory, time to open; dialogues -> replayed
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from rejoinder.parts import (
    ANNOTATORS,
    GENERATOR,
    GUARD,
    HEADS,
    INTENTS,
    PHRASES,
    RANKER,
    REMARKS,
    REPLIES,
    VECTORIZER,
)
from stages.common.output import atomic_directory, read_json, write_json
from stages.common.params import StageParams

if TYPE_CHECKING:
    from registry.pull.champion import Champion
    from rejoinder.parts import Kind
    from rejoinder.parts.heads import Heads
    from rejoinder.parts.opened import OpenRelease
    from rejoinder.parts.vectorizer import Vectorizer
    from rejoinder.release.manifest import Manifest
    from stages.benchmark.systems import Encode


#: Whose contexts are mistyped.
_TYPED = ("untuned", "served", "champion")


class Params(StageParams):
    """How much is measured."""

    SHARED = ("base",)
    release: str
    """Name of the releases whose champion is the one to beat."""
    base: str
    """Encoder before any training of ours, the one to beat."""
    bootstrap_rounds: int = Field(ge=100)
    """Resamples of the conversations for each interval."""
    speed_texts: int = Field(ge=32)
    """Test replies that each encoder encodes for its speed."""
    speed_rounds: int = Field(ge=1)
    """Rounds of the speed measurements; the median counts."""
    replayed: int = Field(ge=1)
    """Test dialogues that the release takes part in."""
    ranked: int = Field(ge=1)
    """Items of each test list, of whose slates the ranker is asked."""
    generated: int = Field(ge=1)
    """Test replies that the generator is asked for the likelihood of."""
    seed: int
    """Of random scores, resampling and typing errors."""


@dataclass(frozen=True, slots=True)
class Build:
    """Outputs of the stages before that hold what is measured on: pairs and lists, and the vectors of all turns."""

    dialogues: Path
    turns: Path


@dataclass(frozen=True, slots=True)
class Candidate:
    """The build that is measured.

    Attributes:
        bundles: directory of each bundle.
        vectorizer: by the form that made what the bundles hold, open.
        forms: the same by each other form; open.
        heads: open.
        encoders: torch folders of the teacher, and of the student if there is one.
        served: which of them was exported.
    """

    bundles: Mapping[Kind, Path]
    vectorizer: Vectorizer
    forms: Mapping[str, Vectorizer]
    heads: Heads
    encoders: dict[str, Path]
    served: str


def open_candidate(bundles: Mapping[Kind, Path], encoders: dict[str, Path]) -> Candidate:
    """Open what was built.

    Args:
        bundles: directory of each bundle.
        encoders: torch folders of the teacher, and of the student if there is one.

    Returns:
        The candidate.
    """
    from rejoinder.parts.heads import open_heads
    from rejoinder.parts.opened import open_model
    from rejoinder.release.manifest import read_manifest

    vectorizer, model = open_model(bundles[VECTORIZER.bundle])
    folder = bundles[HEADS.bundle]
    heads = open_heads(folder, read_manifest(folder), vectorizer.dim)
    forms = open_other_forms(bundles[VECTORIZER.bundle], model, vectorizer)
    return Candidate(bundles, vectorizer, forms, heads, encoders, model.facts["encoder"])


def open_other_forms(bundle: Path, manifest: Manifest, vectorizer: Vectorizer) -> dict[str, Vectorizer]:
    """Open what is shipped beside the form that made what bundles hold.

    Args:
        bundle: the model bundle.
        manifest: its manifest.
        vectorizer: opened by the first form.

    Returns:
        An encoder for each other form. Of several engines the last one named: OpenVINO, where it is, for it is the
        faster with quantised forms.
    """
    from rejoinder.parts.vectorizer import executions_here, load_vectorizer

    others = {e.form: e for e in executions_here(manifest) if e.form != vectorizer.execution.form}
    return {form: load_vectorizer(bundle, manifest, e) for form, e in others.items()}


def measure_quality(
    params: Params, candidate: Candidate, build: Build, champion: Champion | None, vectors: Path
) -> tuple[dict[str, Any], list[dict[str, object]]]:
    """Rank the gold replies of the test lists.

    Args:
        params: section `benchmark`.
        candidate: the build.
        build: what the stages before have left.
        champion: the release to beat, if there is one.
        vectors: folder of vectors that are kept between runs.

    Returns:
        Metrics, and the rows of the table of all systems.
    """
    from stages.benchmark.comparison import AT, Bootstrap, by_system, evaluate, gains, table
    from stages.benchmark.forms import Once
    from stages.benchmark.noise import noise
    from stages.benchmark.slices import slices
    from stages.benchmark.systems import Systems, exported
    from stages.benchmark.typos import mistyped_contexts
    from stages.benchmark.vectors import Remembered
    from stages.evaluation.candidates import Candidates

    lists = Candidates.load(build.dialogues / "test")
    remembered = Remembered(vectors)
    served = Once(exported(candidate.vectorizer))
    forms = {form: Once(exported(vectorizer)) for form, vectorizer in candidate.forms.items()}
    opened = champion.opened if champion else None
    systems = Systems(
        served=served,
        max_length=candidate.vectorizer.spec.max_length,
        forms=forms,
        heads=candidate.heads,
        folders=candidate.encoders,
        base=params.base,
        champion=opened,
        remembered=remembered,
    )
    found = evaluate(systems.over(lists, params.seed), lists)
    bootstrap = Bootstrap(lists.items["conversation_id"].to_list(), params.bootstrap_rounds, params.seed)
    rows = table(found, bootstrap)
    mistyped = mistyped_contexts(lists, params.seed)
    typed = {n: system for n, system in systems.over(mistyped, params.seed).items() if n in _TYPED}
    clean = {name: found[name]["random"] for name in typed}
    metrics = {
        "lists": {"checksum": lists.checksum, "items": len(lists.items), "pool": len(lists.pool)},
        "retrieval": by_system(rows),
        "gains": gains(found, bootstrap),
        "noise": noise(clean, typed, mistyped, bootstrap),
        "slices": slices(found["served"]["random"], lists, build.dialogues / "pairs.parquet", AT["random"]),
        "forms": _forms(params, forms, candidate, build),
    }
    remembered.forget_the_rest()
    return metrics, rows


def _forms(params: Params, forms: Mapping[str, Encode], candidate: Candidate, build: Build) -> dict[str, Any]:
    import polars as pl

    from stages.benchmark.forms import form_gains
    from stages.common.turn_vectors import TurnVectors

    if not forms:
        return {}
    columns = ["conversation_id", "context", "context_own", "reply"]
    pairs = pl.scan_parquet(build.dialogues / "pairs.parquet").filter(split="test").select(columns).collect()
    turns = TurnVectors(build.turns, candidate.vectorizer.id)
    return form_gains(forms, candidate.heads, pairs, turns, (params.bootstrap_rounds, params.seed))


def measure_cost(params: Params, candidate: Candidate, dialogues: Path) -> dict[str, Any]:
    """Measure speed, sizes, memory, and what turns of a dialogue cost.

    Args:
        params: section `benchmark`.
        candidate: the build.
        dialogues: output of the stage `dialogues`.

    Returns:
        Metrics.
    """
    import polars as pl

    from stages.benchmark.replay import people_say, replay
    from stages.benchmark.sizes import files_mb
    from stages.benchmark.speed import measure_search, measure_speed, open_cost
    from stages.benchmark.unreleased import opened_unreleased
    from stages.evaluation.candidates import Candidates

    texts = Candidates.load(dialogues / "test").pool["text"].to_list()[: params.speed_texts]
    encoder = candidate.encoders[candidate.served]
    files = files_mb(candidate.bundles)
    pairs = pl.scan_parquet(dialogues / "pairs.parquet").filter(split="test").select("pair_id", "context").collect()
    with opened_unreleased(candidate.bundles) as opened:
        replayed = replay(opened, people_say(pairs, params.replayed))
    return {
        "speed": measure_speed(
            candidate.bundles[VECTORIZER.bundle], encoder, params.base, texts, params.speed_rounds
        ),
        "search": measure_search(candidate.bundles[REPLIES.bundle], candidate.vectorizer, candidate.heads, texts),
        "sizes_mb": {kind: sum(of.values()) for kind, of in files.items()},
        "files_mb": files,
        "opening": open_cost(candidate.bundles),
        "replay": replayed,
    }


def run(
    params: Params,
    *,
    dialogues: Path,
    vectorizer: Path,
    student: Path,
    export: Path,
    turns: Path,
    heads: Path,
    cache: Path,
    index: Path,
    remarks: Path,
    guard: Path,
    intents: Path,
    annotators: Path,
    ranker: Path,
    generator: Path,
    suites: Path = Path("data/suites"),
    development: Path = Path("data/development/dialogues.yaml"),
    out: Path,
) -> None:
    """Measure the candidate; writes metrics.json, summary.json, replies.html and the plots' rows."""
    from registry.pull.champion import open_champion
    from rejoinder.release.manifest import read_manifest
    from stages.benchmark.answers import answer_development, answer_suites
    from stages.benchmark.figures import summary, write_plots
    from stages.benchmark.ranking import measure_ranking
    from stages.benchmark.unreleased import opened_unreleased

    made = {VECTORIZER: export, PHRASES: cache, HEADS: heads, REPLIES: index, REMARKS: remarks, GUARD: guard}
    made |= {INTENTS: intents, ANNOTATORS: annotators, RANKER: ranker, GENERATOR: generator}
    bundles = {part.bundle: folder / part.bundle for part, folder in made.items()}
    bundles = {kind: folder for kind, folder in bundles.items() if kind != GENERATOR.bundle or folder.exists()}
    folders = {"teacher": vectorizer / "teacher", "student": student / "student"}
    candidate = open_candidate(bundles, {name: folder for name, folder in folders.items() if folder.exists()})
    champion = open_champion(params.release)
    build = Build(dialogues, turns)
    quality, rows = measure_quality(params, candidate, build, champion, out.with_name(".vectors"))
    metrics = {
        "champion": champion and _describe(champion),
        "bundles": {kind: read_manifest(path).digest for kind, path in bundles.items()},
        **quality,
        **measure_cost(params, candidate, dialogues),
        PHRASES.bundle: read_json(cache / "metrics.json"),
    }
    with opened_unreleased(bundles) as opened:
        metrics["answers"], page = answer_development(opened, champion, development)
        metrics[GUARD.name], asked = answer_suites(opened, suites)
        metrics["ranking"] = measure_ranking(
            opened, dialogues, turns, most=params.ranked, rounds=params.bootstrap_rounds, seed=params.seed
        )
        metrics["generating"] = _generating(params, opened, champion, dialogues, generator)
    metrics[GUARD.name]["reviewed"] = read_json(guard / "metrics.json")["reviewed"]
    with atomic_directory(out) as directory:
        write_json(directory / "metrics.json", metrics)
        write_json(directory / "summary.json", summary(metrics))
        (directory / "replies.html").write_text(page, encoding="utf-8")
        (directory / "guard.html").write_text(asked, encoding="utf-8")
        write_plots(directory, rows, metrics["speed"]["per_cpu_second"], metrics["ranking"])


def _generating(
    params: Params, opened: OpenRelease, champion: Champion | None, dialogues: Path, generator: Path
) -> dict[str, Any]:
    from stages.benchmark.generating import measure_generating

    theirs = champion.opened.generator if champion and champion.opened else None
    how = {"items": params.generated, "rounds": params.bootstrap_rounds, "seed": params.seed}
    return measure_generating(opened.generator, theirs, dialogues, generator / "samples.parquet", **how)


def _describe(champion: Champion) -> dict[str, Any]:
    from stages.benchmark.sizes import files_mb

    return {
        "digest": champion.release.digest,
        "files_mb": files_mb(champion.bundles),
        "unusable": champion.unusable,
    }
