"""A workspace: where the DAG runs, where its outputs lie, and the name of the release that they become."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from registry.mlflow.catalog import DEFAULT_NAME
from registry.publish.built import built_bundles
from rejoinder.parts import Kind
from stages.common.status import STATUS


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder that holds dvc.yaml and params.yaml.

    Attributes:
        root: the folder. Whoever registers from it works in it, too: keys, stores and a local MLflow are found from
            the working directory.
        name: of the release; `benchmark.release` in params.yaml says the same.
    """

    root: Path = Path()
    name: str = DEFAULT_NAME

    @property
    def build(self) -> Path:
        """Where the stages write, each into a folder of its name."""
        return self.root / "build"

    @property
    def bundles(self) -> dict[Kind, Path]:
        """The bundles that were built, by kind."""
        return built_bundles(self.build)

    @property
    def snapshot(self) -> Path:
        """What the data are; accepted with the release."""
        return self.build / "validate" / "snapshot.json"

    @property
    def dialogues(self) -> Path:
        """What the data became."""
        return self.build / "dialogues" / "dialogues.json"

    @property
    def measured(self) -> Path:
        """The benchmark's figures."""
        return self.build / "benchmark" / "metrics.json"

    @property
    def replies(self) -> Path:
        """The page of replies to the development set."""
        return self.build / "benchmark" / "replies.html"

    @property
    def guarded(self) -> Path:
        """The page of replies to the suites of the guard."""
        return self.build / "benchmark" / "guard.html"

    @property
    def verdict(self) -> Path:
        """The gate's verdict."""
        return self.build / "gate" / "verdict.json"

    def status(self, stage: str) -> Path:
        """What a stage last said of itself."""
        return self.root / STATUS / f"{stage}.json"
