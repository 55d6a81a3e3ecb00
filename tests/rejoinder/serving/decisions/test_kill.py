"""Killed at any moment, a worker loses nothing that it has confirmed, and its log reads."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

from rejoinder.serving.decisions.read import Counts, Logged, Rejected, read_decisions

WORKER = """
import sys
from pathlib import Path
from rejoinder.serving.decisions.limits import Limits
from rejoinder.serving.decisions.log import DecisionLog
from rejoinder.serving.decisions.pseudonyms import Keyer
from rejoinder.serving.decisions.record import reaction_record

keyer = Keyer(b"k" * 32)
log = DecisionLog(Path(sys.argv[1]), with_text=False, limits=Limits(max_file=20_000))
for n in range(10**9):
    ids = [f"{sys.argv[2]}-{n}-{m}" for m in range(8)]
    futures = [log.append(reaction_record(i, "love", keyer), durable=True) for i in ids]
    print(*[i for i, future in zip(ids, futures) if future.result()], flush=True)
"""
ROUNDS = 15


def killed(folder: Path, life: int) -> list[str]:
    """What a worker has confirmed before it was killed."""
    worker = subprocess.Popen([sys.executable, "-c", WORKER, str(folder), str(life)], stdout=subprocess.PIPE)
    assert worker.stdout
    first = worker.stdout.readline()
    time.sleep(random.uniform(0, 0.15))
    worker.kill()
    lines = (first + worker.communicate()[0]).decode().splitlines(keepends=True)
    return [word for line in lines if line.endswith("\n") for word in line.split()]


def test_a_killed_worker_loses_no_confirmed_record_and_its_log_reads(tmp_path: Path) -> None:
    confirmed = [identity for life in range(ROUNDS) for identity in killed(tmp_path, life)]
    counts = Counts()
    found = list(read_decisions(tmp_path, counts))
    assert [line for line in found if isinstance(line, Rejected)] == []
    read = [line.record["completion"] for line in found if isinstance(line, Logged)]
    assert set(confirmed) <= set(read)
    assert len(read) == len(set(read))
    assert len(confirmed) >= ROUNDS
    assert counts.torn <= ROUNDS
