"""Quality of anonymisation beside Presidio's default analyzer, on the same lines and with the same spaCy package.

Sets: 1,500 sentences of presidio-evaluator, our chat-style lines (both halves, the tune half apart), and 300
real chit-chat lines labelled by hand. What is counted and how: `benchmarks.anonymization.scores`. Takes minutes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from benchmarks.anonymization import detectors, sets
from benchmarks.anonymization.generate import checksum
from benchmarks.anonymization.line import SCOPE, Line, Span
from benchmarks.anonymization.scores import SMALL, Score, interval, missed, resampled, score, verdict
from benchmarks.report import FILE, examples, heading, out_option, publish, table

MODULE = "benchmarks.anonymization.quality"
ROUNDS, SEED = 2000, 7
#: What Presidio's precision is restricted to: without places, dates, and numbers of states' offices.
COMPARABLE = frozenset(SCOPE) - {"ADDRESS", "BIRTH_DATE", "AGE"}
SYSTEMS = ("ours", "Presidio, all its types", "Presidio, people and structured types")

Spans = Sequence[Sequence[Span]]

NOTES = """
A gold span is found if every letter and digit of it is masked, whatever the type. A predicted span is right if
it touches gold in scope, ignored if it touches only gold out of scope (towns, firms, jobs, bare numbers), else
false. By entity, precision is over the spans that a system gave that type (Presidio's LOCATION is ADDRESS; its
DATE_TIME is both BIRTH_DATE and AGE), and "type" is the share of found spans that were also named rightly.
Presidio marks every town and every "today" as well: "people and structured types" leaves such spans out of its
precision, but not out of its recall. Ours is counted with all its types, NUMBER included. Overlapping spans
count once over all types. Intervals: 95%, bootstrap over templates, or over lines where there are none.
"""


@click.command(help=__doc__, epilog=examples(MODULE, "", "--out quality.md", "--tune-errors misses.txt"))
@click.option(
    "--tune-errors", type=FILE, metavar="FILE", help="Write what ours missed or made up in the tune half."
)
@out_option
def main(tune_errors: Path | None, out: Path | None) -> None:
    """Entry point."""
    ours, presidio = detectors.ours(), detectors.presidio()
    parts = [heading("Quality of anonymisation", MODULE, detectors.PACKAGES), NOTES]
    for title, lines in _sets().items():
        found = ours([line.text for line in lines])
        parts.append(_section(title, lines, found, presidio([line.text for line in lines])))
        if tune_errors and lines[0].half == "tune":
            tune_errors.write_text(errors(lines, found), encoding="utf-8")
    publish("\n".join(parts), out)


def _sets() -> dict[str, list[Line]]:
    real = sets.real()
    return {
        "presidio-evaluator": sets.evaluator(),
        "Chat templates, test half": sets.generated("test"),
        "Chat templates, TUNE half (rules were made with it: not a result)": sets.generated("tune"),
        "Real chit-chat, labelled by hand: random and enriched lines": real,
        "Real chit-chat, labelled by hand: random lines only": [line for line in real if line.half == "random"],
    }


def _section(title: str, lines: list[Line], ours: Spans, presidio: Spans) -> str:
    scores = [score(lines, ours), score(lines, presidio), score(lines, presidio, COMPARABLE)]
    head = f"## {title}\n\n{len(lines)} lines, SHA-256 {checksum(lines)[:16]}.\n"
    return "\n".join([head, overall(lines, scores), by_entity(scores[0], scores[1])])


def overall(lines: Sequence[Line], scores: Sequence[Score]) -> str:
    """Table over all types: the systems, and ours less each of the others.

    Args:
        lines: what was scored.
        scores: in the order of `SYSTEMS`.

    Returns:
        Markdown.
    """
    drawn = resampled(lines, scores, ROUNDS, SEED)
    rows, values = [], []
    for name, each, sample in zip(SYSTEMS, scores, drawn, strict=True):
        counts = each.all
        values.append((counts.recall, counts.precision, counts.f2, 1000 * counts.false / len(lines)))
        cells = [_with_interval(v, sample[:, n], 1 if n == 3 else 3) for n, v in enumerate(values[-1])]
        rows.append([name, f"{counts.found}/{counts.gold}", str(counts.right), str(counts.false), *cells])
    for place in (1, 2):
        cells = [
            _with_interval(values[0][n] - values[place][n], drawn[0, :, n] - drawn[place, :, n], 1 if n == 3 else 3)
            for n in range(4)
        ]
        rows.append([f"ours less {SYSTEMS[place]}", "", "", "", *cells])
    return table(
        ["all types", "found", "right", "false", "recall", "precision", "F2", "false hits per 1,000 lines"], rows
    )


def _with_interval(value: float, sample: NDArray[np.float64], digits: int) -> str:
    low, high = interval(sample)
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def by_entity(ours: Score, presidio: Score) -> str:
    """Table by entity, those with any gold or any false hit.

    Args:
        ours: our score.
        presidio: Presidio's, with all its types.

    Returns:
        Markdown.
    """
    rows = []
    for kind in (SCOPE[0], SMALL, *SCOPE[1:]):
        pair = [each.by_type[kind] for each in (ours, presidio)]
        if pair[0].gold or pair[0].false or pair[1].false:
            cells = [[*_cells(c.recall, c.precision, c.f2, c.agreement), str(c.false)] for c in pair]
            rows.append([kind, str(pair[0].gold), *cells[0], *cells[1]])
    head = ["recall", "precision", "F2", "type", "false"]
    return table(["entity", "gold", *(f"ours: {h}" for h in head), *(f"Presidio: {h}" for h in head)], rows)


def _cells(*figures: float) -> list[str]:
    return ["-" if math.isnan(figure) else f"{figure:.3f}" for figure in figures]


def errors(lines: Sequence[Line], predicted: Spans) -> str:
    """Lines with a missed gold span or a false hit, one JSON object each.

    Args:
        lines: of the tune half; the test half is nobody's to read.
        predicted: our spans.

    Returns:
        JSON lines: text, what was missed, what is false, gold and predicted spans.
    """
    rows = []
    for line, spans in zip(lines, predicted, strict=True):
        left, false = missed(line, spans), [span for span in spans if verdict(line, span) == "false"]
        if left or false:
            named = {"missed": left, "false": false, "gold": line.spans, "predicted": spans}
            row = {
                "text": line.text,
                **{n: [(line.text[s.start : s.end], *s) for s in v] for n, v in named.items()},
            }
            rows.append(json.dumps(row, ensure_ascii=False) + "\n")
    return "".join(rows)


if __name__ == "__main__":
    main(prog_name=f"python -m {MODULE}")
