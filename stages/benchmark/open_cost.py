"""`python -m stages.benchmark.open_cost RELEASE TRUST KIND=BUNDLE...`: what opening costs, by itself."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rejoinder.process import configure_process

if TYPE_CHECKING:
    from rejoinder.parts import Kind


def peak_mb() -> float:
    """Peak resident memory of this process so far, in MB.

    Not `getrusage`: its peak is inherited from the process that started this one.
    """
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1e3  # type: ignore[index]


def main(folder: str, trust: str, *named: str) -> None:
    """Measure and print one JSON object.

    Args:
        folder: of the release, signed.
        trust: believes its key.
        *named: `kind=directory` of each bundle.
    """
    configure_process()  # before these are imported
    from rejoinder.answer.responder import Responder
    from rejoinder.dialogue import Dialogue
    from rejoinder.parts import PHRASES, REPLIES
    from rejoinder.parts.opened import open_release
    from rejoinder.parts.phrases import PhraseCache
    from rejoinder.parts.replies import ReplyIndex
    from rejoinder.release.canonical import digest_file
    from rejoinder.release.document import RELEASE, read_release
    from rejoinder.release.manifest import read_manifest
    from rejoinder.release.proof import Installed
    from rejoinder.release.trust import Trust

    bundles: dict[Kind, Path] = {kind: Path(path) for kind, _, path in (word.partition("=") for word in named)}
    release = read_release(Path(folder) / RELEASE, digest_file(Path(folder) / RELEASE))
    before = peak_mb()
    PhraseCache(bundles[PHRASES.bundle])
    ReplyIndex(bundles[REPLIES.bundle], read_manifest(bundles[REPLIES.bundle]))
    mapped = peak_mb()
    cpu, wall = time.process_time(), time.perf_counter()
    installed = Installed(release, Path(folder), bundles, Path(folder).with_name("choices"))
    opened = open_release(installed, trust=Trust(Path(trust)))
    spent = {"open_cpu_s": time.process_time() - cpu, "open_wall_s": time.perf_counter() - wall}
    cpu = time.process_time()
    Responder(opened).answer(Dialogue.from_lines(["how was your day?"]))
    spent |= {"first_answer_cpu_s": time.process_time() - cpu, "process_cpu_s": time.process_time()}
    report = {"imports_mb": before, "cache_and_index_mb": mapped - before, "peak_mb": peak_mb(), **spent}
    print(json.dumps(report))  # noqa: T201 - the report is the program's output


if __name__ == "__main__":
    main(*sys.argv[1:])
