"""An MLflow server in memory: what `registry` asks of `mlflow.MlflowClient`, a thousand times faster than sqlite.

It outlives the process that uses it: every change is one step of that process's power, done or not done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from faults.power import Power


class Page(list[Any]):
    """One page holds everything."""

    token = None


@dataclass
class Model:
    """A registered model."""

    tags: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    versions: list[Any] = field(default_factory=list)


@dataclass
class MemoryClient:
    """The calls of `MlflowClient` that `registry` makes.

    Attributes:
        power: of the process that calls.
        models: by name.
        runs: bytes by file name, by run.
    """

    power: Power
    models: dict[str, Model] = field(default_factory=dict)
    runs: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def create_registered_model(self, name: str) -> None:
        from mlflow.exceptions import MlflowException
        from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS

        if name in self.models:
            raise MlflowException("exists", error_code=RESOURCE_ALREADY_EXISTS)
        self.power.step()
        self.models[name] = Model()

    def get_registered_model(self, name: str) -> Model:
        from mlflow.exceptions import MlflowException
        from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST

        if name not in self.models:
            raise MlflowException("none", error_code=RESOURCE_DOES_NOT_EXIST)
        return self.models[name]

    def search_registered_models(self, wanted: str, max_results: int) -> list[Model]:
        name = wanted.removeprefix("name='").removesuffix("'")
        return [self.models[name]] if name in self.models else []

    def set_registered_model_tag(self, name: str, key: str, value: str) -> None:
        self.power.step()
        self.models[name].tags[key] = value

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        self.power.step()
        self.models[name].aliases[alias] = version

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        self.power.step()
        self.models[name].aliases.pop(alias, None)

    def search_model_versions(self, wanted: str, max_results: int, page_token: str | None) -> Page:
        name = wanted.removeprefix("name='").removesuffix("'")
        return Page(self.models[name].versions if name in self.models else ())

    def create_model_version(self, name: str, source: str, run_id: str, tags: Mapping[str, str]) -> Any:
        held = self.get_registered_model(name).versions
        self.power.step()
        made = SimpleNamespace(name=name, version=str(len(held) + 1), run_id=run_id, tags=dict(tags), source=source)
        held.append(made)
        return made

    def set_model_version_tag(self, name: str, version: str, key: str, value: str) -> None:
        self.power.step()
        self.models[name].versions[int(version) - 1].tags[key] = value

    def get_experiment_by_name(self, name: str) -> Any:
        return SimpleNamespace(experiment_id=name)

    def create_run(self, experiment_id: str, run_name: str, tags: Mapping[str, str]) -> Any:
        self.power.step()
        run_id = f"run{len(self.runs)}"
        self.runs[run_id] = {}
        return SimpleNamespace(info=SimpleNamespace(run_id=run_id, artifact_uri=f"memory:/{run_id}"))

    def log_artifact(self, run_id: str, path: str, folder: str) -> None:
        data = Path(path).read_bytes()
        held, name = self.runs[run_id], Path(path).name
        self.power.step(lambda: held.update({name: data[: len(data) // 2]}))
        held[name] = data

    def log_metric(self, run_id: str, key: str, value: float) -> None:
        self.power.step()

    def set_terminated(self, run_id: str, status: str) -> None:
        self.power.step()

    def list_artifacts(self, artifact_uri: str, tracking_uri: str) -> list[Any]:
        """In the place of `mlflow.artifacts.list_artifacts`."""
        run_id, _ = artifact_uri.removeprefix("memory:/").split("/")
        held = self.runs[run_id].items()
        return [SimpleNamespace(path=name, file_size=len(data)) for name, data in held]

    def download_artifacts(self, artifact_uri: str, dst_path: str, tracking_uri: str) -> str:
        """In the place of `mlflow.artifacts.download_artifacts`."""
        run_id, _, file = artifact_uri.removeprefix("memory:/").split("/")
        path = Path(dst_path) / file
        path.write_bytes(self.runs[run_id][file])
        return str(path)
