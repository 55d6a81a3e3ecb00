"""`python -m stages.evaluation.open_cost RELEASE TRUST MODEL CACHE INDEX`: what opening costs, by itself."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rejoinder.process import configure_process

if TYPE_CHECKING:
    from rejoinder.manifest import Kind


def peak_mb() -> float:
    """Peak resident memory of this process so far, in MB.

    Not `getrusage`: its peak is inherited from the process that started this one.
    """
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1e3  # type: ignore[index]


def main(folder: str, trust: str, *directories: str) -> None:
    """Measure and print one JSON object.

    Args:
        folder: of the release, signed.
        trust: believes its key.
        *directories: of model, cache and index.
    """
    configure_process()  # before these are imported
    from rejoinder.bundle import open_release
    from rejoinder.cache import PhraseCache
    from rejoinder.dialogue import Dialogue
    from rejoinder.index import ReplyIndex
    from rejoinder.manifest import KINDS, digest_file, read_manifest
    from rejoinder.proof import Installed
    from rejoinder.release import RELEASE, read_release
    from rejoinder.responder import Responder
    from rejoinder.trust import Trust

    bundles: dict[Kind, Path] = dict(zip(KINDS, map(Path, directories), strict=True))
    release = read_release(Path(folder) / RELEASE, digest_file(Path(folder) / RELEASE))
    before = peak_mb()
    PhraseCache(bundles["cache"])
    ReplyIndex(bundles["index"], read_manifest(bundles["index"]))
    mapped = peak_mb()
    cpu, wall = time.process_time(), time.perf_counter()
    opened = open_release(Installed(release, Path(folder), bundles), trust=Trust(Path(trust)))
    spent = {"open_cpu_s": time.process_time() - cpu, "open_wall_s": time.perf_counter() - wall}
    cpu = time.process_time()
    Responder(opened).answer(Dialogue.from_lines(["how was your day?"]))
    spent |= {"first_answer_cpu_s": time.process_time() - cpu, "process_cpu_s": time.process_time()}
    report = {"imports_mb": before, "cache_and_index_mb": mapped - before, "peak_mb": peak_mb(), **spent}
    print(json.dumps(report))  # noqa: T201 - the report is the program's output


if __name__ == "__main__":
    main(*sys.argv[1:])
