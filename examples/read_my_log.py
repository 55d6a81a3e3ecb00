"""Read a log format of one's own: turn it into native logs (docs/data-format.md), and `dvc repro` reads them.

    python examples/read_my_log.py ~/.weechat/logs data/logs/irc.jsonl

As an example serve WeeChat's logs: lines of date, nick and text between tabs. For another format change `messages`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

NOTICES = {"-->", "<--", "--", "=!=", " *"}  # joins, parts, the network, actions: in the nick's place
PAUSE = timedelta(hours=1)  # a channel never ends: after so long a silence a new conversation begins


def messages(path: Path, number: int) -> Iterator[dict[str, str]]:
    """Yield what people wrote in one file. Ids stay readable, so they are numbers, never names."""
    before, conversation = datetime.min.replace(tzinfo=UTC), 0
    for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        date, nick, said = text.split("\t", 2)
        if nick in NOTICES:
            continue
        sent = datetime.fromisoformat(date).replace(tzinfo=UTC)  # or the zone that the client ran in
        conversation += sent - before > PAUSE
        before = sent
        yield {
            "conversation_id": f"{number}-{conversation}",
            "message_id": str(line),
            "sender": nick.lstrip("@+"),  # becomes a pseudonym
            "sent_at": sent.isoformat(),
            "text": said,
        }


def main(logs: Path, out: Path) -> None:
    """Convert every file of a folder."""
    rows = [
        row for number, path in enumerate(sorted(logs.glob("*.weechatlog")), 1) for row in messages(path, number)
    ]
    out.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    print(f"{len(rows)} messages of {len({row['conversation_id'] for row in rows})} conversations; next: dvc repro")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
