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

from rejoinder.parts import ANNOTATORS, GUARD, HEADS, INTENTS, PHRASES, REMARKS, REPLIES, VECTORIZER
from stages.common.output import atomic_directory, read_json, write_json, write_rows
from stages.common.params import StageParams

if TYPE_CHECKING:
    from registry.pull.champion import Champion
    from rejoinder.parts import Kind
    from rejoinder.parts.heads import Heads
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
    forms = {form: Once(exported(vectorizer)) for form, vectorizer in candidate.forms.items()}
    opened = champion.opened if champion else None
    systems = Systems(
        candidate.vectorizer, forms, candidate.heads, candidate.encoders, params.base, opened, remembered
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
    suites: Path = Path("data/suites"),
    development: Path = Path("data/development/dialogues.yaml"),
    out: Path,
) -> None:
    """Measure the candidate; writes metrics.json, summary.json, replies.html and the plots' rows."""
    from registry.pull.champion import open_champion
    from rejoinder.release.manifest import read_manifest

    bundles: dict[Kind, Path] = {
        VECTORIZER.bundle: export / VECTORIZER.bundle,
        PHRASES.bundle: cache / PHRASES.bundle,
        HEADS.bundle: heads / HEADS.bundle,
        REPLIES.bundle: index / REPLIES.bundle,
        REMARKS.bundle: remarks / REMARKS.bundle,
        GUARD.bundle: guard / GUARD.bundle,
        INTENTS.bundle: intents / INTENTS.bundle,
        ANNOTATORS.bundle: annotators / ANNOTATORS.bundle,
    }
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
    answered, page = answer_development(bundles, champion, development)
    metrics["answers"] = answered
    metrics[GUARD.name], asked = answer_suites(bundles, suites)
    metrics[GUARD.name]["reviewed"] = read_json(guard / "metrics.json")["reviewed"]
    with atomic_directory(out) as directory:
        write_json(directory / "metrics.json", metrics)
        write_json(directory / "summary.json", summary(metrics))
        (directory / "replies.html").write_text(page, encoding="utf-8")
        (directory / "guard.html").write_text(asked, encoding="utf-8")
        _write_plots(directory, rows, metrics["speed"]["per_cpu_second"])


def answer_development(
    bundles: Mapping[Kind, Path], champion: Champion | None, development: Path
) -> tuple[dict[str, Any], str]:
    """Let candidate and champion answer the development set.

    Args:
        bundles: directory of each bundle of the candidate.
        champion: the release to beat, if there is one.
        development: the set.

    Returns:
        Figures of both, and the page.
    """
    from stages.benchmark.replies import answer_all, figures, page, read_development
    from stages.benchmark.unreleased import opened_unreleased

    dialogues = read_development(development)
    with opened_unreleased(bundles) as opened:
        ours = answer_all(opened, dialogues, "candidate")
    if champion is None or champion.opened is None:
        return {"candidate": figures(ours)}, page(ours, None, "Replies of the candidate")
    theirs = answer_all(champion.opened, dialogues, "champion")
    found = {"candidate": figures(ours), "champion": figures(theirs)}
    return found, page(ours, theirs, f"Replies of the candidate, beside {champion.release}")


def answer_suites(bundles: Mapping[Kind, Path], suites: Path) -> tuple[dict[str, Any], str]:
    """Let the candidate answer the suites of the guard and of the router.

    Args:
        bundles: directory of each bundle of the candidate.
        suites: folder of the suites.

    Returns:
        Figures, and the page of what was answered.
    """
    from stages.benchmark.suites import measure_router, measure_suite, read_phrasings, read_suite, suite_page
    from stages.benchmark.unreleased import opened_unreleased

    suite, phrasings = read_suite(suites / "guard.yaml"), read_phrasings(suites / "intents.yaml")
    with opened_unreleased(bundles) as opened:
        figures, answered = measure_suite(opened, suite)
        return {**figures, "router": measure_router(opened, phrasings)}, suite_page(figures, answered)


def _describe(champion: Champion) -> dict[str, Any]:
    from stages.benchmark.sizes import files_mb

    return {
        "digest": champion.release.digest,
        "files_mb": files_mb(champion.bundles),
        "unusable": champion.unusable,
    }


def _write_plots(directory: Path, rows: list[dict[str, object]], rates: dict[str, float]) -> None:
    for kind in dict.fromkeys(str(row["list"]) for row in rows):
        write_rows(directory / f"retrieval_{kind}.json", [row for row in rows if row["list"] == kind])
    write_rows(directory / "speed.json", [{"encoder": n, "per_cpu_second": r} for n, r in rates.items()])


def summary(metrics: dict[str, Any]) -> dict[str, float]:
    """The dozen figures that one line of `dvc metrics show` holds.

    Args:
        metrics: everything measured.

    Returns:
        Figures by name.
    """
    random, hard = metrics["retrieval"]["random"], metrics["retrieval"]["hard"]
    gain = metrics["gains"]["served_over_untuned"]["random"]
    return {
        "r_at_1.untuned": random["untuned"]["r_at_1"],
        "r_at_1.teacher": random["teacher"]["r_at_1"],
        "r_at_1.served": random["served"]["r_at_1"],
        "r_at_1.hard": hard["served"]["r_at_1"],
        "r_at_10.full": metrics["retrieval"]["full"]["served"]["r_at_10"],
        "gain.low": gain["low"],
        "gain.high": gain["high"],
        "speed.ratio": metrics["speed"]["ratio_to_sentence_transformers_untuned"],
        "cosine.min": metrics["speed"]["min_cosine"],
        "size_mb": sum(metrics["sizes_mb"].values()),
        "ask.cpu_s": metrics["opening"]["process_cpu_s"],
        "cache.turns": metrics[PHRASES.bundle]["later_turns_covered"],
        "noise.lost": metrics["noise"]["served"]["lost"],
        "turns.model": metrics["replay"]["needed_model"],
    }
