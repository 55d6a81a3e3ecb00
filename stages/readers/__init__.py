"""Readers of raw logs, by the name that params.yaml gives them. A new format is one module and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from stages.readers import chitchat, native, seinfeld
from stages.table import Reader

ReaderName = Literal["native", "chitchat", "seinfeld"]

READERS: Mapping[ReaderName, Reader] = {
    "native": native.read,
    "chitchat": chitchat.read,
    "seinfeld": seinfeld.read,
}
