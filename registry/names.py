"""What releases are asked for by: names of aliases, and serials."""

from __future__ import annotations

CHAMPION = "champion"

PREVIOUS = "previous"

#: What to pull: the name of an alias, or a serial.
Selector = str | int
