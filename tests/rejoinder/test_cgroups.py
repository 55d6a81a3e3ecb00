"""What Linux says this process may use; tests/rejoinder/serving/test_headroom.py walks these groups too."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rejoinder.cgroups import cpu_quota


def quota(root: Path, cgroup: str, files: dict[str, str]) -> float | None:
    """The quota on a made-up machine; `files` are of its control groups."""
    (root / "proc" / "self").mkdir(parents=True)
    (root / "proc" / "self" / "cgroup").write_text(cgroup)
    for name, text in files.items():
        path = root / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return cpu_quota(root / "proc", root / "groups")


@pytest.mark.parametrize(
    ("said", "granted"), [("150000 100000\n", 1.5), ("50000 100000\n", 0.5), ("max 100000\n", None), ("", None)]
)
def test_version_two_is_read(tmp_path: Path, said: str, granted: float | None) -> None:
    assert quota(tmp_path, "0::/app\n", {"app/cpu.max": said}) == granted


@pytest.mark.parametrize(("said", "granted"), [("300000\n", 3.0), ("-1\n", None), ("0\n", None)])
def test_version_one_is_read(tmp_path: Path, said: str, granted: float | None) -> None:
    files = {"cpu/app/cpu.cfs_quota_us": said, "cpu/app/cpu.cfs_period_us": "100000\n"}
    assert quota(tmp_path, "5:cpu,cpuacct:/app\n0::/\n", files) == granted


def test_another_controller_of_version_one_says_nothing(tmp_path: Path) -> None:
    files = {"cpu/app/cpu.cfs_quota_us": "300000\n", "cpu/app/cpu.cfs_period_us": "100000\n"}
    assert quota(tmp_path, "5:cpuset:/app\n4:memory:/app\n", files) is None


def test_the_narrowest_group_counts(tmp_path: Path) -> None:
    files = {"pod/app/cpu.max": "400000 100000\n", "pod/cpu.max": "200000 100000\n", "cpu.max": "max 100000\n"}
    assert quota(tmp_path, "0::/pod/app\n", files) == 2


@pytest.mark.parametrize("path", ["/", "/of/the/machine", "/../../other"])
def test_in_a_container_the_root_is_the_group(tmp_path: Path, path: str) -> None:
    assert quota(tmp_path, f"0::{path}\n", {"cpu.max": "250000 100000\n"}) == 2.5


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_text_of_the_kernel_breaks_it(cgroup: str, said: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        granted = quota(Path(folder), cgroup.replace("\ud800", ""), {"cpu.max": said.replace("\ud800", "")})
    assert granted is None or granted > 0
