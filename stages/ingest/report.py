"""What a run of ingest says: one line a source, what is wrong with the sources as a whole, and the card."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.common import canaries
from stages.common.sources import OPAQUE_IDS
from stages.ingest.counts import FATES, FILE_FLOOR, Tally


def say(tallies: Mapping[str, Tally], lines: Sequence[str], table: Path) -> None:
    """Print one line a source, and what there is to say of files.

    Args:
        tallies: counts by source.
        lines: about files, from `fates.told`.
        table: of all files, by name.
    """
    for name, tally in tallies.items():
        sys.stdout.write(f"ingest: {tally.line(name)}\n")
    sys.stdout.flush()  # before what is said of files, where both go to one place
    for line in lines:
        sys.stderr.write(f"{line}\n")
    if lines:
        sys.stderr.write(f"every file by name, and what became of it: {table}\n")


def problems(tallies: Mapping[str, Tally], max_rejected_share: float) -> list[str]:
    """List what is wrong with the sources as a whole.

    Args:
        tallies: counts by source.
        max_rejected_share: largest allowed share of rejected rows, in one source or file, and of rejected files.

    Returns:
        One line a problem, never with a message's text or a person's name; empty if all is well.
    """
    found = []
    for name, tally in tallies.items():
        shares = {
            "rows": (tally.rejected_share, tally.total("rejected"), tally.rows_read),
            "files": (tally.files_rejected_share, tally.files_rejected, len(tally.rows)),
        }
        over = {what: counts for what, counts in shares.items() if counts[0] > max_rejected_share}
        reasons = json.dumps(dict(tally.rejected.most_common()))
        found += [
            f"{name}: expected at most {max_rejected_share:.2%} rejected {what}, got {share:.2%} ({bad} of {read})"
            f": {reasons}"
            for what, (share, bad, read) in over.items()
        ]
        broken = _broken_files(name, tally, max_rejected_share)
        found += broken
        if over or broken:
            found += [f"  {_shown(name, file)}:{line}: {reason}" for file, line, reason in tally.examples]
    if not any(tally.total("out") for name, tally in tallies.items() if name != canaries.SOURCE):
        found.append(f"expected at least one message from {', '.join(tallies)}, got none")
    return found


def _broken_files(source: str, tally: Tally, share: float) -> list[str]:
    files = tally.broken_files(share)
    bad, read = (sum(counts[file] for file in files) for counts in (tally.fates["rejected"], tally.rows))
    expected = f"expected at most {share:.2%} rejected rows in a file of {FILE_FLOOR} or more, but for chance"
    got = f"got more in {len(files)} of {len(tally.rows)} files ({bad:,} of {read:,} rows)"
    return [f"{source}: {expected}, {got}"] if files else []


def _shown(source: str, file: str) -> str:
    # Apps name files and folders after people.
    return file if source in OPAQUE_IDS else f"{source}/..."


def card(tallies: Mapping[str, Tally], *, erased_unmatched: int, files_unread: int) -> dict[str, Any]:
    """Compose the card: totals, and the same counts by source.

    Args:
        tallies: counts by source.
        erased_unmatched: lines of the lists of erased senders that name nobody.
        files_unread: files that no reader takes.

    Returns:
        Counts only.
    """
    return {
        "rows_read": sum(tally.rows_read for tally in tallies.values()),
        "rows_out": sum(tally.total("out") for tally in tallies.values()),
        **{fate: sum(tally.total(fate) for tally in tallies.values()) for fate in FATES[1:]},
        "erased_unmatched": erased_unmatched,
        "files_unread": files_unread,
        "sources": {name: tally.summary() for name, tally in tallies.items()},
    }
