"""What the kernel says of processes is read right."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.serving import processes
from benchmarks.serving.processes import cpu_seconds, parse_busy, parse_pss, parse_stat, pss_megabytes, tree

STAT = "42 (a b) c) S 7 42 42 0 -1 4194560 1 2 3 4 {} {} {} {} 20 0 9 0 12345"
ROLLUP = "55 ---p 0 [rollup]\nRss:  2000 kB\nPss:  1500 kB\nPss_Dirty: 3 kB\nPss_Anon: 1000 kB\n"
ALL = "cpu  100 20 30 4000 500 6 7 8 90 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n"


def test_a_name_with_brackets_is_no_trap() -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    stat = parse_stat(STAT.format(ticks, 2 * ticks, 3 * ticks, 4 * ticks))
    assert (stat.parent, stat.cpu) == (7, 10.0)


def test_busy_is_all_but_idle_and_guests_count_once() -> None:
    assert parse_busy(ALL) * os.sysconf("SC_CLK_TCK") == 100 + 20 + 30 + 6 + 7 + 8


def test_memory_is_told_in_bytes() -> None:
    assert parse_pss(ROLLUP) == 1500 << 10
    assert parse_pss(ROLLUP, "Pss_Anon") == 1000 << 10


def test_children_count_as_part_of_their_parent() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert {os.getpid(), child.pid} <= set(tree(os.getpid()))
        assert set(tree(child.pid)) == {child.pid}
        assert cpu_seconds(os.getpid()) > 0
        assert pss_megabytes(child.pid) > 1
    finally:
        child.communicate(b"\n")
    assert processes.PROC.is_dir()
