"""Bodies: what is asked, from the dialogues of the test split, in files that the load generator reads.

`fresh`: contexts that share no turn with each other, so that only common phrases are known to the caches.
`talk`: conversations, 32 at a time, turn after turn: of each request all turns but the last two are known.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from random import Random
from typing import Any

Body = tuple[str, bytes]
CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
LANES = 32
TURNS = 4  # of a context, at most
_COLUMNS = ["split", "conversation_id", "context", "context_own"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A dialogue to be answered.

    Attributes:
        conversation: its id.
        texts: oldest first.
        own: which of them the one said who is to answer.
    """

    conversation: str
    texts: tuple[str, ...]
    own: tuple[bool, ...]

    def messages(self) -> list[dict[str, str]]:
        """The dialogue as OpenAI's interface has it."""
        roles = ("assistant" if own else "user" for own in self.own)
        return [{"role": role, "content": text} for role, text in zip(roles, self.texts, strict=True)]


def read_asked(pairs: Path) -> list[list[Asked]]:
    """Read the contexts of the test split.

    Args:
        pairs: `pairs.parquet` of the stage `dialogues`.

    Returns:
        By conversation, in order; each context but the first has one turn that the one before has not.
    """
    import polars as pl

    rows = pl.read_parquet(pairs, columns=_COLUMNS).filter(pl.col("split") == "test")
    found: dict[str, list[Asked]] = {}
    for _, conversation, texts, own in rows.iter_rows():
        found.setdefault(conversation, []).append(Asked(conversation, tuple(texts), tuple(own)))
    return list(found.values())


def fresh(conversations: Sequence[Sequence[Asked]], seed: int = 0) -> list[Asked]:
    """Take contexts that share no turn, in random order."""
    taken = [asked for conversation in conversations for asked in conversation[::TURNS]]
    Random(seed).shuffle(taken)  # noqa: S311 (no secret)
    return taken


def talk(conversations: Sequence[Sequence[Asked]], lanes: int = LANES, seed: int = 0) -> list[Asked]:
    """Take conversations, so many at a time, every second turn: what one of two says.

    They begin in the midst, each somewhere else: else all would begin with greetings, which cost less.

    Args:
        conversations: contexts, in order.
        lanes: how many go on at a time.
        seed: of their order.

    Returns:
        Contexts, the next of each conversation in turn.
    """
    random, order = Random(seed), [conversation[::2] for conversation in conversations]  # noqa: S311 (no secret)
    random.shuffle(order)
    going = [_turned(list(chain.from_iterable(order[lane::lanes])), random) for lane in range(lanes)]
    return [asked for row in zip_longest(*going) for asked in row if asked is not None]


def _turned(lane: list[Asked], random: Random) -> list[Asked]:
    place = random.randrange(len(lane)) if lane else 0
    return lane[place:] + lane[:place]


def embedding(texts: Sequence[str], **more: Any) -> Body:
    """A request for vectors."""
    return EMBEDDINGS, json.dumps({"input": list(texts), **more}).encode()


def chat(asked: Asked, **more: Any) -> Body:
    """A request to answer a dialogue."""
    return CHAT, json.dumps({"messages": asked.messages(), **more}).encode()


class Supply:
    """Requests in a file, taken one after the other, and again from the start when all are taken."""

    def __init__(self, file: Path, bodies: Sequence[Body]) -> None:
        """Write the file.

        Args:
            file: to be written.
            bodies: paths and bodies.
        """
        self.file, self.size, self.taken = file, len(bodies), 0
        file.write_bytes(b"".join(path.encode() + b"\t" + body + b"\n" for path, body in bodies))

    def take(self, count: int) -> None:
        """Note that so many were asked."""
        self.taken = (self.taken + count) % self.size


def read_bodies(file: Path, skip: int = 0) -> list[Body]:
    """Read what `Supply` wrote, beginning somewhere in the midst.

    Args:
        file: to read.
        skip: how many come last instead of first.

    Returns:
        Paths and bodies.
    """
    lines = [line.partition(b"\t") for line in file.read_bytes().splitlines()]
    bodies = [(path.decode(), body) for path, _, body in lines]
    return bodies[skip:] + bodies[:skip]
