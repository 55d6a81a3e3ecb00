"""An MLflow server as a source: two calls find a release, one finds a bundle, and files come one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from registry.address import shown_uri
from registry.errors import NotFoundError, TrackingError
from registry.http import PATIENT, Endpoint, Patience, in_shape, place_of
from registry.source import Pointer, Which
from rejoinder.manifest import Digest, is_digest
from rejoinder.parts import Kind


class ServerSource:
    """Pulls from an MLflow server that also serves the artifacts (`--artifacts-destination`)."""

    def __init__(self, uri: str, patience: Patience = PATIENT) -> None:
        """Name the server; user and password come from MLflow's own environment variables.

        Args:
            uri: of the server.
            patience: how long to put up with it.
        """
        self._server = Endpoint(uri, patience)

    def resolve(self, name: str, which: Which) -> Pointer:
        """Find a release."""
        with in_shape():
            if isinstance(which, str):
                version = self._server.call("registered-models/alias", name=name, alias=which).get("model_version")
            else:
                version = self._search(name, serial=str(which))
            digest = _tags(version).get("digest", "") if version else ""
            if not version or not is_digest(digest):
                wanted = which if isinstance(which, str) else f"#{which}"
                raise NotFoundError(
                    f"release {name} {wanted}: not in MLflow at {shown_uri()}. Next: rejoinder promote"
                )
            return Pointer(Digest(digest), self._place(version))

    def bundle(self, name: str, kind: Kind, digest: Digest) -> str:
        """Find a bundle."""
        with in_shape():
            version = self._search(f"{name}-{kind}", digest=digest)
            if not version:
                raise NotFoundError(
                    f"{kind} bundle {digest}: not in MLflow at {shown_uri()}. Next: register the release again"
                )
            return self._place(version)

    def fetch(self, place: str, file: str, target: Path, size: int | None = None) -> None:
        """Fetch one file; goes on from what an earlier try has left, where the server can."""
        self._server.fetch(place, file, target, size)

    def _search(self, model: str, **tag: str) -> dict[str, Any] | None:
        """The newest version of a model with a tag."""
        ((key, value),) = tag.items()
        text = f"name='{model}' and tags.`{key}`='{value}'"
        found = self._server.call("model-versions/search", filter=text, max_results="200")
        versions = [v for v in found.get("model_versions", []) if _tags(v).get(key) == value]
        return max(versions, key=lambda version: int(version["version"]), default=None)

    def _place(self, version: dict[str, Any]) -> str:
        if place := place_of(str(version.get("source", ""))):
            return place
        query = {"name": version["name"], "version": version["version"]}
        found = self._server.call("model-versions/get-download-uri", **query).get("artifact_uri", "")
        if place := place_of(str(found)):
            return place
        raise TrackingError(
            f"{version['name']} version {version['version']}: expected files behind the MLflow server, got an "
            f"address of scheme {str(found).partition(':')[0]!r}. Next: start the server with "
            "--artifacts-destination, then register again"
        )


def _tags(version: dict[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in version.get("tags", [])}
