"""`python -m flows.demo`: the DAG and all that follows, on a slice of the packaged data, within minutes.

Everything that it reads and makes lies in a folder of its own, so that it touches neither the checkout's build and
releases nor its keys. The code in that folder is the checkout's, by links.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import yaml

from flows.progress import pace
from flows.report import program
from flows.repro import make
from flows.small_build import write_if_other, write_params, write_slice
from flows.workspace import Workspace
from rejoinder import home

FOLDER = Path("build/demo")
CONVERSATIONS = 150

_CHANGES = Path(__file__).with_name("demo_params.yaml")
#: A cache of its own, whatever the person's own settings say.
_DVC_CONFIG = """[core]
    no_scm = true
    analytics = false
    check_update = false
[cache]
    dir = cache
"""
#: Data that the demo makes for itself.
_MADE = {Path("data/logs"), Path("data/erase")}
#: Variables of a person's environment that point at their releases, keys and servers.
_PRIVATE = ("REJOINDER_", "MLFLOW_")


def prepare(folder: Path, checkout: Path) -> Workspace:
    """Make, or mend, the folder that the demo runs in.

    Args:
        folder: may hold an earlier demo, even half of one.
        checkout: holds dvc.yaml, params.yaml and the code.

    Returns:
        The workspace.
    """
    # First: it tells the checkout's own dvc that the rest is none of its business.
    write_if_other(folder / ".dvc" / "config", _DVC_CONFIG)
    _forget_if_moved(folder)
    changes = yaml.safe_load(_CHANGES.read_text(encoding="utf-8"))
    write_params(folder / "params.yaml", checkout / "params.yaml", changes)
    write_slice(folder / "data" / "logs" / "slice.jsonl", CONVERSATIONS)
    write_if_other(folder / "data" / "erase" / "README.md", "Nobody is erased from the demo.\n")
    for name in ("dvc.yaml", ".dvcignore", *_code(checkout / "dvc.yaml")):
        _link(folder / name, checkout / name)
    _link(folder / ".dvc" / "plots", checkout / ".dvc" / "plots")  # templates of the pictures
    return Workspace(folder, changes["benchmark"]["release"])


def _forget_if_moved(folder: Path) -> None:
    """Remove a moved demo's registry, which holds absolute addresses, and what believes it; what is built stays."""
    place, here = folder / "place", f"{folder.resolve()}\n"
    if place.is_file() and place.read_text(encoding="utf-8") != here:
        for path in (*folder.glob("mlflow.db*"), folder / "mlartifacts", folder / home.DEFAULT):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    write_if_other(place, here)


def _code(dag: Path) -> list[str]:
    """What of the checkout the stages depend on: code, and data that are the product's own."""
    stages = yaml.safe_load(dag.read_text(encoding="utf-8"))["stages"].values()
    deps = {Path(dep) for stage in stages for dep in stage["deps"]} - _MADE
    named = {dep.as_posix() if dep.parts[0] == "data" else dep.parts[0] for dep in deps}
    return sorted(named - {"build"})


def _link(link: Path, target: Path) -> None:
    relative = Path(os.path.relpath(target, link.parent))  # so that the checkout may be moved
    if link.is_symlink() and link.readlink() == relative:
        return
    link.unlink(missing_ok=True)
    link.symlink_to(relative)


def forget_private_settings() -> None:
    """Take out of this process's environment what belongs to the person's own releases."""
    for name in [name for name in os.environ if name.startswith(_PRIVATE)]:
        del os.environ[name]


def main() -> None:
    """Entry point.

    Raises:
        SystemExit: with one message, if a step fails.
    """
    if not Path("dvc.yaml").is_file():
        sys.exit(f"make demo: expected dvc.yaml in the working directory, got none. Next: cd {_CHANGES.parents[1]}")
    rejoinder = f"REJOINDER_HOME={FOLDER / home.DEFAULT} {program('rejoinder')}"
    following = (f'{rejoinder} ask "I feel lonely" --trace', f"{rejoinder} serve", "make repro")
    workspace = prepare(FOLDER, Path())
    forget_private_settings()
    os.chdir(workspace.root)
    make(Workspace(name=workspace.name), "demo", pace("demo"), following)


if __name__ == "__main__":
    main()
