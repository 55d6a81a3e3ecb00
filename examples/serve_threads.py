"""Serve in threads, and let a new release take over without a request that fails.

    python examples/serve_threads.py           # in one terminal
    rejoinder rollback && rejoinder pull       # in another: what it installs takes over

Ends soon after the takeover, and says how many answers each release gave.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from itertools import cycle

from rejoinder import Dialogue, Holder, Store, open_current

THREADS = 4
TEXTS = ("I feel lonely", "What do you do for fun?", "I just got a new puppy!")


def ask(holder: Holder, stop: threading.Event, answers: Counter[str]) -> None:
    """Ask until told to stop; count the answers by release."""
    for text in cycle(TEXTS):
        if stop.is_set():
            return
        answers[holder.answer(Dialogue.from_lines([text])).trace.release] += 1


def main() -> None:
    """Ask in threads until another release has taken over."""
    store = Store.default()
    holder = Holder(open_current(store))
    end = holder.follow(store, every=0.2)  # swaps to whatever becomes current in the store
    stop = threading.Event()
    answers: list[Counter[str]] = [Counter() for _ in range(THREADS)]
    threads = [threading.Thread(target=ask, args=(holder, stop, counts)) for counts in answers]
    for thread in threads:
        thread.start()
    try:
        print(f"{holder.status().release} answers; install another one", flush=True)
        while holder.status().swaps == 0:
            time.sleep(0.1)
        time.sleep(1)  # let the new one answer, too
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        end()
    for release, count in sorted(sum(answers, Counter()).items()):
        print(f"{release}: {count} answers")


if __name__ == "__main__":
    main()
