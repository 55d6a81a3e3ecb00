"""Rules + table -> findings: one run of Great Expectations, whose stored result holds counts only."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from numbers import Integral
from typing import TYPE_CHECKING, Any

import polars as pl

from stages.checks.rule import Rule
from stages.common.errors import DataError

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
        unexpected: rows that broke it; 0 for a rule about the table.
        rows: their positions.
        observed: what a rule about the table found, an integer count or a share, else None.
    """

    rule: Rule
    success: bool
    checked: int
    unexpected: int
    rows: tuple[int, ...]
    observed: int | float | None

    @property
    def share(self) -> float:
        """Unexpected rows over checked rows."""
        return self.unexpected / self.checked if self.checked else 0.0


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

    The result stays in the context, without row positions, for the pages. Called again with the same name, it takes
    the table for a further batch, and adds to that result; rules about a table as a whole allow one batch only.

    Args:
        context: from `open_context`.
        name: the suite's name, which is the table's.
        table: any number of rows.
        rules: with distinct ids; the same for each batch.

    Returns:
        One finding a rule for this batch, in the order of the rules.

    Raises:
        DataError: naming every rule that could not be evaluated.
    """
    import great_expectations as gx

    earlier = _stored(context, name)
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
    _store(context, name, result, earlier)
    return findings


def _definition(context: AbstractDataContext, name: str, rules: Sequence[Rule]) -> Any:
    import great_expectations as gx

    if known := [d for d in context.validation_definitions.all() if d.name == name]:
        return known[0]
    suite = gx.ExpectationSuite(name=name, expectations=[_expectation(rule) for rule in rules])
    asset = context.data_sources.add_pandas(name).add_dataframe_asset(name)
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
        observed = found["observed_value"]
        number = int(observed) if isinstance(observed, Integral) else float(observed)
        return Finding(rule, bool(result.success), rows, 0, (), number)
    checked = found["element_count"] - found.get("missing_count", 0)
    positions = tuple(found.get("unexpected_index_list") or ())
    return Finding(rule, not positions, checked, len(positions), positions, None)


def _keys(context: AbstractDataContext, name: str) -> list[Any]:
    keys = context.validation_results_store.list_keys()
    return [key for key in keys if key.expectation_suite_identifier.name == name]


def _stored(context: AbstractDataContext, name: str) -> Any | None:
    keys = _keys(context, name)
    return context.validation_results_store.get(keys[0]) if keys else None


def _store(context: AbstractDataContext, name: str, result: Any, earlier: Any | None) -> None:
    """Leave one result of the suite in the store: counts of all batches, no positions."""
    for one in result.results:
        one.result.pop("unexpected_index_list", None)
    result.meta["batch_spec"]["data_asset_name"] = name
    if earlier is not None:
        _add(result, earlier)
    store = context.validation_results_store
    first, *later = _keys(context, name)
    store.set(first, result)
    for key in later:
        store.remove_key(key)


def _add(result: Any, earlier: Any) -> None:
    """Add the counts of earlier batches, and what Great Expectations derives from them."""
    before = {one.expectation_config.meta["rule"]: one for one in earlier.results}
    for one in result.results:
        other = before[one.expectation_config.meta["rule"]]
        found = one.result
        for name in ("element_count", "missing_count", "unexpected_count"):
            if name in found:
                found[name] += other.result[name]
        rows, missing, bad = found["element_count"], found.get("missing_count", 0), found["unexpected_count"]
        percents = {
            "missing_percent": _percent(missing, rows),
            "unexpected_percent": _percent(bad, rows - missing),
            "unexpected_percent_nonmissing": _percent(bad, rows - missing),
            "unexpected_percent_total": _percent(bad, rows),
        }
        found.update((name, value) for name, value in percents.items() if name in found)
        one.success = one.success and other.success
    held = sum(bool(one.success) for one in result.results)
    rules = len(result.results)
    result.success = held == rules
    result.statistics.update(
        successful_expectations=held, unsuccessful_expectations=rules - held, success_percent=100 * held / rules
    )


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0
