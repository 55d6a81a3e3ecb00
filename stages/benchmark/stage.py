"""Benchmark: candidate and champion on the same lists in the same run; measures everything, judges nothing.

fixed lists -> baselines, untuned encoder, teacher, student, what is served, champion -> ranks, intervals, gains
exported form beside sentence-transformers -> speed; bundles -> sizes, memory and time to open
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from rejoinder.parts import HEADS, PHRASES, REPLIES, VECTORIZER
from rejoinder.release.manifest import MANIFEST
from stages.common.output import atomic_directory, write_json, write_rows
from stages.common.params import StageParams

if TYPE_CHECKING:
    from registry.pull.champion import Champion
    from rejoinder.parts import Kind
    from rejoinder.parts.heads import Heads
    from rejoinder.parts.vectorizer import Vectorizer
    from stages.benchmark.systems import System
    from stages.evaluation.candidates import Candidates
    from stages.evaluation.retrieval import Ranks


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
    seed: int
    """Of random scores and resampling."""


def encoder_systems(
    params: Params, folders: dict[str, Path], max_length: int, candidates: Candidates, context_turns: int
) -> dict[str, System]:
    """Untuned encoder, teacher and student, with contexts as one text each, scored when called.

    Args:
        params: names the untuned encoder.
        folders: torch encoder folders by name.
        max_length: tokens that the untuned encoder reads of a text.
        candidates: the lists.
        context_turns: turns joined into a context.

    Returns:
        Systems by name.
    """
    from stages.evaluation.retrieval import retrieval_scores
    from stages.training.encoder import SentenceEncoder, encode, load_base

    def torch_system(name: str) -> System:
        def system() -> Any:
            if name == "untuned":
                encoder = load_base(params.base, max_length=max_length, context_turns=context_turns)
            else:
                encoder = SentenceEncoder.load(folders[name])
            label = f"benchmark: encoding with {name}"
            return retrieval_scores(
                lambda t: encode(encoder, t, fast=False, label=label), candidates, context_turns
            )

        return system

    return {name: torch_system(name) for name in ("untuned", *folders)}


def release_system(
    name: str, vectorizer: Vectorizer, heads: Heads | None, candidates: Candidates, context_turns: int
) -> System:
    """What a release computes, scored when called.

    Args:
        name: for the bar.
        vectorizer: the release's.
        heads: its heads; None if it encodes contexts as one text each.
        candidates: the lists.
        context_turns: turns joined into that text.

    Returns:
        The system.
    """
    from stages.benchmark.systems import heads_scores
    from stages.common.encoding import encode_all
    from stages.evaluation.retrieval import retrieval_scores

    def encode(texts: list[str]) -> Any:
        return encode_all(vectorizer, texts, f"benchmark: encoding with {name}")

    if heads is None:
        return lambda: retrieval_scores(encode, candidates, context_turns)
    return lambda: heads_scores(encode, heads, candidates)


def measure_speed(params: Params, exported: Vectorizer, encoder: Path, texts: list[str]) -> dict[str, Any]:
    """Exported form against sentence-transformers, on the same texts in the same run.

    Args:
        params: sizes.
        exported: the exported form.
        encoder: torch folder of what was exported, run by sentence-transformers with the same weights.
        texts: what is encoded.

    Returns:
        Rates per CPU-second, ratios, and the cosine of the exported vectors with the peer's.
    """
    from rejoinder.parts.arrays import cosines
    from stages.benchmark.speed import one_by_one, per_cpu_second, sentence_transformer
    from stages.common.base_encoder import base_folder

    with tempfile.TemporaryDirectory() as scratch:
        untuned = sentence_transformer(base_folder(params.base))
        peer = sentence_transformer(encoder, Path(scratch) / "encoder")
        encoders = {"sentence_transformers_untuned": untuned, "sentence_transformers_same": peer}
        encoders["exported"] = exported.encode
        batched = per_cpu_second(encoders, texts, params.speed_rounds)
        few = texts[: max(8, len(texts) // 8)]
        single = per_cpu_second({n: one_by_one(e) for n, e in encoders.items()}, few, params.speed_rounds)
        agreement = cosines(exported.encode(texts), peer(texts))
    return {
        "per_cpu_second": batched,
        "per_cpu_second_one_by_one": single,
        "ratio_to_sentence_transformers_untuned": batched["exported"] / batched["sentence_transformers_untuned"],
        "ratio_to_sentence_transformers_same": batched["exported"] / batched["sentence_transformers_same"],
        "mean_cosine": float(agreement.mean()),
        "min_cosine": float(agreement.min()),
    }


def measure_search(index: Path, exported: Vectorizer, heads: Heads, queries: list[str]) -> dict[str, float]:
    """Searches per CPU-second over the index bundle, one query at a time, as many candidates as in serving."""
    from rejoinder.parts.replies import ReplyIndex
    from rejoinder.release.manifest import read_manifest

    opened = ReplyIndex(index, read_manifest(index))
    k = int(opened.facts["candidates"])
    vectors = heads.replies(exported.encode(queries))  # what is asked does not matter for the time it takes
    start = time.process_time()
    for row in range(len(vectors)):
        opened.search(vectors[row : row + 1], k)
    return {REPLIES.name: len(opened), "searches_per_cpu_second": len(vectors) / (time.process_time() - start)}


def files_mb(bundles: Mapping[Kind, Path]) -> dict[Kind, dict[str, float]]:
    """Size of each bundle's files in MB, without the manifest; files that differ by a number alone count as one."""
    sizes: dict[Kind, dict[str, float]] = {}
    for kind, folder in bundles.items():
        of = sizes.setdefault(kind, {})
        for path in sorted(path for path in folder.iterdir() if path.name != MANIFEST):
            name = re.sub(r"-\d+", "-N", path.name)
            of[name] = of.get(name, 0.0) + path.stat().st_size / 1e6
    return sizes


def gains(found: dict[str, dict[str, Ranks]], candidates: Candidates, params: Params) -> dict[str, Any]:
    """R@1 (over the full base R@10) of one system over another on each list, with intervals."""
    from stages.benchmark.systems import AT, gain

    compared = [("teacher", "untuned"), ("student", "teacher"), ("served", "teacher"), ("served", "untuned")]
    compared += [("served", "champion")] if "champion" in found else []
    rounds, seed = params.bootstrap_rounds, params.seed
    return {
        f"{a}_over_{b}": {
            kind: gain(found[a][kind], found[b][kind], candidates, rounds=rounds, seed=seed, k=k)
            for kind, k in AT.items()
        }
        for a, b in compared
    }


def score_all(
    params: Params,
    candidates: Candidates,
    served: tuple[Vectorizer, Heads],
    folders: dict[str, Path],
    champion: Champion | None,
) -> dict[str, dict[str, Ranks]]:
    """Rank the gold replies with every system.

    Args:
        params: seed and the untuned encoder's name.
        candidates: the test lists.
        served: the exported form and the heads on it.
        folders: torch encoder folders by name.
        champion: the release to beat, if there is one.

    Returns:
        Ranks by system and list.
    """
    from stages.benchmark import systems

    turns = _context_turns(folders["student"])
    compared: dict[str, System] = {
        "random": lambda: systems.random_scores(candidates, params.seed),
        "length": lambda: systems.length_scores(candidates),
        "bm25": lambda: systems.bm25_scores(candidates, turns),
        **encoder_systems(params, folders, served[0].spec.max_length, candidates, turns),
        "served": release_system("what is served", *served, candidates, turns),
    }
    if champion is not None and (opened := champion.opened) is not None:
        read = int(opened.index.facts["context_turns"])
        compared["champion"] = release_system("champion", opened.vectorizer, opened.heads, candidates, read)
    return systems.evaluate(compared, candidates)


def _context_turns(folder: Path) -> int:
    import json

    from stages.training.encoder import CONFIG

    return int(json.loads((folder / CONFIG).read_text())["context_turns"])


def run(
    params: Params,
    *,
    dialogues: Path,
    vectorizer: Path,
    student: Path,
    export: Path,
    heads: Path,
    cache: Path,
    index: Path,
    out: Path,
) -> None:
    """Measure the candidate; writes metrics.json, summary.json and the plots' rows."""
    import json

    from registry.pull.champion import open_champion
    from rejoinder.parts.heads import open_heads
    from rejoinder.parts.opened import open_model
    from rejoinder.release.manifest import read_manifest
    from stages.benchmark.speed import open_cost
    from stages.benchmark.systems import table
    from stages.evaluation.candidates import Candidates

    bundles: dict[Kind, Path] = {
        VECTORIZER.bundle: export / VECTORIZER.bundle,
        PHRASES.bundle: cache / PHRASES.bundle,
        HEADS.bundle: heads / HEADS.bundle,
        REPLIES.bundle: index / REPLIES.bundle,
    }
    candidates = Candidates.load(dialogues / "test")
    exported, model = open_model(bundles[VECTORIZER.bundle])
    opened = open_heads(bundles[HEADS.bundle], read_manifest(bundles[HEADS.bundle]), exported.dim)
    folders = {"teacher": vectorizer / "teacher", "student": student / "student"}
    champion = open_champion(params.release)
    found = score_all(params, candidates, (exported, opened), folders, champion)
    rows = table(found, candidates, params.bootstrap_rounds, params.seed)
    texts = candidates.pool["text"].to_list()[: params.speed_texts]
    measured = files_mb(bundles)
    speed = measure_speed(params, exported, folders[model.facts["encoder"]], texts)
    metrics = {
        "lists": {"checksum": candidates.checksum, "items": len(candidates.items), "pool": len(candidates.pool)},
        "champion": champion and _describe(champion),
        "bundles": {kind: read_manifest(path).digest for kind, path in bundles.items()},
        "retrieval": _by_system(rows),
        "gains": gains(found, candidates, params),
        "speed": speed,
        "search": measure_search(bundles[REPLIES.bundle], exported, opened, texts),
        "sizes_mb": {kind: sum(files.values()) for kind, files in measured.items()},
        "files_mb": measured,
        "opening": open_cost(bundles),
        PHRASES.bundle: json.loads((cache / "metrics.json").read_text()),
    }
    with atomic_directory(out) as directory:
        write_json(directory / "metrics.json", metrics)
        write_json(directory / "summary.json", summary(metrics))
        _write_plots(directory, rows, speed["per_cpu_second"])


def _describe(champion: Champion) -> dict[str, Any]:
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
    }


def _by_system(rows: list[dict[str, object]]) -> dict[str, dict[str, Any]]:
    nested: dict[str, dict[str, Any]] = {}
    for row in rows:
        values = {key: value for key, value in row.items() if key not in ("list", "system")}
        nested.setdefault(str(row["list"]), {})[str(row["system"])] = values
    return nested
