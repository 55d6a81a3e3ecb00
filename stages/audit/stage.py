"""Audit: everything that was built -> where canaries, erased senders, names or rare phrases are left; counts only.

It measures and never fails: the gate judges.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import polars as pl
from pydantic import Field

from registry.mlflow.uri import artifact_location, redacted_uri, tracking_uri
from rejoinder.progress import track
from stages.audit.names import left_names
from stages.audit.replies import of_one_person, rare, uncommon
from stages.audit.samples import judge_samples
from stages.audit.search import Hit, search
from stages.audit.support import below, senders_by_phrase
from stages.common.canaries import SOURCE
from stages.common.messages import part_paths
from stages.common.output import atomic_directory, read_json, write_json
from stages.common.params import StageParams

#: Logs, beside what the DAG knows of: the status of stages, and Prefect's database.
LOGS = (Path("build/status"), Path(".prefect"))


class Params(StageParams):
    """Section `audit` of params.yaml."""

    min_senders: int = Field(ge=1)
    """k: how many different people must have said whatever phrase list and cache hold."""
    ngram_users: list[int] = Field(min_length=1, max_length=5)
    """People that must have used every word of a reply, every pair and triple of neighbours."""
    people: int = Field(ge=1)
    """People that must have said something near to a reply; of a statement about one person, this very sentence."""
    near: float = Field(gt=0, le=1)
    """Cosine from which two turns count as near."""
    samples: int = Field(ge=1)
    """Samples of the generator that must be there to be judged."""


def files(folders: Iterable[Path]) -> list[Path]:
    """List all files under folders and files, sorted; a folder that is not there has none."""
    found = {path for folder in folders for path in ([folder] if folder.is_file() else folder.rglob("*"))}
    return sorted(path for path in found if path.is_file())


def stores() -> tuple[list[Path], list[str]]:
    """Find the MLflow store.

    Returns:
        Its database and artifacts where they are local files; what cannot be searched from here, in words.
    """
    uri, location = tracking_uri(), artifact_location()
    if location is not None:
        return [Path(uri.removeprefix("sqlite:///")), Path(unquote(urlparse(location).path))], []
    scheme, _, rest = uri.partition(":")
    if scheme == "file" or not rest:
        return [Path(unquote(urlparse(uri).path))], []
    return [], [f"MLflow at {redacted_uri()}"]


def needles(canaries: Path, erased: Path) -> tuple[list[str], list[str]]:
    """Read what must not be found.

    Args:
        canaries: canaries.json of the ingest stage.
        erased: erased.json of the anonymize stage.

    Returns:
        The canaries' secrets, and the pseudonyms of erased senders.
    """
    planted = read_json(canaries)
    secrets = sorted({secret for canary in planted for secret in canary["secrets"]})
    return secrets, read_json(erased)["senders"]


def _arrived(messages: Path) -> int:
    """Count the canaries that came through."""
    return sum(int(pl.read_parquet(part)["source"].eq(SOURCE).sum()) for part in part_paths(messages))


def _found(hits: Iterable[Hit], first: int, last: int) -> list[dict[str, Any]]:
    return [{"number": hit.needle - first, "file": str(hit.path)} for hit in hits if first <= hit.needle < last]


def _canaries(planted: Path, messages: Path, secrets: int, hits: Sequence[Hit]) -> dict[str, Any]:
    found = {"secrets": secrets, "found": _found(hits, 0, secrets)}
    return {"planted": len(read_json(planted)), "arrived": _arrived(messages), **found}


def _support(dialogues: Path, cache: Path, senders: Mapping[str, int], least: int) -> dict[str, Any]:
    from rejoinder.parts import PHRASES
    from rejoinder.parts.phrases import PhraseCache

    offered = {
        PHRASES.name: pl.read_parquet(dialogues / "phrases.parquet")["text"].to_list(),
        PHRASES.bundle: PhraseCache(cache / PHRASES.bundle).phrases(),
    }
    return {name: {"texts": len(texts), "below_k": below(texts, senders, least)} for name, texts in offered.items()}


def _replies(
    params: Params, senders: dict[str, int], *, index: Path, validate: Path, dialogues: Path, turns: Path
) -> dict[str, int]:
    """How many replies of the index break which rule."""
    from rejoinder.parts import REPLIES
    from rejoinder.parts.replies import REPLIES_FILE, TURNS
    from rejoinder.parts.vector_table import VectorTable
    from stages.common.turn_vectors import FILES

    lines = (index / REPLIES.bundle / REPLIES_FILE).read_text(encoding="utf-8").split("\n")[:-1]
    texts = [json.loads(line)["text"] for line in lines]
    shipped = VectorTable(index / REPLIES.bundle, TURNS)
    pairs = pl.read_parquet(dialogues / "pairs.parquet", columns=["split", "role", "sender", "reply"])
    return {
        "texts": len(texts),
        "rare": rare(texts, validate / "messages", params.ngram_users),
        "of_one_person": of_one_person(texts, senders, params.people),
        "uncommon": uncommon(
            shipped.vectors(range(len(shipped))), VectorTable(turns, FILES), pairs, params.near, params.people
        ),
    }


#: What the stage `anonymize` leaves that must hold nothing of anybody.
_CANARIES = "canaries.json"
_ANONYMIZED = ("messages", "surrogates", "card.json", "entities.json")


def run(
    params: Params,
    *,
    ingest: Path,
    erase: Path = Path("data/erase"),
    anonymize: Path,
    validate: Path,
    dialogues: Path,
    vectorizer: Path,
    student: Path,
    export: Path,
    turns: Path,
    base: Path,
    heads: Path,
    cache: Path,
    index: Path,
    remarks: Path,
    guard: Path,
    intents: Path,
    annotators: Path,
    ranker: Path,
    generator: Path,
    out: Path,
) -> None:
    """Search everything that was made of the messages.

    Args:
        params: section `audit`.
        ingest: output of that stage.
        erase: folder of lists of erased senders.
        anonymize: output of that stage.
        validate: output of that stage.
        dialogues: output of that stage.
        vectorizer: output of that stage.
        student: output of that stage.
        export: output of that stage.
        turns: output of that stage.
        base: output of that stage.
        heads: output of that stage.
        cache: output of that stage.
        index: output of that stage.
        remarks: output of that stage; nobody must stand in what was written, here and below.
        guard: output of that stage.
        intents: output of that stage.
        annotators: output of that stage.
        ranker: output of that stage.
        generator: output of that stage.
        out: directory to make: audit.json.
    """
    secrets, erased = needles(ingest / _CANARIES, anonymize / "erased.json")
    made = (validate, dialogues, vectorizer, student, export, turns, base, heads, cache, index, remarks, guard)
    paths, report = _searched(anonymize, *made, intents, annotators, ranker, generator)
    hits = list(search(track(paths, "audit: searching", "file"), [*secrets, *erased]))
    report |= {
        **_people(hits, (len(secrets), len(erased)), ingest, anonymize / "messages", erase),
        **_supported(params, validate=validate, dialogues=dialogues, cache=cache, index=index, turns=turns),
        **_generated(params, generator, validate, dialogues),
    }
    with atomic_directory(out) as directory:
        write_json(directory / "audit.json", report)


def _searched(anonymize: Path, *made: Path) -> tuple[list[Path], dict[str, Any]]:
    """Files that are searched, and what is told of them."""
    local, unsearched = stores()
    paths = files([*(anonymize / name for name in _ANONYMIZED), *made, *LOGS, *local])
    return paths, _sizes(paths, unsearched)


def _generated(params: Params, generator: Path, validate: Path, dialogues: Path) -> dict[str, Any]:
    """What is wrong with what the generator says."""
    if not (generator / "samples.parquet").exists():
        return {"generated": None}
    pairs = pl.read_parquet(dialogues / "pairs.parquet", columns=["source", "split", "role", "sender", "reply"])
    judged = judge_samples(pl.read_parquet(generator / "samples.parquet"), validate / "messages", pairs)
    return {"generated": {"wanted": params.samples, **judged}}


def _people(
    hits: Sequence[Hit], counts: tuple[int, int], ingest: Path, messages: Path, erase: Path
) -> dict[str, Any]:
    """What was found of canaries, of which there are so many secrets, of erased people, and of names."""
    secrets, erased = counts
    return {
        "canaries": _canaries(ingest / _CANARIES, messages, secrets, hits),
        "erased": {"senders": erased, "found": _found(hits, secrets, secrets + erased)},
        "names": left_names(ingest, messages, erase).report(),
    }


def _sizes(paths: Sequence[Path], unsearched: list[str]) -> dict[str, Any]:
    megabytes = round(sum(path.stat().st_size for path in paths) / 1e6, 1)
    return {"files": len(paths), "mb": megabytes, "not_searched": unsearched}


def _supported(
    params: Params, *, validate: Path, dialogues: Path, cache: Path, index: Path, turns: Path
) -> dict[str, Any]:
    """How many people stand behind phrases, cache and replies."""
    senders = senders_by_phrase(validate / "messages")
    return {
        "min_senders": params.min_senders,
        "support": _support(dialogues, cache, senders, params.min_senders),
        "base": _replies(params, senders, index=index, validate=validate, dialogues=dialogues, turns=turns),
    }
