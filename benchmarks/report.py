"""Markdown tables, and a head that says where and with what they were measured."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import click


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its first column to the left and the others to the right."""
    marks = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, marks, *rows)) + "\n"


def heading(title: str, module: str, packages: Sequence[str]) -> str:
    """Title, command, machine, date and versions.

    Args:
        title: of the report.
        module: what was run.
        packages: whose versions matter.

    Returns:
        Markdown.
    """
    found = re.search(r"model name\s*: (.*)", _read(Path("/proc/cpuinfo")))
    cpu = found[1] if found else platform.processor() or platform.machine()
    words = ["python", "-m", module, *sys.argv[1:]]
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"# {title}\n\n"
        f"- command: `{' '.join(words)}`\n"
        f"- date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC\n"
        f"- machine: {cpu}, {os.cpu_count()} cores; load {os.getloadavg()[0]:.1f}\n"
        f"- versions: Python {platform.python_version()}, {versions}\n"
    )


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


FILE = click.Path(path_type=Path, dir_okay=False)
out_option = click.option("--out", type=FILE, metavar="FILE", help="Write the same text here as well.")


def examples(module: str, *words: str) -> str:
    """The end of a benchmark's help: command lines to copy."""
    return "\b\nExamples:\n" + "\n".join(f"  python -m {module} {each}".rstrip() for each in words)


def publish(text: str, out: Path | None) -> None:
    """Print a report, and write it where it was asked for."""
    sys.stdout.write(text)
    if out is not None:
        out.write_text(text, encoding="utf-8")
