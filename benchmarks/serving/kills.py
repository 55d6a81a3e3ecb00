"""Kills: SIGKILL at random moments under load; every confirmed reaction must be in the log, and the log must parse.

One home for all rounds: each server finds what the one before has left. Eight clients chat and react to every
answer. A kill leaves the kernel's cache alone: this tests the order of writing and confirming, not the disk.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from random import Random

from benchmarks.parts import Figures, Part
from benchmarks.report import table
from benchmarks.serving.bodies import chat
from benchmarks.serving.client import Connection, connect, request
from benchmarks.serving.ours import kill, start_ours
from benchmarks.serving.server import Server
from benchmarks.serving.setting import Setting, command_of
from benchmarks.serving.supplies import Supplies
from rejoinder.progress import track
from rejoinder.serving.decisions.read import Counts, Logged, read_decisions

_CLIENTS = 8
_SOONEST_S, _LATEST_S = 0.2, 1.5
_REFUSED_S = 0.05
REACTIONS = ("love", "funny", "upvote", "meaningless", "offensive", "downvote")
Confirmed = dict[str, str]


def measure(setting: Setting) -> Figures:
    """Kill as often as planned, then read the log."""
    rounds, random = int(setting.pick(50, 4)), Random(0)  # noqa: S311 (no secret)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="rejoinder-serving-") as folder:
        home = Path(folder)
        requests = cycle([request(*chat(asked)) for asked in Supplies(setting, home).talk])
        confirmed: Confirmed = {}
        for number in track(range(rounds), "kills", "round"):
            server = start_ours(setting, home)
            server.wait_ready()
            clients = [Client(server.port, random, confirmed, f"127.0.{number % 200 + 1}.{n + 1}")
                       for n in range(_CLIENTS)]  # fmt: skip
            asyncio.run(_until_killed(server, [each.chat(requests) for each in clients], random))
            for each in clients:
                counts.update(each.counts)
        return {"rounds": rounds, "counts": dict(counts), **judged(home / "decisions", confirmed)}


async def _until_killed(server: Server, clients: list[Coroutine[None, None, None]], random: Random) -> None:
    asking = [asyncio.ensure_future(client) for client in clients]
    await asyncio.sleep(random.uniform(_SOONEST_S, _LATEST_S))
    kill(server)
    await asyncio.wait(asking)


class Client:
    """Chats and reacts until the server is gone. Has an address of its own: the server limits votes by it."""

    def __init__(self, port: int, random: Random, confirmed: Confirmed, address: str) -> None:
        """Say nothing yet."""
        self.counts: Counter[str] = Counter()
        self._port, self._random, self._confirmed, self._address = port, random, confirmed, address

    async def chat(self, requests: Iterator[bytes]) -> None:
        """Chat, and react to every answer, until the server is gone."""
        with suppress(OSError):
            connection = await connect(self._port, self._address)
            while True:
                answer = await connection.ask(next(requests))
                self.counts[f"answers with {answer.status}"] += 1
                if answer.status == 200:
                    await self._react(connection, answer.completion)
                else:
                    await asyncio.sleep(_REFUSED_S)

    async def _react(self, connection: Connection, completion: str) -> None:
        reaction = self._random.choice(REACTIONS)
        self.counts["reactions sent"] += 1
        body = json.dumps({"completion_id": completion, "reaction": reaction}).encode()
        told = await connection.ask(request("/v1/reactions", body))
        if told.status == 200 and json.loads(told.body)["recorded"]:
            self._confirmed[completion] = reaction
        else:
            self.counts[f"reactions refused with {told.status}"] += 1


def judged(folder: Path, confirmed: Confirmed) -> Figures:
    """Look for what was confirmed.

    Args:
        folder: of the log.
        confirmed: reactions, by completion.

    Returns:
        How much of it is there, and what else is.
    """
    counts, kinds = Counts(), Counter[str]()
    reacted: Confirmed = {}
    answered = set[str]()
    for found in read_decisions(folder, counts):
        if isinstance(found, Logged):
            kinds[found.record["kind"]] += 1
            if found.record["kind"] == "reaction":
                reacted[found.record["completion"]] = found.record["reaction"]
            elif found.record["kind"] == "answer":
                answered.add(found.record["completion"])
    return {
        "confirmed": len(confirmed),
        "lost": sum(reacted.get(completion) != reaction for completion, reaction in confirmed.items()),
        "without_answer": sum(completion not in answered for completion in confirmed),
        "unparsable": counts.rejected,
        "torn": counts.torn,
        "files": counts.files,
        "records": dict(kinds),
    }


def report(figures: Figures) -> str:
    """What was confirmed, what of it is lost, and what the log holds."""
    rows = [
        ["kills", str(figures["rounds"])],
        *([key, str(count)] for key, count in sorted(figures["counts"].items())),
        ["reactions confirmed", str(figures["confirmed"])],
        ["**of these lost**", str(figures["lost"])],
        ["of these without their answer in the log", str(figures["without_answer"])],
        ["files of the log", str(figures["files"])],
        *([f"records: {kind}", str(count)] for kind, count in sorted(figures["records"].items())),
        ["last lines cut short by a kill", str(figures["torn"])],
        ["**lines that do not parse**", str(figures["unparsable"])],
    ]
    return table(["", ""], rows)


PART = Part("kills", "Kills", measure, report, __doc__ or "")
main = command_of(PART)

if __name__ == "__main__":
    main(prog_name="python -m benchmarks.serving.kills")
