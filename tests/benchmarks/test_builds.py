"""The page of a build shows its figures, and names the lists of the build before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from benchmarks.builds import main

SYSTEM = {"r_at_1": 0.4, "low": 0.38, "high": 0.42, "r_at_10": 0.7, "mrr": 0.5}
METRICS: dict[str, Any] = {
    "lists": {"items": 2000, "pool": 6000},
    "retrieval": {"random": {"untuned": SYSTEM, "served": {**SYSTEM, "r_at_1": 0.4321}}},
    "gains": {"served_over_untuned": {"random": {"difference": 0.0321, "low": 0.02, "high": 0.04}}},
    "noise": {"checksum": "x", "served": {"r_at_1": 0.35, "lost": 0.05, "low": 0.04, "high": 0.06}},
    "slices": {"last_words": {"0-2": {"items": 100, "share": 0.25}}},
    "replay": {
        "dialogues": 10, "turns": 90, "needed_model": 0.456, "person_needed_model": 0.9,
        "answer_ms": {"model": 9.0}, "hot_ms": 0.5,
    },
    "speed": {
        "per_cpu_second": {"fp16 on openvino": 500.0}, "served_by": "fp16 on openvino",
        "per_cpu_second_one_by_one": {"fp16 on openvino": 200.0},
        "ratio_to_sentence_transformers_untuned": 4.2, "min_cosine": 1.0,
    },
    "opening": {
        "open_cpu_s": 1.0, "process_cpu_s": 2.0, "cache_and_index_mb": 1.0, "imports_mb": 60.0, "peak_mb": 200.0,
    },
    "sizes_mb": {"model": 100.0},
    "search": {"searches_per_cpu_second": 4000.0},
    "cache": {"phrases": 10, "later_turns_covered": 0.12},
}  # fmt: skip
FORM = {"megabytes": 76.5, "per_cpu_second": 400.0, "one_by_one": 200.0, "min_cosine": 1.0, "batch_distance": 1e-14}


def write(path: Path, document: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


def build(root: Path, checksum: str) -> Path:
    card = {"pairs": {"in": 9, "less": {"opening": 2, "none": 0}, "out": 7}, "checksums": {"test": checksum}}
    write(root / "dialogues" / "dialogues.json", card)
    write(root / "benchmark" / "metrics.json", METRICS)
    write(root / "export" / "metrics.json", {"fp16 on openvino": FORM})
    audit = {"files": 3, "mb": 1.0, "canaries": {"found": []}, "erased": {"found": []}}
    write(root / "audit" / "audit.json", audit)
    return root


def test_a_page_holds_the_figures_and_both_lists(tmp_path: Path) -> None:
    now, before = build(tmp_path / "now", "sha256:new"), build(tmp_path / "before", "sha256:old")
    out = tmp_path / "page.md"
    done = CliRunner().invoke(main, ["--build", str(now), "--before", str(before), "--out", str(out)])
    assert done.exit_code == 0, done.output
    page = out.read_text()
    for figure in (
        "0.4321",
        "+0.0321",
        "| test | sha256:new | sha256:old |",
        "45.6%",
        "4.20 times",
        "opening 2",
        "12.0%",
    ):
        assert figure in page, figure
    assert "none 0" not in page


def test_a_build_of_before_has_no_page_of_what_is_served(tmp_path: Path) -> None:
    now = build(tmp_path / "now", "sha256:new")
    write(
        now / "benchmark" / "metrics.json", {key: METRICS[key] for key in METRICS if key not in ("noise", "slices")}
    )
    done = CliRunner().invoke(main, ["--build", str(now)])
    assert done.exit_code == 0, done.output
    assert "What is served" not in done.output
