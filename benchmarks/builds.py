"""Builds: every figure of a finished build as one page, and which lists an earlier build was measured on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from benchmarks.report import examples, heading, out_option, publish, table
from rejoinder.parts import PHRASES

MODULE = "benchmarks.builds"
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
Figures = Mapping[str, Any]
#: What is shown of a form, and how.
_FORM = {
    "megabytes": ".1f",
    "per_cpu_second": ",.0f",
    "one_by_one": ",.0f",
    "min_cosine": ".6f",
    "batch_distance": ".1e",
}


@click.command(
    help=__doc__, epilog=examples(MODULE, "", "--before ../before/build --out docs/measured/make-repro.md")
)
@click.option("--build", type=_FOLDER, default="build", show_default=True, help="What `make repro` has built.")
@click.option("--before", type=_FOLDER, help="`build` of an earlier version; its stage `dialogues` will do.")
@out_option
def main(build: Path, before: Path | None, out: Path | None) -> None:
    """Entry point."""
    metrics, card = _read(build / "benchmark" / "metrics.json"), _read(build / "dialogues" / "dialogues.json")
    packages = ["torch", "onnxruntime", "faiss-cpu", "dvc"]
    parts = [
        heading("`make repro`", MODULE, packages),
        _lists(metrics, card, _read(before / "dialogues" / "dialogues.json") if before else None),
        _retrieval(metrics),
        _served(metrics),
        _encoding(metrics, _read(build / "export" / "metrics.json")),
        _cost(metrics),
        _data(card, _read(build / "audit" / "audit.json")),
    ]
    publish("".join(parts), out)


def _read(path: Path) -> Figures:
    found: Figures = json.loads(path.read_text(encoding="utf-8"))
    return found


def _lists(metrics: Figures, card: Figures, before: Figures | None) -> str:
    rows = [
        [name, checksum, *([before["checksums"].get(name, "-")] if before else [])]
        for name, checksum in card["checksums"].items()
    ]
    lists = metrics["lists"]
    return (
        f"\n## Lists\n\n{lists['items']:,} test items, pool of {lists['pool']:,} replies. "
        "Figures of different lists are not compared.\n\n"
        + table(["list", "checksum", *(["before"] if before else [])], rows)
    )


def _retrieval(metrics: Figures) -> str:
    rows = [
        [kind, name, f"{of['r_at_1']:.4f}", _span(of, ".3f"), f"{of['r_at_10']:.3f}", f"{of['mrr']:.3f}"]
        for kind, systems in metrics["retrieval"].items()
        for name, of in systems.items()
    ]
    changes = [
        [name.replace("_", " "), kind, f"{gain['difference']:+.4f}", _span(gain, "+.3f")]
        for name, by_list in metrics["gains"].items()
        for kind, gain in by_list.items()
    ]
    return (
        "\n## Retrieval\n\n95% intervals by bootstrap over conversations.\n\n"
        + table(["list", "system", "R@1", "95%", "R@10", "MRR"], rows)
        + "\nChanges of R@1, of the full pool of R@10:\n\n"
        + table(["change", "list", "difference", "95%"], changes)
    )


def _span(of: Figures, how: str) -> str:
    return f"{of['low']:{how}} to {of['high']:{how}}"


def _served(metrics: Figures) -> str:
    """Where what is served is better or worse; nothing of builds that measured no such thing."""
    if "noise" not in metrics:
        return ""
    noise = [
        [name, f"{of['r_at_1']:.4f}", f"{of['lost']:+.4f}", _span(of, "+.3f")]
        for name, of in metrics["noise"].items()
        if name != "checksum"
    ]
    parts = [
        [f"{name.replace('_', ' ')} {value}", f"{of['items']:,}", f"{of['share']:.3f}"]
        for name, by_value in metrics["slices"].items()
        for value, of in by_value.items()
    ]
    return (
        "\n## What is served\n\nContexts typed in haste, R@1 of 100:\n\n"
        + table(["system", "R@1", "lost", "95%"], noise)
        + "\n"
        + table(["items by", "items", "R@1 of 100"], parts)
        + "\n"
        + table(["turns of replayed dialogues", ""], list(_replayed(metrics["replay"])))
    )


def _replayed(replay: Figures) -> Iterator[list[str]]:
    yield [f"new turns, in {replay['dialogues']:,} dialogues", f"{replay['turns']:,}"]
    yield ["needed the model", f"{replay['needed_model']:.1%}"]
    yield ["of what people said", f"{replay['person_needed_model']:.1%}"]
    for source, spent in replay["answer_ms"].items():
        yield [f"CPU of an answer, new turn from {source}", f"{spent:.2f} ms"]
    yield ["CPU of an answer given twice", f"{replay['hot_ms']:.2f} ms"]


def _encoding(metrics: Figures, export: Figures) -> str:
    speed = metrics["speed"]
    rates = [
        [name.replace("_", " "), f"{rate:,.0f}", f"{speed['per_cpu_second_one_by_one'][name]:,.0f}"]
        for name, rate in speed["per_cpu_second"].items()
    ]
    forms = [
        [execution, *(format(of[name], how) for name, how in _FORM.items())] for execution, of in export.items()
    ]
    ratio = speed["ratio_to_sentence_transformers_untuned"]
    return (
        "\n## Encoding, same texts, same run\n\n"
        + table(["encoder", "texts per CPU-second", "one by one"], rates)
        + f"\nThis machine serves {speed['served_by']}: {ratio:.2f} times sentence-transformers with the untuned "
        f"encoder. Smallest cosine of stored vectors with the same weights there: {speed['min_cosine']:.7f}.\n\n"
        + table(
            ["form", "MB", "texts per CPU-s", "one by one", "least cosine with torch", "1 - cos in a batch"], forms
        )
    )


def _cost(metrics: Figures) -> str:
    opening, cache = metrics["opening"], metrics[PHRASES.bundle]
    shares = {name.removesuffix("_covered"): share for name, share in cache.items() if name.endswith("_covered")}
    covered = ", ".join(f"{share:.1%} of {name.replace('_', ' ')}" for name, share in shares.items())
    rows = [
        ["verify, load and probe", f"{opening['open_cpu_s']:.2f} CPU-s"],
        ["process start to first answer", f"{opening['process_cpu_s']:.2f} CPU-s"],
        ["memory added by mapping cache and index", f"{opening['cache_and_index_mb']:.1f} MB"],
        [f"peak of the process ({opening['imports_mb']:.0f} MB are imports)", f"{opening['peak_mb']:.0f} MB"],
        ["sizes", ", ".join(f"{kind} {mb:.1f} MB" for kind, mb in metrics["sizes_mb"].items())],
        ["searches", f"{metrics['search']['searches_per_cpu_second']:,.0f} per CPU-s"],
        ["phrase cache", covered],
    ]
    return "\n## Opening\n\n" + table(["", ""], rows)


def _data(card: Figures, audit: Figures) -> str:
    steps = [
        [name, f"{of['in']:,}", ", ".join(f"{why} {n:,}" for why, n in of["less"].items() if n), f"{of['out']:,}"]
        for name, of in card.items()
        if isinstance(of, dict) and {"in", "less", "out"} <= of.keys()
    ]
    found = len(audit["canaries"]["found"]) + len(audit["erased"]["found"])
    return (
        "\n## Data\n\n"
        + table(["step", "in", "less", "out"], steps)
        + f"\nAudit: {audit['files']:,} files, {audit['mb']:,.0f} MB searched, {found} leaks found.\n"
    )


if __name__ == "__main__":
    main()
