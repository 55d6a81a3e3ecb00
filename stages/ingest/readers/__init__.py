"""Readers of raw logs, by the name that params.yaml gives them. A new format is one module and one line here."""

from __future__ import annotations

from collections.abc import Mapping

from stages.common.messages import Reader
from stages.common.sources import ReaderName
from stages.ingest.readers import chitchat, decisions, discord, messenger, native, seinfeld, telegram, whatsapp

READERS: Mapping[ReaderName, Reader] = {
    "native": native.read,
    "chitchat": chitchat.read,
    "seinfeld": seinfeld.read,
    "messenger": messenger.read,
    "telegram": telegram.read,
    "discord": discord.read,
    "whatsapp": whatsapp.read,
    "decisions": decisions.read,
}
