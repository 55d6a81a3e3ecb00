"""What MLflow holds, one line a release."""

from __future__ import annotations

from registry.errors import NotFoundError
from registry.mlflow.catalog import ALIASES, read_catalog
from registry.mlflow.client import Version
from registry.mlflow.connection import connect
from registry.mlflow.uri import redacted_uri
from registry.names import CHAMPION
from rejoinder.cli import short


def list_remote(name: str) -> list[str]:
    """The releases in MLflow, as their tags describe them; nothing is fetched or verified.

    Args:
        name: of the release.

    Returns:
        One line a release, highest serial first.

    Raises:
        NotFoundError: if there is none.
        TrackingError: if MLflow fails.
    """
    known = read_catalog(connect(), name)
    if not known.releases:
        raise NotFoundError(f"release {name}: none in MLflow at {redacted_uri()}. Next: rejoinder register")
    names = {v.number: [alias for alias in ALIASES if known.aliases.get(alias) == v] for v in known.releases}
    return [_line(version, names[version.number]) for version in known.releases]


def _line(version: Version, aliases: list[str]) -> str:
    tags, mark = version.tags, "*" if CHAMPION in aliases else " "
    digests = [short(tags.get(key, "")) for key in ("digest", "vectorizer_id", "content")]
    text = f"{mark} {version.name} #{tags['serial']} ({digests[0]})  vectorizer {digests[1]}  content {digests[2]}"
    return f"{text}  {', '.join(aliases)}".rstrip()
