"""Validate: anonymised messages -> rows that hold to the rules, the rest in quarantine, a report, Data Docs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import Field

from stages.errors import DataError
from stages.expectations.pages import write_site
from stages.expectations.rules import message_rules
from stages.expectations.suite import Finding, check, open_context
from stages.output import whole_directory, write_json, write_rows
from stages.params import StageParams
from stages.table import read_messages

SUITE = "messages"


class Params(StageParams):
    """Limits of the rules."""

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
    max_quarantined_share: float = Field(ge=0.0, le=1.0)
    """Share of rows that may be rejected; beyond it the source changed, not a few rows."""


def quarantine(messages: pl.DataFrame, findings: Sequence[Finding]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Part the rows that broke any rule from the rest.

    Args:
        messages: the table that was checked.
        findings: of that table.

    Returns:
        The rows that passed, and the others with `rules`, the ids of what they broke; both keep their order.
    """
    broken = (
        pl.DataFrame(
            [(row, finding.rule.id) for finding in findings for row in finding.rows],
            schema={"position": pl.UInt32, "rules": pl.String},
            orient="row",
        )
        .group_by("position", maintain_order=True)
        .agg("rules")
    )
    numbered = messages.with_row_index("position")
    passed = numbered.join(broken, on="position", how="anti", maintain_order="left")
    rejected = numbered.join(broken, on="position", how="inner", maintain_order="left")
    return passed.drop("position"), rejected.drop("position")


def report_of(findings: Sequence[Finding], *, rows_in: int, rows_out: int, max_share: float) -> dict[str, Any]:
    """Sum up: totals, what stops the run, and one row a rule. Counts only.

    Args:
        findings: one a rule.
        rows_in: rows checked.
        rows_out: rows that passed.
        max_share: largest share of rows that may be rejected.

    Returns:
        The report; `broken` lists the critical rules that failed, and `quarantined_share` if that is too large.
    """
    share = (rows_in - rows_out) / rows_in if rows_in else 0.0
    broken = [f.rule.id for f in findings if f.rule.severity == "critical" and not f.success]
    if share > max_share:
        broken.append("quarantined_share")
    return {
        "suite": SUITE,
        "success": not broken,
        "broken": broken,
        "rows_in": rows_in,
        "rows_out": rows_out,
        "rows_quarantined": rows_in - rows_out,
        "quarantined_share": share,
        "max_quarantined_share": max_share,
        "rules": [_row(finding) for finding in findings],
    }


def _row(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.rule.id,
        "severity": finding.rule.severity,
        "description": finding.rule.description,
        "rows_checked": finding.checked,
        "rows_unexpected": len(finding.rows),
        "share": finding.share,
        "observed": finding.observed,
        "success": finding.success,
    }


def problems(report: dict[str, Any]) -> list[str]:
    """One line a broken rule: its id, what was expected, and what was found instead."""
    lines = [
        f"{rule['id']}: expected {rule['description']}, got {_got(rule)}"
        for rule in report["rules"]
        if rule["id"] in report["broken"]
    ]
    if "quarantined_share" in report["broken"]:
        lines.append(
            f"quarantined_share: expected at most {report['max_quarantined_share']:.2%} of the rows in quarantine, "
            f"got {report['quarantined_share']:.2%} ({report['rows_quarantined']:,} of {report['rows_in']:,})"
        )
    return lines


def _got(rule: dict[str, Any]) -> str:
    if rule["observed"] is not None:
        return f"{rule['observed']:,}"
    return f"{rule['rows_unexpected']:,} of {rule['rows_checked']:,} rows against it ({rule['share']:.4%})"


def run(params: Params, *, messages: Path, out: Path) -> None:
    """Check the messages, part good rows from bad, and stop if the table as a whole cannot be used.

    `out` is written either way, so that a stop can be looked into; `messages.parquet` is in it only after a pass,
    so that no later stage can take the rows of a stopped run.

    Args:
        params: the limits.
        messages: the anonymised messages table.
        out: receives `messages.parquet`, `quarantine.parquet`, `report.json`, `rules.json` and `data_docs/`.

    Raises:
        DataError: if a column is missing, a critical rule is broken, or too many rows were rejected.
    """
    table = read_messages(messages)
    context = open_context()
    limits = params.model_dump(exclude={"max_quarantined_share"})
    # A day's grace for clocks that run ahead.
    findings = check(context, SUITE, table, message_rules(now=datetime.now(UTC) + timedelta(days=1), **limits))
    passed, rejected = quarantine(table, findings)
    report = report_of(
        findings, rows_in=table.height, rows_out=passed.height, max_share=params.max_quarantined_share
    )
    with whole_directory(out) as partial:
        if report["success"]:
            passed.write_parquet(partial / "messages.parquet")
        rejected.write_parquet(partial / "quarantine.parquet")
        write_json(partial / "report.json", report)
        write_rows(partial / "rules.json", report["rules"])
        write_site(context, partial / "data_docs", report)
    if not report["success"]:
        raise DataError(
            "\n".join(
                [
                    f"{messages}: {len(report['broken'])} rules broken",
                    *problems(report),
                    f"next: see {out}/data_docs/index.html, and the rows in {out}/quarantine.parquet",
                ]
            )
        )
    held = sum(rule["success"] for rule in report["rules"])
    sys.stdout.write(
        f"validate: {report['rows_in']:,} rows in, {report['rows_out']:,} out, "
        f"{report['rows_quarantined']:,} quarantined; "
        f"{held} of {len(report['rules'])} rules hold\n"
    )
