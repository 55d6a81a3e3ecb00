"""Findings -> what report.json and the pages show: counts only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from stages.checks.great_expectations import Finding


def total(batches: Iterable[Sequence[Finding]]) -> list[Finding]:
    """Add up the findings of one suite over its batches.

    Args:
        batches: each with the same row rules, in the same order; at least one.

    Returns:
        One finding a rule, without positions.
    """
    return [
        replace(
            found[0],
            success=all(f.success for f in found),
            checked=sum(f.checked for f in found),
            unexpected=sum(f.unexpected for f in found),
            rows=(),
        )
        for found in zip(*batches, strict=True)
    ]


def report_of(title: str, suites: Mapping[str, Sequence[Finding]]) -> dict[str, Any]:
    """Sum up what was found.

    Args:
        title: of the report.
        suites: findings by suite, one a rule.

    Returns:
        title, success, broken (the critical rules that failed), rules (one row a rule).
    """
    broken = [
        finding.rule.id
        for findings in suites.values()
        for finding in findings
        if finding.rule.severity == "critical" and not finding.success
    ]
    return {
        "title": title,
        "success": not broken,
        "broken": broken,
        "rules": [_row(suite, finding) for suite, findings in suites.items() for finding in findings],
    }


def add_rows(report: Mapping[str, Any], *, rows_in: int, rows_out: int, max_share: float) -> dict[str, Any]:
    """Add what went to quarantine; too much of it is a broken rule of its own, `quarantined_share`.

    Args:
        report: from `report_of`.
        rows_in: rows checked.
        rows_out: rows that passed.
        max_share: largest share of rows that may be rejected.

    Returns:
        The report with totals.
    """
    share = (rows_in - rows_out) / max(rows_in, 1)
    broken = [*report["broken"], *(["quarantined_share"] if share > max_share else [])]
    return {
        **report,
        "success": not broken,
        "broken": broken,
        "rows_in": rows_in,
        "rows_out": rows_out,
        "rows_quarantined": rows_in - rows_out,
        "quarantined_share": share,
        "max_quarantined_share": max_share,
    }


def _row(suite: str, finding: Finding) -> dict[str, Any]:
    return {
        "suite": suite,
        "id": finding.rule.id,
        "severity": finding.rule.severity,
        "description": finding.rule.description,
        "rows_checked": finding.checked,
        "rows_unexpected": finding.unexpected,
        "share": finding.share,
        "observed": finding.observed,
        "success": finding.success,
    }


def problems(report: Mapping[str, Any]) -> list[str]:
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


def _got(rule: Mapping[str, Any]) -> str:
    observed = rule["observed"]
    if observed is None:
        return f"{rule['rows_unexpected']:,} of {rule['rows_checked']:,} rows against it ({rule['share']:.4%})"
    return f"{observed:.2%}" if isinstance(observed, float) else f"{observed:,}"


def figure(value: float) -> str:
    """A number as people read it: thousands whole and with separators, smaller ones with four digits."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
