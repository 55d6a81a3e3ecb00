"""`python -m flows.repro`: raw logs to a verified release and three answers, in one command.

Does nothing, and says so, if all of that is already there.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Mapping, Sequence

from rich.console import Console

from flows.progress import Lines, pace
from flows.report import program, report
from flows.train import Trained, train, trained_already
from flows.workspace import Workspace
from rejoinder.errors import RejoinderError


def make(
    workspace: Workspace,
    target: str,
    pace: Mapping[str, float],
    following: Sequence[str],
    kept: Collection[str] = (),
) -> Trained | None:
    """Bring a workspace and its release up to date, and report.

    Args:
        workspace: the working directory.
        target: of the Makefile, for messages.
        pace: seconds that each step usually takes.
        following: commands to go on with.
        kept: stages that are not run.

    Returns:
        The release and its answers; None if all of that was there already.

    Raises:
        SystemExit: with one message, if a step fails.
    """
    start = time.monotonic()
    console = Console()
    try:
        current = trained_already(workspace, kept)
        trained = train(workspace, Lines(pace), kept) if current is None else None
    except RejoinderError as error:
        sys.exit(f"make {target}: {error}")
    if trained is not None:
        console.print(report(workspace, trained, (time.monotonic() - start) / 60), highlight=False)
    else:
        nothing = f"Nothing to do: {current} holds what these data, code and parameters make."
        console.print(nothing, highlight=False, soft_wrap=True)
    console.print("\n".join(["next:", *(f"  {command}" for command in following)]), highlight=False, soft_wrap=True)
    return trained


def main() -> None:
    """Entry point."""
    rejoinder, dvc = program("rejoinder"), program("dvc")
    ask = f'{rejoinder} ask "I feel lonely" --trace'
    following = (ask, f"{rejoinder} serve", f"{dvc} plots show && {dvc} metrics show", f"{rejoinder} verify")
    make(Workspace(), "repro", pace("repro"), following)


if __name__ == "__main__":
    main()
