"""`python -m flows.refresh`: new logs -> new heads and a new index on the champion's encoder, in minutes.

Encoder, phrase cache, generator and their proof stay the champion's, byte for byte. What the new heads gain on
new talk, and lose on those of before, is printed beside the release.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from rich.console import Console

from flows.dag import changes
from flows.errors import FlowError
from flows.progress import pace
from flows.report import program
from flows.repro import make
from flows.slices import Before, compare
from flows.workspace import Workspace
from registry.pull.champion import Champion, open_champion
from rejoinder.errors import RejoinderError
from rejoinder.parts import GENERATOR, PHRASES, VECTORIZER
from rejoinder.parts.opened import OpenRelease, open_current
from rejoinder.release.manifest import read_manifest
from rejoinder.store.store import Store

#: Stages whose outputs are the champion's.
KEPT = ("vectorizer", "student", "export", "cache", "generator")
_BEFORE_TRAINING = ("ingest", "anonymize", "validate", "dialogues")
_LOGS = "data/logs"
_NEXT = "Next: make repro, which trains everything anew"


def check(workspace: Workspace) -> OpenRelease:
    """Open the champion, and refuse to build on anything but it.

    Args:
        workspace: the working directory.

    Returns:
        The champion, open.

    Raises:
        FlowError: if there is none, or the build is not its, or more than data has changed; says all that is so.
    """
    champion = open_champion(workspace.name)
    if champion is None or champion.opened is None:
        why = "none" if champion is None else f"one that cannot be opened here: {champion.unusable}"
        raise FlowError(f"champion of {workspace.name}: expected one to build on, got {why}. {_NEXT}")
    if champion.opened.heads is None:
        raise FlowError(f"{champion.release}: expected a release with heads, got one without. {_NEXT}")
    if problems := [*_other_bundles(workspace, champion), *_changed(changes(workspace))]:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise FlowError(
            f"expected nothing but logs to have changed since {champion.release}, got\n{listed}\n{_NEXT}"
        )
    return champion.opened


def _other_bundles(workspace: Workspace, champion: Champion) -> Iterator[str]:
    built = workspace.bundles
    for part in (VECTORIZER, PHRASES, GENERATOR):
        expected = champion.release.bundles.get(part.bundle, "nothing")
        found = read_manifest(built[part.bundle]).digest if part.bundle in built else "nothing"
        if found != expected:
            yield f"{part.name} in {workspace.build}: {found[:19]} for {expected[:19]}"


def _changed(status: dict[str, Any]) -> Iterator[str]:
    """What else than logs has changed for stages up to the dialogues, and for those that are kept.

    Among it is an erasure: who must be forgotten may be in the encoder. And how conversations are split: else what
    the encoder was trained on would become a test.
    """
    for stage in (*_BEFORE_TRAINING, *KEPT):
        for change in status.get(stage, []):
            found = change.items() if isinstance(change, dict) else [(change, {})]
            for what, paths in found:
                if what == "changed outs" and stage not in KEPT:
                    continue  # made anew in any case
                named = [path for path in paths if path != _LOGS and not path.startswith("build/")]
                named += [path for path in paths if what == "changed outs"]
                if not paths:
                    yield f"{stage}: {what}"
                yield from (f"{what} of {stage}: {path}" for path in named)


def main() -> None:
    """Entry point.

    Raises:
        SystemExit: with one message, if a step fails.
    """
    workspace = Workspace()
    try:
        champion = check(workspace)
        before = Before.of(workspace)
    except RejoinderError as error:
        sys.exit(f"make refresh: {error}")
    rejoinder = program("rejoinder")
    following = (f"{rejoinder} diff previous current", f"{rejoinder} rollback")
    if make(workspace, "refresh", pace("refresh"), following, KEPT) is not None:
        try:
            table = compare(before, workspace, champion, open_current(Store.default()))
        except RejoinderError as error:
            sys.exit(f"make refresh: the release is made, and could not be compared. {error}")
        Console().print(table, highlight=False)


if __name__ == "__main__":
    main()
