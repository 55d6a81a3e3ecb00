"""The commands `rejoinder show` and `rejoinder diff`: one release in figures, and what changed between two."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rejoinder.cli_options import open_store, store_option

if TYPE_CHECKING:
    from rich.table import Table

    from registry.show.describe import Description, Difference, Finder, Value

_LOCAL = ("current",)  # what a store alone knows
_REMOTE = ("champion", "challenger")  # what MLflow alone knows
_WORDS = (*_REMOTE, "previous", *_LOCAL)
#: Figures of what is released, not of what it was compared with or made from.
_HEADLINE = re.compile(
    r"retrieval/\w+/(exported|served\w*)/|gains/(exported|served\w*)_over_|noise/served/|replay/|answers/candidate/|opening/|cache/|ranking/\w+/gain|speed/min_cosine"
    r"|speed/per_cpu_second/(exported|\w+ on \w+)$|speed/ratio_to_sentence_transformers_untuned"
)
_LESS_IS_BETTER = re.compile(r"(_cpu_s|_wall_s|_mb|_ms|/lost|needed_model)$|/answer_ms/")
_MORE_IS_BETTER = re.compile(
    r"(r_at_1|r_at_10|mrr|difference|_covered|_cosine|/exported|/served\w*| on \w+)$|/ratio_to_"
)
_DIGEST = re.compile(r"(?:sha256:)?\b([0-9a-f]{12})[0-9a-f]{20,}\b")
_HIDDEN_IN_SHOW = ("params", "libraries")
_LABELS = {"sizes": "sizes, MB"}
_name_option = click.option("--name", default="rejoinder", show_default=True, help="What is released.")
_remote_option = click.option("--remote", is_flag=True, help="Look in MLflow instead of the local store.")
_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def _which(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A serial as text, or one of the words that stand for a release."""
    if value is None or value in _WORDS:
        return value
    if not re.fullmatch(r"#?0*[1-9][0-9]{0,15}", value):
        words = ", ".join(_WORDS)
        raise click.BadParameter(f"expected a serial or one of {words}, got {value[:40]!r}", context, parameter)
    return value.lstrip("#0")


@click.command(
    epilog="\b\nExamples:\n  rejoinder show\n  rejoinder show champion\n  rejoinder show 3 --remote --json"
)
@click.argument("which", metavar="[SERIAL]", callback=_which, required=False)
@_remote_option
@_json_option
@_name_option
@store_option
def show(*, which: str | None, remote: bool, as_json: bool, name: str, root: Path | None) -> None:
    """Show one release. What it holds, how it fared, what it was built from.

    SERIAL is a serial, `current` or `previous` of the store, or `champion`, `challenger` or `previous` of MLflow.
    Without it, the current release is shown; with --remote, the champion.
    """
    found = _described(which or ("champion" if remote else "current"), remote, name, root)
    if as_json:
        click.echo(json.dumps(found.to_json(), ensure_ascii=False))
    else:
        _print(show_table(found))


@click.command(
    epilog="\b\nExamples:\n  rejoinder diff previous current\n  rejoinder diff current champion\n"
    "  rejoinder diff 3 4 --remote --all"
)
@click.argument("a", callback=_which)
@click.argument("b", callback=_which)
@_remote_option
@_json_option
@click.option("--all", "everything", is_flag=True, help="Also what did not change, and the figures of baselines.")
@_name_option
@store_option
def diff(*, a: str, b: str, remote: bool, as_json: bool, everything: bool, name: str, root: Path | None) -> None:
    """Compare two releases. Digests, sizes, metrics, parameters, sources, tools: what changed from A to B.

    A and B are serials, `current` or `previous` of the store, or `champion`, `challenger` or `previous` of MLflow.
    """
    from registry.show.describe import differences

    before, after = (_described(which, remote, name, root) for which in (a, b))
    found = differences(before, after, everything=everything)
    if as_json:
        pair = {"before": before.release.digest, "after": after.release.digest}
        click.echo(json.dumps({**pair, "differences": [one.to_json() for one in found]}, ensure_ascii=False))
    elif found:
        _print(diff_table(found, before, after, everything=everything))
    else:
        click.echo(f"no difference: both are {after.release}")


def _described(which: str, remote: bool, name: str, root: Path | None) -> Description:
    from registry.show.describe import describe

    with tempfile.TemporaryDirectory() as folder:
        return describe(*_finder(which, remote, name, root).folder(which, Path(folder) / "release"))


def _finder(which: str, remote: bool, name: str, root: Path | None) -> Finder:
    """`current` is the store's and `champion` MLflow's, whatever --remote says: so both can be compared."""
    from registry.show.finders import mlflow_finder, store_finder

    if which in _REMOTE or (remote and which not in _LOCAL):
        return mlflow_finder(name)
    return store_finder(open_store(root), name)


def _print(table: Table) -> None:
    from rich.console import Console

    # A pipe has no width of its own, and half of a digest helps nobody.
    width = None if sys.stdout.isatty() else 160
    Console(width=width, highlight=False).print(table)


#: Of a table that somebody reads; a release made to keep a terminal busy must not.
_MAX_ROWS = 2000


def show_table(found: Description) -> Table:
    """Lay out one release.

    Args:
        found: the release.

    Returns:
        A table: section, key, value.
    """
    from registry.show.describe import facts

    rows = [
        (section, key, [_shown(value)])
        for section, values in facts(found).items()
        for key, value in values.items()
        if section not in _HIDDEN_IN_SHOW and _is_headline(section, key)
    ]
    said = found.verdict.get("reasons")
    reasons = [
        ("verdict", "reason", [_shown(str(one))]) for one in (said[:_MAX_ROWS] if isinstance(said, list) else ())
    ]
    counts = ", ".join(f"{count} {kind}" for kind, count in found.bom.get("components", {}).items())
    rows += [*reasons, ("materials", "components", [counts or "-"])]
    caption = "every figure, all parameters and licences: --json"
    return _table(["", "", "value"], rows, f"{found.release} {found.verdict.get('verdict', '')}", caption)


def diff_table(found: Sequence[Difference], a: Description, b: Description, *, everything: bool = False) -> Table:
    """Lay out what changed.

    Args:
        found: what is to be shown.
        a: the release before.
        b: the release after.
        everything: also show the figures of baselines.

    Returns:
        A table: section, key, before, after, change.
    """
    shown = [one for one in found if everything or _is_headline(one.section, one.key)]
    rows = [(one.section, one.key, [_shown(one.before), _shown(one.after), _change(one)]) for one in shown]
    hidden = len(found) - len(shown)
    caption = (
        f"{hidden} more figures changed, of baselines and of parts that are not released: --all" if hidden else ""
    )
    columns = ["", "", f"#{a.release.serial}", f"#{b.release.serial}", "change"]
    return _table(columns, rows, f"{a.release} -> {b.release}", caption)


def _table(columns: Sequence[str], rows: Iterable[tuple[str, str, list[Any]]], title: str, caption: str) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(_printable(title)), caption=caption or None)
    for column in columns:
        table.add_column(column, overflow="fold")
    last = None
    for section, key, cells in islice(rows, _MAX_ROWS):
        if last not in (None, section):
            table.add_section()
        table.add_row(_LABELS.get(section, section) if section != last else "", Text(_printable(key)), *cells)
        last = section
    return table


def _is_headline(section: str, key: str) -> bool:
    return section != "metrics" or _HEADLINE.match(key) is not None


def _shown(value: Value) -> Any:
    from rich.text import Text

    from registry.publish.model_cards import Estimate

    if isinstance(value, Estimate):
        interval = "" if value.low is None or value.high is None else f"  [{value.low:.3f}, {value.high:.3f}]"
        return Text(_figure(value.value) + interval)
    if value is None:
        return Text("-")
    if isinstance(value, float):
        return Text(_figure(value))
    if isinstance(value, str):
        return Text(_printable(_DIGEST.sub(r"\1", value)))
    return Text(json.dumps(value))


def _figure(value: float) -> str:
    """Four digits; six of a cosine, which would be 1 otherwise."""
    return f"{value:.6f}" if 0.999 <= value < 1 else f"{value:.4g}"


def _change(one: Difference) -> Any:
    from rich.text import Text

    if one.before == one.after:
        return Text("")
    if one.delta is None:
        return Text(
            {(True, False): "added", (False, True): "removed"}.get((one.before is None, one.after is None), "")
        )
    better = _is_better(one)
    return Text(f"{one.delta:+.4g}", style={True: "green", False: "red", None: ""}[better])


def _is_better(one: Difference) -> bool | None:
    """Whether a figure improved; None if nobody can say, or if the change lies within the interval before."""
    from registry.publish.model_cards import Estimate

    if isinstance(one.before, Estimate) and isinstance(one.after, Estimate):
        low, high = one.before.low, one.before.high
        if low is not None and high is not None and low <= one.after.value <= high:
            return None
    rises = (one.delta or 0) > 0
    if one.section == "sizes" or _LESS_IS_BETTER.search(one.key):
        return not rises
    return rises if _MORE_IS_BETTER.search(one.key) else None


def _printable(text: str) -> str:
    """Without what would steer a terminal: documents come from elsewhere."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
