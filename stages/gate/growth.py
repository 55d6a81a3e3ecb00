"""Growth against the champion: a share of what both have, an absolute budget for what only the candidate has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: MB by bundle and kind of file; shards count as one.
Files = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Growth:
    """How much larger a candidate is than the champion.

    Attributes:
        shares: by bundle, what the files grew by that both have, as a share of the champion's.
        before_mb: MB of these files of the champion's, by the same bundles.
        joined: MB of each file, as bundle/file, that the champion has no counterpart of.
    """

    shares: Mapping[str, float]
    before_mb: Mapping[str, float]
    joined: Mapping[str, float]

    def __str__(self) -> str:
        files = ", ".join(f"{name} {mb:.1f} MB" for name, mb in self.joined.items())
        return f"the champion has no counterpart of {files}: judged by gate.max_joined_mb alone"


def growth(candidate: Files, champion: Files) -> Growth:
    """Compare the sizes of two releases.

    Args:
        candidate: of the build.
        champion: of the release to beat.

    Returns:
        The growth. A bundle of which no file has a counterpart has no share.
    """
    shares: dict[str, float] = {}
    before_mb: dict[str, float] = {}
    joined: dict[str, float] = {}
    for kind, files in candidate.items():
        before = champion.get(kind, {})
        shared = [name for name in files if name in before]
        joined |= {f"{kind}/{name}": mb for name, mb in files.items() if name not in before}
        if old := sum(before[name] for name in shared):
            shares[kind] = sum(files[name] for name in shared) / old - 1
            before_mb[kind] = old
    return Growth(shares, before_mb, joined)
