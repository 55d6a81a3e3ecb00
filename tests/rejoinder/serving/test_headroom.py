"""How much memory there is, and how much a release takes."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rejoinder.errors import IntegrityError
from rejoinder.parts.vectorizer import MODEL_BASE
from rejoinder.release.forms import CPU, OPENVINO
from rejoinder.release.manifest import FileEntry, read_manifest
from rejoinder.release.proof import Installed
from rejoinder.serving.headroom import SMALL_CHANGE, available, estimate
from tests.bundles import write_onnx

GIB = 1 << 30
MEMINFO = f"MemTotal: {64 * GIB >> 10} kB\nMemFree: 1 kB\nMemAvailable: {8 * GIB >> 10} kB\n"


def machine(root: Path, cgroup: str, files: dict[str, str], meminfo: str = MEMINFO) -> int | None:
    """What is available on a made-up machine; `files` are of its control groups."""
    (root / "proc" / "self").mkdir(parents=True)
    (root / "proc" / "meminfo").write_text(meminfo)
    (root / "proc" / "self" / "cgroup").write_text(cgroup)
    for name, text in files.items():
        path = root / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return available(root / "proc", root / "groups")


def v2(limit: int | str, use: int, spare: int = 0) -> tuple[str, str, str]:
    return (f"{limit}\n", f"{use}\n", f"anon 5\ninactive_file {spare}\nactive_file 9\n")


def group(path: str, limit: int | str, use: int, spare: int = 0) -> dict[str, str]:
    """Files of a control group of version 2."""
    names = ("memory.max", "memory.current", "memory.stat")
    return {f"{path}{name}": text for name, text in zip(names, v2(limit, use, spare), strict=True)}


def test_without_control_groups_it_is_what_the_machine_has(tmp_path: Path) -> None:
    assert machine(tmp_path, "", {}) == 8 * GIB


def test_a_control_group_that_allows_less_counts(tmp_path: Path) -> None:
    assert machine(tmp_path, "0::/pod/app\n", group("pod/app/", 2 * GIB, GIB)) == GIB


def test_files_that_the_kernel_can_drop_are_not_used_up(tmp_path: Path) -> None:
    assert machine(tmp_path, "0::/app\n", group("app/", 2 * GIB, 2 * GIB, spare=GIB // 2)) == GIB // 2


def test_a_group_further_up_counts_as_well(tmp_path: Path) -> None:
    files = {**group("pod/app/", "max", GIB), **group("pod/", 3 * GIB, GIB)}
    assert machine(tmp_path, "0::/pod/app\n", files) == 2 * GIB


@pytest.mark.parametrize("path", ["/", "/of/the/machine", "/../../other"])
def test_in_a_container_the_root_is_the_group(tmp_path: Path, path: str) -> None:
    assert machine(tmp_path, f"0::{path}\n", group("", 4 * GIB, GIB)) == 3 * GIB


def test_version_one_is_read_beside_version_two(tmp_path: Path) -> None:
    files = {
        "memory/app/memory.limit_in_bytes": f"{2 * GIB}\n",
        "memory/app/memory.usage_in_bytes": f"{2 * GIB - 100}\n",
        "memory/app/memory.stat": "inactive_file 7\ntotal_inactive_file 11\n",
        **group("unified/", 4 * GIB, 0),
    }
    assert machine(tmp_path, "4:cpu,memory:/app\n0::/\n", files) == 111


def test_what_is_overdrawn_is_nothing(tmp_path: Path) -> None:
    assert machine(tmp_path, "0::/app\n", group("app/", GIB, 2 * GIB)) == 0


def test_unknown_is_none(tmp_path: Path) -> None:
    assert machine(tmp_path, "nonsense\n", {}, meminfo="") is None


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_text_of_the_kernel_breaks_it(cgroup: str, stat: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        room = machine(Path(folder), cgroup.replace("\ud800", ""), {"memory.max": stat, "memory.current": "1"})
    assert room is None or room >= 0


def test_on_this_machine_something_is_known() -> None:
    room = available()
    assert room is not None
    assert 1 << 20 < room < 1 << 50


def test_an_estimate_counts_the_form_that_runs_and_the_replies(pristine: Installed) -> None:
    sizes = {
        name: entry.size
        for directory in pristine.bundles.values()
        for name, entry in read_manifest(directory).files.items()
    }
    shared = SMALL_CHANGE + 16 * sizes["tokenizer.json"] + 4 * sizes["replies.jsonl"]
    assert estimate(pristine, "CPUExecutionProvider") == shared + MODEL_BASE + 3 * sizes["model.cpu.onnx"]
    assert estimate(pristine, "CUDAExecutionProvider") == shared + MODEL_BASE + 3 * sizes["model.fp16.onnx"]


def test_an_estimate_trusts_no_manifest_but_the_pinned_one(mine: Installed) -> None:
    path = mine.bundles["model"] / "manifest.json"
    manifest = read_manifest(path.parent)
    files = {name: FileEntry(1, entry.sha256) for name, entry in manifest.files.items()}
    path.write_bytes(replace(manifest, files=files).to_bytes())
    with pytest.raises(IntegrityError):
        estimate(mine)


OPEN_A_LARGE_MODEL = """
import re, sys
from pathlib import Path
import numpy as np
from rejoinder.serving.headroom import SMALL_CHANGE, give_back
from rejoinder.parts.engines import open_engine
from rejoinder.parts.vectorizer import MODEL_BASE, MODEL_FACTOR

def kilobytes(what):
    return int(re.search(what + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

path = Path(sys.argv[1])
open_engine(path.with_name("small.onnx"), sys.argv[2])  # what an engine itself takes, once
give_back()
before, resident = kilobytes("RssAnon"), kilobytes("VmRSS")
engine = open_engine(path, sys.argv[2])
ids = np.ones((32, 64), np.int64)
engine.run({"input_ids": ids, "attention_mask": ids})
taken = kilobytes("VmHWM") - resident << 10
del engine
give_back()
left = kilobytes("RssAnon") - before << 10
size = path.stat().st_size
print(taken <= MODEL_BASE + MODEL_FACTOR * size + SMALL_CHANGE, taken >= size, left < SMALL_CHANGE)
"""


@pytest.mark.parametrize("provider", [CPU, OPENVINO])
def test_a_large_model_takes_no_more_than_estimated_and_gives_it_back(tmp_path: Path, provider: str) -> None:
    path = tmp_path / "model.cpu.onnx"
    write_onnx(path, np.zeros((160_000, 64), np.float32))  # 41 MB
    write_onnx(path.with_name("small.onnx"), np.zeros((8, 64), np.float32))
    command = [sys.executable, "-c", OPEN_A_LARGE_MODEL, str(path), provider]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["True", "True", "True"], done.stderr
