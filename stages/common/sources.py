"""Names of the readers, apart from their modules, for stages that only need to tell sources from each other."""

from __future__ import annotations

from typing import Literal, get_args

ReaderName = Literal["native", "chitchat", "seinfeld", "messenger", "telegram", "discord", "whatsapp", "decisions"]

#: Readers of data that packages bring: their files are not under the folder of logs.
PACKAGED: frozenset[ReaderName] = frozenset({"chitchat", "seinfeld"})

#: Readers whose conversation ids name nobody. The ids of all others hold names or account numbers of people.
OPAQUE_IDS: frozenset[ReaderName] = PACKAGED | {"native", "decisions"}

#: Readers with no folder of their own: packaged, or beside the folders.
_NO_FOLDER: frozenset[ReaderName] = PACKAGED | {"native"}
#: Readers that look in the folder of their name.
FOLDERS: tuple[ReaderName, ...] = tuple(name for name in get_args(ReaderName) if name not in _NO_FOLDER)

#: Readers of conversations that branch: `<conversation>/<branch>` repeats turns of the other under their ids. In
#: `<person>-<conversation>` a digest tells what one person said.
BRANCHED: frozenset[ReaderName] = frozenset({"decisions"})
