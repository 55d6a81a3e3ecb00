"""Names of the readers, apart from their modules, for stages that only need to tell sources from each other."""

from __future__ import annotations

from typing import Literal

ReaderName = Literal["native", "chitchat", "seinfeld", "messenger", "telegram", "discord", "whatsapp"]

#: Readers of data that packages bring: their files are not under the folder of logs.
PACKAGED: frozenset[ReaderName] = frozenset({"chitchat", "seinfeld"})

#: Readers whose conversation ids name nobody. The ids of all others hold names or account numbers of people.
OPAQUE_IDS: frozenset[ReaderName] = PACKAGED | {"native"}
