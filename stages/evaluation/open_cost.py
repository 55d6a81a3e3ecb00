"""`python -m stages.evaluation.open_cost MODEL CACHE INDEX`: what opening costs, in a process of its own."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

from rejoinder import __version__
from rejoinder.bundle import Installed, open_release
from rejoinder.cache import PhraseCache
from rejoinder.dialogue import Dialogue
from rejoinder.index import ReplyIndex
from rejoinder.manifest import KINDS, Digest, read_manifest
from rejoinder.release import Release
from rejoinder.responder import Responder


def unreleased(bundles: dict[str, Path]) -> Installed:
    """Treat three bundles as if they were released already, to open them as a serving node would.

    Args:
        bundles: bundle directory by kind.

    Returns:
        A release that exists in memory only.
    """
    manifests = {kind: read_manifest(bundles[kind]) for kind in KINDS}
    version = (__version__, f"{int(__version__.split('.')[0]) + 1}.0")
    release = Release(
        "unreleased", 1, "1970-01-01T00:00:00Z", manifests["model"].vectorizer_id,
        {kind: manifest.digest for kind, manifest in manifests.items()}, version, Digest("sha256:" + "0" * 64),
    )  # fmt: skip
    return Installed(release, {kind: bundles[kind] for kind in KINDS})


def peak_mb() -> float:
    """Peak resident memory of this process so far, in MB.

    Not `getrusage`: its peak is inherited from the process that started this one.
    """
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1e3  # type: ignore[index]


def main(model: str, cache: str, index: str) -> None:
    """Measure and print one JSON object.

    Args:
        model: model bundle.
        cache: cache bundle.
        index: index bundle.
    """
    bundles = {"model": Path(model), "cache": Path(cache), "index": Path(index)}
    before = peak_mb()
    PhraseCache(bundles["cache"])
    ReplyIndex(bundles["index"], read_manifest(bundles["index"]))
    mapped = peak_mb()
    cpu, wall = time.process_time(), time.perf_counter()
    opened = open_release(unreleased(bundles))
    spent = {"open_cpu_s": time.process_time() - cpu, "open_wall_s": time.perf_counter() - wall}
    cpu = time.process_time()
    Responder(opened).answer(Dialogue.from_lines(["how was your day?"]))
    spent |= {"first_answer_cpu_s": time.process_time() - cpu, "process_cpu_s": time.process_time()}
    report = {"imports_mb": before, "cache_and_index_mb": mapped - before, "peak_mb": peak_mb(), **spent}
    print(json.dumps(report))  # noqa: T201 - the report is the program's output


if __name__ == "__main__":
    main(*sys.argv[1:])
