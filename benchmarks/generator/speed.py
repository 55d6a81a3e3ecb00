"""Speed and memory: eight candidates of twenty tokens after a prompt of 75, ours beside others, in one run.

Every engine lives in a process of its own with as many threads as the others and is asked in turns; the median of
the rounds stands, the first round is left out. Replies are drawn by the bundle's sampling and never end early.
Hugging Face reads the prompt once a candidate, ours once. First candidate: one of twenty tokens. The fp32 form has
the same graph and is not shipped. Memory: what a process that has opened the release and answered takes with the
generator, less what it takes without one; PSS counts what is mapped of the bundle as well. Whole replies: everyday
turns, each new, one by one, by the release with its generator off, where retrieval is weak, and always.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.generator.setting import BASE, TUNED, Setting
from benchmarks.generator.work import CANDIDATES
from benchmarks.generator.workers import Spent, Worker
from benchmarks.parts import Figures, Part
from benchmarks.report import table
from benchmarks.serving.figures import percentile
from rejoinder.parts.generator_facts import ALWAYS, BELOW, OFF
from rejoinder.progress import track
from rejoinder.release.forms import CPU, OPENVINO

OURS, VINO, WHOLE = "int4, ONNX Runtime", "int4, OpenVINO", "fp32, ONNX Runtime (not shipped)"
FACE, HALF = "Hugging Face generate, fp32", "Hugging Face generate, bf16"
DEVELOPMENT = Path("data/development/dialogues.yaml")
_ROUNDS, _TURNS, _SEED = 7, 200, 19


def measure(setting: Setting) -> Figures:
    """Time engines in turns, then nodes one by one."""
    candidates = _candidates(setting)
    turns = everyday(setting.pairs, setting.pick(_TURNS, 6))
    return {
        "threads": setting.threads,
        "candidates": {name: {n: _spent(of) for n, of in by_n.items()} for name, by_n in candidates.items()},
        "rounds": setting.pick(_ROUNDS, 1),
        "bundle_mb": sum(path.stat().st_size for path in setting.bundle.iterdir()) / 1e6,
        "memory": _memory(setting, turns[: setting.pick(20, 2)]),
        "answers": {when: _replies(setting, when, turns) for when in (OFF, BELOW, ALWAYS)},
        "turns": len(turns),
    }


def _spent(found: Sequence[Spent]) -> dict[str, float]:
    return {"wall": median(one.wall for one in found), "cpu": median(one.cpu for one in found)}


def _candidates(setting: Setting) -> dict[str, dict[str, list[Spent]]]:
    numbers = (CANDIDATES, 1)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        found: dict[str, dict[str, list[Spent]]] = {}
        workers = {}
        for name, kind, words in _engines(setting, Path(folder)):
            workers[name] = stack.enter_context(Worker(kind, words, setting.threads))
            found[name] = {str(n): [] for n in numbers}
            for n in numbers:
                workers[name].work(n=n)  # the first is never like the others
        for _ in track(range(setting.pick(_ROUNDS, 1)), "speed: engines in turns", "round"):
            for name, worker in workers.items():
                for n in numbers:
                    found[name][str(n)].append(worker.timed(n=n))
    return found


def _engines(setting: Setting, folder: Path) -> Iterator[tuple[str, str, list[str]]]:
    bundle, models = str(setting.bundle), setting.models()
    yield OURS, "ours", [bundle, CPU]
    yield VINO, "ours", [bundle, OPENVINO]
    if (model := models.get(TUNED, models.get(BASE))) is None:
        return
    yield FACE, "hugging_face", [bundle, str(model), "float32"]
    yield HALF, "hugging_face", [bundle, str(model), "bfloat16"]
    with_fp32(setting.bundle, model, folder)
    yield WHOLE, "ours", [str(folder), CPU, "fp32"]


def with_fp32(bundle: Path, model: Path, folder: Path) -> None:
    """Copy a bundle, and lay the graph in fp32 beside it.

    Args:
        bundle: of the generator.
        model: Hugging Face folder of a model of the same shape.
        folder: an empty directory.
    """
    import numpy as np
    import torch
    from transformers import AutoModelForCausalLM

    from rejoinder.parts.generator_facts import CHOICES, graph_file
    from stages.generator.graph import FP32, write_graph

    for path in bundle.iterdir():
        shutil.copyfile(path, folder / path.name)  # a bundle may hold no links
    choices = torch.from_numpy(np.load(bundle / CHOICES).astype(np.int64))
    opened = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    write_graph(folder / graph_file(FP32), opened, choices, FP32)


def everyday(pairs: Path, number: int) -> list[str]:
    """Turns to be answered, each once: the development set's, then such as open test dialogues.

    Args:
        pairs: pairs.parquet.
        number: how many.

    Returns:
        Different turns.
    """
    from benchmarks.judge import opening_turns
    from stages.benchmark.replies import read_development

    written = [dialogue.texts[0] for dialogue in read_development(DEVELOPMENT) if len(dialogue.texts) == 1]
    return list(dict.fromkeys([*written, *opening_turns(pairs, number, _SEED)]))[:number]


def _memory(setting: Setting, turns: Sequence[str]) -> dict[str, dict[str, float]]:
    found = {}
    for name, bundle in (("without", ""), ("with", str(setting.bundle))):
        words = [str(setting.store.root), bundle]
        for _ in range(2):  # the first finds out what runs the model fastest here
            with Worker("node", words, setting.threads) as worker:
                opened = worker.ready["after"]
                for turn in turns:
                    after = worker.work(turns=[turn], when=ALWAYS)
        found[name] = {
            f"{when} {key}": of[key] for when, of in (("open", opened), ("asked", after)) for key in _KEYS
        }
    return found


_KEYS = {"pss": "PSS", "rss": "RSS", "in_no_file": "PSS in no file"}


def _replies(setting: Setting, when: str, turns: Sequence[str]) -> dict[str, float]:
    with Worker("node", [str(setting.store.root), str(setting.bundle)], setting.threads) as worker:
        worker.work(turns=["hello there"], when=when)
        spent = [worker.work(turns=[turn], when=when) for turn in track(turns, f"speed: {when}", "turn")]
    wall, made = [one["wall"] for one in spent], [one["wall"] for one in spent if one["is_asked"]]
    return {
        "generated": len(made) / len(spent),
        "said": sum(one["is_said"] for one in spent) / len(spent),
        "generated_p95": percentile(made, 0.95) if made else None,
        "p50": percentile(wall, 0.5),
        "p95": percentile(wall, 0.95),
        "worst": max(wall),
        "cpu": median(one["cpu"] for one in spent),
    }


def report(figures: Mapping[str, Any]) -> str:
    """Candidates, memory and whole replies."""
    many, one = str(CANDIDATES), "1"
    ours = figures["candidates"][OURS][many]
    rows = []
    for name, of in figures["candidates"].items():
        times = [f"{of[many][key] / ours[key]:.2f}" for key in ("wall", "cpu")]
        rows.append([name, *(f"{of[n][key]:.3f}" for n in (many, one) for key in ("wall", "cpu")), *times])
    head = [f"{many} candidates, s", "CPU-s", "first candidate, s", "CPU-s", "in multiples of ours", "of its CPU"]
    memory = figures["memory"]
    taken = [
        [f"{title}, {said}", *(f"{value:.0f}" for value in (*both, both[1] - both[0]))]
        for when, said in (("open", "once open"), ("asked", "after answers"))
        for key, title in _KEYS.items()
        for both in [[memory[name][f"{when} {key}"] for name in ("without", "with")]]
    ]
    replies = [
        [
            when,
            *(
                f"{1000 * of[key]:.0f}" if of[key] else "-"
                for key in ("p50", "p95", "generated_p95", "worst", "cpu")
            ),
            *(f"{of[key]:.0%}" for key in ("generated", "said")),
        ]
        for when, of in figures["answers"].items()
    ]
    spent = ["ms, median", "95 of 100 below", "of those it was asked for", "worst", "CPU-ms, median"]
    return "\n".join(
        [
            f"{figures['threads']} threads, {figures['rounds']} rounds.\n",
            table(["", *head], rows),
            f"The bundle holds {figures['bundle_mb']:.1f} MB.\n",
            table(["MB", "without generator", "with", "added"], taken),
            f"{figures['turns']} everyday turns, whole replies:\n",
            table(["when", *spent, "turns it was asked for", "it is said in"], replies),
        ]
    )


PART = Part("speed", "Speed and memory", measure, report, __doc__ or "")
