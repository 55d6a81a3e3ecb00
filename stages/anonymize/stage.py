"""Anonymize: messages -> typed slots in place of what identifies people, pseudonyms in place of who and where.

Part by part, in processes of their own: memory holds `workers` parts, never the whole log.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from itertools import starmap
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
from pydantic import Field

from rejoinder.progress import track
from stages.anonymize.lexicon import WordUsage
from stages.anonymize.participants import erased_names
from stages.anonymize.preview import BATCH, preview
from stages.anonymize.pseudonyms import key_id, load_key, pseudonym
from stages.anonymize.spans import TYPES
from stages.anonymize.worker import Counts, Work, named_feedback, usage_of
from stages.common.errors import DataError
from stages.common.messages import ERASED, part_paths
from stages.common.output import atomic_directory, write_json, write_rows
from stages.common.params import StageParams

T = TypeVar("T")


class Params(StageParams):
    """Section `anonymize` of params.yaml. None of them changes what is found."""

    workers: int = Field(ge=1, le=256)
    """Processes; each holds the recogniser (about 400 MB) and one part of the table."""
    batch_size: int = Field(ge=1, le=10_000)
    """Messages that the recogniser takes at a time; larger is faster, up to some hundreds, but needs memory."""
    surrogates: bool
    """Whether to write the messages a second time, with invented names and numbers in place of slots: an export for
    those who need natural text. No later stage reads it."""


def _each(workers: int, call: Callable[..., T], arguments: Sequence[tuple[Any, ...]], what: str) -> Iterator[T]:
    """Results of calls in processes, in order, with progress shown; one worker is this process."""
    with ExitStack() as stack:
        results: Iterator[T] = starmap(call, arguments)
        if workers > 1:
            # Spawned, not forked: the parent has threads (polars), and forking those may hang.
            pool = stack.enter_context(ProcessPoolExecutor(workers, mp_context=get_context("spawn")))
            futures = [pool.submit(call, *each) for each in arguments]
            results = (future.result() for future in futures)
        yield from track(results, f"anonymize: {what}", "part", len(arguments))


def anonymize(
    parts: Sequence[Path], people: tuple[Path, Path], key: bytes, params: Params, directory: Path
) -> Counts:
    """Anonymise a messages table, part by part.

    Args:
        parts: the table.
        people: participants.parquet and erased.parquet of the ingest stage.
        key: the secret.
        params: section `anonymize`.
        directory: gets `messages/` and, if asked for, `surrogates/`, each with parts of the same names.

    Returns:
        What was done.
    """
    targets = ["messages", "surrogates"] if params.surrogates else ["messages"]
    for name in targets:
        (directory / name).mkdir()
    usage, counts = WordUsage.of([]), Counts()
    for one in _each(params.workers, usage_of, [(part,) for part in parts], "counting words"):
        usage += one
    work = Work(key, usage.common(), params.batch_size, people[0], erased_names(*people))
    arguments = [(part, *(directory / name / part.name for name in targets)) for part in parts]
    for done in _each(params.workers, work, arguments, "replacing"):
        counts += done
    return counts


def read_erased(path: Path, key: bytes) -> dict[str, Any]:
    """Name the erased senders as they would be named in the messages, were they still there.

    Args:
        path: erased.parquet of the ingest stage.
        key: the secret.

    Returns:
        `senders`, their pseudonyms, and `messages`, how many of theirs were left out.

    Raises:
        DataError: if the file is not readable.
    """
    try:
        erased = pl.read_parquet(path, columns=ERASED.names())
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path}: expected a table of erased senders, got {type(error).__name__}") from None
    senders = [pseudonym(key, source, sender) for source, sender in erased.select("source", "sender").iter_rows()]
    return {"senders": sorted(senders), "messages": int(erased["messages"].sum())}


def card(counts: Counts, key: bytes) -> dict[str, Any]:
    """Compose the card: what was done, and by which key; never what was found."""
    return {
        "messages": counts.messages,
        "key_id": key_id(key),
        "recognized_share": round(counts.recognized / max(counts.messages, 1), 6),
        "replaced": {kind: counts.replaced[kind] for kind in TYPES},
        "replaced_per_1000": {kind: counts.per_1000(kind) for kind in TYPES},
    }


def run(
    params: Params,
    *,
    messages: Path = Path("build/ingest/messages"),
    participants: Path = Path("build/ingest/participants.parquet"),
    erased: Path = Path("build/ingest/erased.parquet"),
    feedback: Path = Path("build/ingest/feedback.parquet"),
    out: Path,
) -> None:
    """Anonymise a messages table.

    Args:
        params: section `anonymize`.
        messages: the messages of the ingest stage.
        participants: participants.parquet of the ingest stage.
        erased: erased.parquet of the ingest stage.
        feedback: feedback.parquet of the ingest stage.
        out: directory to fill with messages/, feedback.parquet, erased.json, card.json, entities.json and, if asked
            for, surrogates/.

    Raises:
        DataError: if the table, the erased senders or the key is not usable.
    """
    parts, key = part_paths(messages), load_key()
    absent = read_erased(erased, key)
    with atomic_directory(out) as directory:
        counts = anonymize(parts, (participants, erased), key, params, directory)
        named_feedback(feedback, key).write_parquet(directory / "feedback.parquet")
        write_json(directory / "erased.json", absent)
        write_json(directory / "card.json", card(counts, key))
        write_rows(
            directory / "entities.json",
            [{"entity": k, "count": counts.replaced[k], "per_1000": counts.per_1000(k)} for k in TYPES],
        )


def run_preview(*, explain: bool) -> None:
    """Show, outside the DAG, what becomes of plain lines: standard input -> JSON lines on standard output.

    Args:
        explain: whether to name the rule or model behind each span.
    """
    batch = 1 if sys.stdin.isatty() else BATCH
    for shown in preview(sys.stdin, explain=explain, batch=batch):
        print(shown, flush=batch == 1)  # noqa: T201
