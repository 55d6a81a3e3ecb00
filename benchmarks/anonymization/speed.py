"""Speed of anonymisation: messages per CPU-second of one process with one thread, models loaded beforehand.

The first 20,000 real chit-chat messages, conversation by conversation. Presidio gets every tenth of them, one by
one, since it would take minutes for all. Systems take turns, so that a slow minute of the machine hits all of
them.
"""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

import click

from benchmarks.report import examples, heading, out_option, publish, table

MODULE = "benchmarks.anonymization.speed"
MESSAGES, ROUNDS, TENTH = 20_000, 3, 10
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")
OURS, NER, PRESIDIO = "ours", "spaCy, names only, in batches", "Presidio, default, one by one"


@click.command(help=__doc__, epilog=examples(MODULE, "", "--out speed.md"))
@out_option
def main(out: Path | None) -> None:
    """Entry point."""
    os.environ.update(dict.fromkeys(THREADS, "1"))  # before numpy is imported
    from benchmarks.anonymization.detectors import PACKAGES

    publish(heading("Speed of anonymisation", MODULE, PACKAGES) + "\n" + _table(measure()), out)


def measure() -> dict[str, tuple[int, list[float]]]:
    """Run every system a few times.

    Returns:
        By system: messages, and CPU-seconds of each round.
    """
    from benchmarks.anonymization import detectors, sets

    texts = sets.chat(MESSAGES)
    systems = {
        OURS: (detectors.ours(), texts),
        NER: (detectors.spacy_ner(), texts),
        PRESIDIO: (detectors.presidio(), texts[::TENTH]),
    }
    for detect, given in systems.values():
        detect(given[:100])
    spent: dict[str, list[float]] = {name: [] for name in systems}
    for _ in range(ROUNDS):
        for name, (detect, given) in systems.items():
            start = time.process_time()
            detect(given)
            spent[name].append(time.process_time() - start)
    return {name: (len(given), spent[name]) for name, (_, given) in systems.items()}


def _table(measured: dict[str, tuple[int, list[float]]]) -> str:
    rates = {name: [count / second for second in seconds] for name, (count, seconds) in measured.items()}
    rows = []
    for name, (count, seconds) in measured.items():
        ratios = [ours / other for ours, other in zip(rates[OURS], rates[name], strict=True)]
        rows.append(
            [name, str(count), f"{statistics.median(seconds):.2f}", _range(rates[name], 0), _range(ratios, 1)]
        )
    return table(["system", "messages", "CPU-seconds", "messages per CPU-second", "ours is faster by"], rows)


def _range(values: list[float], digits: int) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


if __name__ == "__main__":
    main(prog_name=f"python -m {MODULE}")
