"""`python -m tests.toy FOLDER`: a release with the toy part goes all the way; prints what was seen as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner

import tests.toy  # noqa: F401 - first: everything after it reads the list
from registry.cli import main as rejoinder
from registry.pull import pull
from rejoinder.errors import BundleError
from rejoinder.manifest import read_manifest
from rejoinder.memory import estimate
from rejoinder.parts.opened import open_release
from rejoinder.store import Store, open_current
from tests.bundles import build_bundles, pin, put_in_store
from tests.faults.flips import byte_flips, truncations
from tests.registry.artifacts import ship
from tests.toy.numbers import write_numbers


def release_with_numbers(root: Path, numbers: list[float], seed: int = 0) -> dict[str, Path]:
    """The bundles of the tests, and the toy's."""
    bundles = build_bundles(root, seed)
    write_numbers(root / "head", numbers, read_manifest(bundles["model"]).vectorizer_id)
    return {**bundles, "head": root / "head"}


def refusal(bundles: dict[str, Path]) -> str:
    """How these bundles are refused, validly signed."""
    try:
        open_release(pin(bundles)).close()
    except BundleError as error:
        return f"{type(error).__name__}: {error.problems[0].where}"
    return "opened"


def main(root: Path) -> dict[str, Any]:
    """Publish, sign, pull, open, refuse, damage and show."""
    seen: dict[str, Any] = {}
    released = ship(release_with_numbers(root / "first", [1, 2]), "toy")
    node = Store(root / "node")
    pulled = pull(node, "toy").release
    seen["the same release"] = pulled == released
    seen["format"] = json.loads(released.to_bytes())["format"]
    seen["opened"] = open_current(node).parts["head"]
    seen["memory"] = estimate(node.current())
    shown = CliRunner().invoke(rejoinder, ["show", "--store", str(node.root), "--name", "toy", "--json"])
    seen["shown"] = json.loads(shown.stdout)["release"]["bundles"]["head"] == released.bundles["head"]
    proved = CliRunner().invoke(rejoinder, ["verify", "--store", str(node.root)])
    seen["verified"] = proved.stdout.count("OK")
    bom = json.loads((node.release_dir(released.digest) / "bom.json").read_text())
    seen["listed"] = [c["description"] for c in bom["components"] if c["bom-ref"] == "bundle/head"]

    other = release_with_numbers(root / "other", [1, 2], seed=1)
    mine = release_with_numbers(root / "mine", [1, 2])
    seen["another vectorizer"] = refusal({**mine, "head": other["head"]})
    seen["other numbers"] = refusal(release_with_numbers(root / "wrong", [1, 3]))
    (mine["head"] / "more.json").write_text("1")
    seen["a file more"] = refusal(mine)

    store = Store(root / "store")
    put_in_store(store, pin(release_with_numbers(root / "damaged", [1, 2])))
    outcomes = [byte_flips(root, 60, store), truncations(root, 40, store)]
    seen["damaged"] = [[outcome.tries, outcome.survived, outcome.note] for outcome in outcomes]
    return seen


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))  # noqa: T201 - the report is the program's output
