"""Rules + table -> findings: one run of Great Expectations, whose stored result holds counts only."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from stages.errors import DataError
from stages.expectations.rules import Rule

if TYPE_CHECKING:
    from great_expectations.data_context import AbstractDataContext

#: Rows by their position, all of them, and none of their values: the values are what people wrote.
POSITIONS_ONLY = {
    "result_format": "COMPLETE",
    "exclude_unexpected_values": True,
    "partial_unexpected_count": 0,
    "return_unexpected_index_query": False,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found.

    Attributes:
        rule: the rule.
        success: whether nothing broke it.
        checked: rows it looked at; a null is looked at by the rules for nulls only.
        rows: positions of the rows that broke it; empty for a rule about the table.
        observed: what a rule about the table counted, else None.
    """

    rule: Rule
    success: bool
    checked: int
    rows: tuple[int, ...]
    observed: int | None

    @property
    def share(self) -> float:
        """Unexpected rows over checked rows."""
        return len(self.rows) / self.checked if self.checked else 0.0


def open_context() -> AbstractDataContext:
    """Open a Great Expectations context that lives in memory: no project folder, no network, no telemetry."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(),
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
    )
    return gx.get_context(project_config=config, mode="ephemeral")


def check(context: AbstractDataContext, name: str, table: pl.DataFrame, rules: Sequence[Rule]) -> list[Finding]:
    """Check a table against rules.

    The result stays in the context, without row positions, for the pages.

    Args:
        context: from `open_context`.
        name: the suite's name, which is the table's.
        table: any number of rows.
        rules: with distinct ids.

    Returns:
        One finding a rule, in the order of the rules.

    Raises:
        DataError: naming every rule that could not be evaluated.
    """
    import great_expectations as gx

    result = _definition(context, name, rules).run(
        batch_parameters={"dataframe": table.to_pandas()},
        result_format=dict(POSITIONS_ONLY),
        run_id=gx.RunIdentifier(run_name="validate", run_time=datetime.now(UTC)),
    )
    by_rule = {r.expectation_config.meta["rule"]: r for r in result.results}
    # An exception's own text may quote a value, so only the rules are named.
    failed = [rule for rule in rules if not {"observed_value", "element_count"} & set(by_rule[rule.id].result)]
    if failed:
        raise DataError("\n".join(f"rule {r.id}: {r.expectation} could not be evaluated on {name}" for r in failed))
    findings = [_finding(rule, by_rule[rule.id], table.height) for rule in rules]
    _store_without_positions(context, name, result)
    return findings


def _definition(context: AbstractDataContext, name: str, rules: Sequence[Rule]) -> Any:
    import great_expectations as gx

    suite = gx.ExpectationSuite(name=name, expectations=[_expectation(rule) for rule in rules])
    asset = context.data_sources.add_pandas("pipeline").add_dataframe_asset(name)
    data = asset.add_batch_definition_whole_dataframe("all")
    definition = gx.ValidationDefinition(name=name, data=data, suite=context.suites.add(suite))
    return context.validation_definitions.add(definition)


def _expectation(rule: Rule) -> Any:
    import great_expectations.expectations as gxe

    return getattr(gxe, rule.expectation)(
        **rule.arguments,
        description=f"{rule.id} ({rule.severity}): {rule.description}",
        severity="critical" if rule.severity == "critical" else "warning",
        meta={"rule": rule.id},
    )


def _finding(rule: Rule, result: Any, rows: int) -> Finding:
    found = result.result
    if "observed_value" in found:
        return Finding(rule, bool(result.success), rows, (), int(found["observed_value"]))
    checked = found["element_count"] - found.get("missing_count", 0)
    positions = tuple(found.get("unexpected_index_list") or ())
    return Finding(rule, not positions, checked, positions, None)


def _store_without_positions(context: AbstractDataContext, name: str, result: Any) -> None:
    for one in result.results:
        one.result.pop("unexpected_index_list", None)
    result.meta["batch_spec"]["data_asset_name"] = name
    store = context.validation_results_store
    (key,) = store.list_keys()
    store.set(key, result)
