"""Every file under the folder of logs, and why it is not read if no reader takes it."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from stages.ingest.readers import native
from stages.ingest.readers.exports import ARCHIVES, shown

#: The place of files beside the folders of the apps, which the native reader looks through.
BESIDE = "logs"

#: Files that nobody expects to be read, and those that nobody asked for: counted, not told one by one.
MEDIA, MEANT, NOT_ASKED = "media", "hidden, or a README", "its reader is not in ingest.readers"

_PICTURES = frozenset({".jpg", ".jpeg", ".png", ".gif", ".webp", ".heic", ".bmp", ".svg", ".ico", ".tgs"})
_OTHERS = frozenset({".mp4", ".mov", ".3gp", ".avi", ".mkv", ".webm", ".pdf", ".vcf", ".css", ".js"})
_SOUNDS = frozenset({".mp3", ".m4a", ".aac", ".ogg", ".oga", ".opus", ".wav", ".amr"})
_MEDIA = _PICTURES | _OTHERS | _SOUNDS
_HTML = frozenset({".html", ".htm"})

#: Endings that may be shown; any other may be the second half of a name.
ENDINGS = _MEDIA | _HTML | ARCHIVES | {".json", ".jsonl", ".txt", ".csv", ".md", ".xml", ".db", ".log"}

#: Names that the apps give to exports, and where such a file belongs.
_BELONGS = {
    "messenger": re.compile(r"message_\d+.*\.json", re.IGNORECASE),
    "telegram": re.compile(r"result.*\.json", re.IGNORECASE),
    "discord": re.compile(r".*\[\d+\].*\.json", re.IGNORECASE),
    "whatsapp": re.compile(r"(.*whatsapp.*|_chat.*)\.txt", re.IGNORECASE),
}


@dataclass(frozen=True, slots=True)
class File:
    """A file or link under the folder of logs, and why it was not read, should no reader have taken it."""

    place: str
    #: Below the folder of logs.
    name: str
    why: str


def list_files(logs: Path, apps: Collection[str], readers: Collection[str]) -> list[File]:
    """List every file and link.

    Args:
        logs: the folder of logs.
        apps: names of the folders of apps.
        readers: those that were chosen.

    Returns:
        All of them, by place and name. Links are not followed; a folder that cannot be listed stands for its files.
    """
    found = []
    for path, problem in _walk(logs):
        name = shown(path, logs)
        top, below, _ = name.partition("/")
        place = top if below and top in apps else BESIDE
        why = problem or _skipped(path, name) or _not_asked(path, place, readers) or _unknown(path, place)
        found.append(File(place, name, why))
    return sorted(found, key=lambda file: (file.place, file.name))


def _walk(logs: Path) -> Iterator[tuple[Path, str]]:
    failed: list[OSError] = []
    for folder, folders, files in os.walk(logs, onerror=failed.append):
        here = Path(folder)
        yield from ((here / name, "") for name in files)
        yield from ((here / name, "") for name in folders if _is_link(here / name))
    yield from ((Path(error.filename), f"folder cannot be listed: {type(error).__name__}") for error in failed)


def _skipped(path: Path, name: str) -> str | None:
    if path.name.upper().startswith("README") or any(p.startswith((".", "__MACOSX")) for p in name.split("/")):
        return MEANT
    return "link: not followed" if _is_link(path) else None


def _is_link(path: Path) -> bool:
    return os.path.islink(path)  # noqa: PTH114  (false, and no error, in a folder that cannot be entered)


def _not_asked(path: Path, place: str, readers: Collection[str]) -> str | None:
    asked = place in readers if place != BESIDE else "native" in readers or not native.takes(path)
    return None if asked else NOT_ASKED


def _unknown(path: Path, place: str) -> str:
    ending = path.suffix.lower()
    if place != BESIDE and (ending in _MEDIA or path.parent.name.endswith("_Files")):
        return MEDIA
    if ending in ARCHIVES:
        return "archive: unpack it into the folder of its app, if it is an export"
    if ending in _HTML:
        return "HTML: export it again as JSON, if it is an export"
    if place == BESIDE and (
        app := next((app for app, form in _BELONGS.items() if form.fullmatch(path.name)), None)
    ):
        return f"looks like an export of {app}: move it into {app}/"
    return "no reader takes it"
