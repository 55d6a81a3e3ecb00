"""Validate: anonymised messages -> rows that hold to the rules, the rest in quarantine, a report, Data Docs.

schema gate -> batch by batch: row rules, rows that broke one to quarantine -> what the sources look like as a whole
            -> drift against the last accepted snapshot
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import polars.selectors as cs
from pydantic import Field

from stages.checks.data_docs import write_site
from stages.checks.great_expectations import Finding, check, open_context
from stages.checks.report import add_rows, figure, problems, report_of, total
from stages.checks.rule import Rule
from stages.common.errors import DataError
from stages.common.messages import part_paths
from stages.common.output import atomic_directory, write_json, write_rows
from stages.common.params import StageParams
from stages.validate.batches import quarantine, read_batches, write_parts
from stages.validate.clock import in_time
from stages.validate.counts import (
    COUNTS,
    Band,
    count,
    count_holes,
    count_lost,
    judged,
    labels,
    lengths,
    merge,
    summarize,
)
from stages.validate.drift import (
    Snapshot,
    accepted_file,
    changes,
    drift_rules,
    read_snapshot,
    snapshot_of,
    write_snapshot,
)
from stages.validate.ids import ID_COLUMNS, id_rules, telling_ids
from stages.validate.leftover_pii import checked_numbers, plain, privacy_rules
from stages.validate.rules import EARLIEST, row_rules, share_rules, size_rules
from stages.validate.schema import check_schema

if TYPE_CHECKING:
    from great_expectations.data_context import AbstractDataContext

#: Title of the table of what became of the rows of each source.
ROWS = "Rows by source"

#: What the row rules look at.
CHECKED = (
    "conversation_id",
    "message_id",
    "sender",
    "sent_at",
    "text",
    "reaction",
    "role",
    "in_time",
    "plain",
    "card",
    "iban",
    *ID_COLUMNS,
)


class Params(StageParams):
    """Limits of the rules. A share is judged by source: a small one cannot hide behind a large one."""

    min_messages: int = Field(ge=1)
    """Rows; fewer means that a source was lost."""
    min_conversations: int = Field(ge=1)
    """Distinct conversations; the split by conversation needs many."""
    min_senders: int = Field(ge=2)
    """Distinct senders; with one, nobody answers anybody."""
    max_chars: int = Field(ge=1)
    """Characters of a message; more is a pasted document, not a turn."""
    max_digits: int = Field(ge=4, le=12)
    """Digits in a row let through; account numbers are longer, years and prices are not."""
    max_backward_s: float = Field(ge=0.0)
    """Seconds by which the clock of a conversation may run back; merged exports do, by some."""
    max_repeats: int = Field(ge=1)
    """Times that one sender may say the same in one conversation; what is beyond counts as repeated."""
    max_repeated_share: float = Field(ge=0.0, le=1.0)
    """Share of repeated messages; more is a bot or a message read twice."""
    max_only_slots_share: float = Field(ge=0.0, le=1.0)
    """Share of messages that are slots alone; more is an anonymiser that masks too much."""
    max_foreign_share: float = Field(ge=0.0, le=1.0)
    """Share of messages with more letters outside a-z than twice those inside; more is another language."""
    max_one_sender_share: float = Field(ge=0.0, le=1.0)
    """Share of conversations with one sender, in which nobody answers; more is senders read wrongly."""
    max_label_share: float = Field(ge=0.0, le=1.0)
    """Share of messages with the same reaction; more is a default taken for a reaction."""
    max_sender_share: float = Field(ge=0.0, le=1.0)
    """Share of all messages by one sender, over all sources; more is one voice, not a crowd."""
    reaction_bands: dict[str, Band]
    """By source, where the share of messages with a reaction must lie; a source left out may have any."""
    max_quarantined_share: float = Field(ge=0.0, le=1.0)
    """Share of rows, of all and of each source, that may be rejected; beyond it the source changed, not a few rows.
    A source, or a conversation of 20 rows or more, that loses all of them stops the run whatever the share."""
    max_leftover_share: float = Field(ge=0.0, le=1.0)
    """Share of a source's rows in which personal data may be left; they go to quarantine. Beyond it, and in three
    rows or more, the anonymiser is broken."""
    max_row_loss: float = Field(ge=0.0, le=1.0)
    """Share of an accepted source's messages, conversations or senders that may be gone."""
    max_share_change: float = Field(ge=0.0, le=1.0)
    """Change of a reaction's share of messages since acceptance, absolute, beyond chance."""
    max_rate_change: float = Field(ge=0.0, le=1.0)
    """Change of slots per message or of a length, relative to the larger; 0.5 is halved or doubled."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the row rules found in all batches.

    Attributes:
        findings: one a rule, without positions.
        counts: what `stages.validate.counts` counted.
        rows_in: rows checked.
        rows_out: rows that passed.
    """

    findings: list[Finding]
    counts: pl.DataFrame
    rows_in: int
    rows_out: int


def check_rows(context: AbstractDataContext, parts: Sequence[Path], params: Params, directory: Path) -> Checked:
    """Check every row, and write those that passed and those that did not, part by part.

    Args:
        context: receives the suite "messages".
        parts: of the messages table.
        params: the limits.
        directory: receives `messages/`, with the numbers of the parts, and `quarantine.parquet`.

    Returns:
        What was found.
    """
    # A day's grace for clocks that run ahead.
    latest = datetime.now(UTC) + timedelta(days=1)
    rules = (
        *row_rules(latest=latest, max_chars=params.max_chars, max_backward_s=params.max_backward_s),
        *privacy_rules(params.max_digits),
        *id_rules(),
    )
    findings: list[list[Finding]] = []
    counts = COUNTS.to_frame()
    rows_in = rows_out = 0
    for batch in read_batches(parts):
        clock = in_time(batch.messages, earliest=EARLIEST, latest=latest, max_backward_s=params.max_backward_s)
        texts = plain(batch.messages["text"])
        ids = telling_ids(batch.messages)
        table = batch.messages.with_columns(clock, texts, *checked_numbers(texts), *ids).select(CHECKED)
        found = check(context, "messages", table, rules)
        passed, rejected = quarantine(batch.messages, found)
        write_parts(directory / "messages", batch.numbers, len(parts), passed)
        write_parts(directory / "rejected", batch.numbers, len(parts), rejected)
        findings.append(total([found]))
        lost = count_lost(batch.messages, rejected)
        counts = merge([counts, count(passed, params.max_repeats), lost, count_holes(batch.messages)])
        rows_in += batch.messages.height
        rows_out += passed.height
    # One file, as every stage leaves it; streamed, as in a stopped run it may be all rows.
    pl.scan_parquet(directory / "rejected").sink_parquet(directory / "quarantine.parquet")
    shutil.rmtree(directory / "rejected")
    return Checked(total(findings), counts, rows_in, rows_out)


def source_rules(params: Params, sources: int) -> tuple[Rule, ...]:
    """List the rules of the suite "sources"; without any source there are no shares to judge."""
    sizes = size_rules(
        messages=params.min_messages, conversations=params.min_conversations, senders=params.min_senders
    )
    limits = {
        "quarantined_share": params.max_quarantined_share,
        "leftover_share": params.max_leftover_share,
        "repeated_share": params.max_repeated_share,
        "only_slots_share": params.max_only_slots_share,
        "foreign_share": params.max_foreign_share,
        "one_sender_share": params.max_one_sender_share,
        "label_share": params.max_label_share,
        "sender_share": params.max_sender_share,
    }
    return (*sizes, *share_rules(limits)) if sources else sizes


def validate(
    context: AbstractDataContext, checked: Checked, params: Params, accepted: Snapshot | None
) -> tuple[dict[str, Any], Snapshot]:
    """Judge the table as a whole.

    Args:
        context: receives the suites "sources" and, if there is an accepted snapshot, "drift".
        checked: what the row rules found.
        params: the limits.
        accepted: the last accepted snapshot.

    Returns:
        The report, and this table's snapshot.
    """
    sources = summarize(checked.counts, params.reaction_bands).with_columns(rows_out="messages")
    sizes = sources.select("source", "messages", "conversations", "senders")
    snapshot = snapshot_of(checked.counts)
    suites = {
        "messages": checked.findings,
        "sources": check(context, "sources", judged(sources), source_rules(params, sources.height)),
    }
    tables = {
        ROWS: sources.select(
            "source", "rows_in", "rows_out", "quarantined", "leftover", "conversations_lost"
        ).to_dicts(),
        "Quarantine by rule": _by_rule(checked.findings),
        "Sizes and lengths in characters": sizes.join(lengths(checked.counts), on="source", how="left").to_dicts(),
        "Shares": sources.select("source", cs.ends_with("_share")).to_dicts(),
        "Reactions": labels(checked.counts).to_dicts(),
    }
    note = "No accepted snapshot: drift was not judged. The next release makes this one accepted."
    if accepted is not None:
        changed = changes(accepted, snapshot)
        rules = drift_rules(**params.model_dump(include={"max_row_loss", "max_share_change", "max_rate_change"}))
        suites["drift"] = check(context, "drift", changed, rules)
        tables["Drift since the accepted snapshot"] = _with_verdict(changed, suites["drift"])
        note = "Drift was judged against the accepted snapshot."
    report = report_of("Messages", suites) | {"notes": [note], "tables": tables}
    counted = add_rows(
        report, rows_in=checked.rows_in, rows_out=checked.rows_out, max_share=params.max_quarantined_share
    )
    return counted, snapshot


def _by_rule(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    broken = sorted((f for f in findings if f.unexpected), key=lambda f: -f.unexpected)
    return [
        {"rule": f.rule.id, "severity": f.rule.severity, "rows": f.unexpected, "share": f.share} for f in broken
    ]


def _with_verdict(changed: pl.DataFrame, findings: Sequence[Finding]) -> list[dict[str, Any]]:
    broken = {row: finding.rule.id for finding in findings for row in finding.rows}
    return [{**row, "broken": broken.get(place, "")} for place, row in enumerate(changed.to_dicts())]


def _line(row: dict[str, Any]) -> str:
    left = f", {row['leftover']:,} of them with personal data left" if row["leftover"] else ""
    lost = f", {row['conversations_lost']:,} conversations lost whole" if row["conversations_lost"] else ""
    counts = f"{row['rows_in']:,} rows in, {row['rows_out']:,} out, {row['quarantined']:,} quarantined"
    return f"{row['source']}: {counts}{left}{lost}"


def _stop(report: dict[str, Any], messages: Path, out: Path) -> DataError:
    lines = problems(report)
    if {"quarantined_share", "quarantined_share_limited", "leftover_share_limited", "conversations_kept"} & set(
        report["broken"]
    ):
        lines += [f"  {_line(row)}" for row in report["tables"][ROWS] if row["quarantined"]]
    drifted = [row for row in report["tables"].get("Drift since the accepted snapshot", []) if row["broken"]]
    lines += [
        f"  {row['source']}, {row['metric']}: accepted {figure(row['accepted'])}, now {figure(row['current'])}"
        for row in drifted
    ]
    if drifted:
        lines.append(f"next: if the data are meant to have changed, cp {out}/snapshot.json {accepted_file()}")
    lines.append(f"next: see {out}/data_docs/index.html, and the rows in {out}/quarantine.parquet")
    return DataError("\n".join([f"{messages}: {len(report['broken'])} rules broken", *lines]))


def run(params: Params, *, messages: Path = Path("build/anonymize/messages"), out: Path) -> None:
    """Check the messages, part good rows from bad, and stop if the table as a whole cannot be used.

    `out` is written either way, so that a stop can be looked into; `messages/` is in it only after a pass, so that
    no later stage can take the rows of a stopped run.

    Args:
        params: the limits.
        messages: the anonymised messages table.
        out: receives `messages/` (parts with the numbers of the input), `quarantine.parquet`, `report.json`,
            `rules.json`, `snapshot.json` and `data_docs/`.

    Raises:
        DataError: if the schema gate fails, a critical rule is broken, or too many rows were rejected.
    """
    parts = part_paths(messages)
    check_schema(parts)
    accepted = read_snapshot(accepted_file()) if accepted_file().exists() else None
    context = open_context()
    with atomic_directory(out) as partial:
        checked = check_rows(context, parts, params, partial)
        report, snapshot = validate(context, checked, params, accepted)
        if not report["success"]:
            shutil.rmtree(partial / "messages")
        write_snapshot(partial / "snapshot.json", snapshot)
        write_json(partial / "report.json", report)
        write_rows(partial / "rules.json", report["rules"])
        write_site(context, partial / "data_docs", report)
    for row in report["tables"][ROWS]:
        sys.stdout.write(f"validate: {_line(row)}\n")
    if not report["success"]:
        raise _stop(report, messages, out)
    held = sum(rule["success"] for rule in report["rules"])
    sys.stdout.write(
        f"validate: {report['rows_in']:,} rows in, {report['rows_out']:,} out, "
        f"{report['rows_quarantined']:,} quarantined; "
        f"{held} of {len(report['rules'])} rules hold\n"
    )
