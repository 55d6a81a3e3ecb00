"""Generators: one of another release in the place of ours, and ones that lie about what they read or may say."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from faults.outcome import Outcome
from faults.sample import Tally, refused
from rejoinder.parts import GENERATOR, VECTORIZER, Kind
from rejoinder.parts.generator_facts import ALWAYS, CHOICES, EMBEDDINGS, SCALES, SPANS, graph_file
from rejoinder.parts.generator_probes import probe_file
from rejoinder.release.manifest import read_manifest
from rejoinder.release.proof import Installed
from rejoinder.release.tokenizer_file import TOKENIZER
from tests.bundles import build_whole, pin, reseal
from tests.generators import FORM, SPOKEN, build_generator, write_graph, write_tokenizer

#: Changes our generator; another release's lies beside it.
Change = Callable[[Path, Path], None]
_ENDS = len(SPOKEN) + 1  # tokens that have an output


def generators_that_lie(root: Path, tries: int = 100) -> Outcome:
    """Change a generator, make its manifest true to it and sign the release: refused, each."""
    ours, other = build_whole(root / "base"), build_whole(root / "other", 1)[GENERATOR.bundle]
    reseal(ours[GENERATOR.bundle], when=ALWAYS)  # one that is never asked is probed once somebody asks
    base = pin(ours)
    tally = Tally()
    for what, change in list(CHANGES.items())[:tries]:
        with tempfile.TemporaryDirectory(dir=root) as folder:
            bundles: dict[Kind, Path] = {
                kind: Path(shutil.copytree(path, Path(folder) / kind)) for kind, path in base.bundles.items()
            }
            change(bundles[GENERATOR.bundle], other)
            installed = Installed(base.release, base.folder, bundles) if what in UNSIGNED else pin(bundles)
            tally.add(*refused(installed, what))
    note = tally.note("tokenizer, template, choices, embeddings, weights, facts, files; most of them signed")
    return Outcome("a generator that was swapped or lies", tally.tries, tally.survived, note)


def _replaced(mine: Path, other: Path) -> None:
    shutil.rmtree(mine)
    shutil.copytree(other, mine)


def _file_of_another(name: str) -> Change:
    def change(mine: Path, other: Path) -> None:
        shutil.copyfile(other / name, mine / name)
        reseal(mine)

    return change


def _without(name: str) -> Change:
    def change(mine: Path, other: Path) -> None:
        del other
        (mine / name).unlink()
        reseal(mine)

    return change


def _facts(**facts: Any) -> Change:
    def change(mine: Path, other: Path) -> None:
        del other
        reseal(mine, **facts)

    return change


def _array(name: str, made: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]) -> Change:
    def change(mine: Path, other: Path) -> None:
        del other
        np.save(mine / name, made(np.load(mine / name)))
        reseal(mine)

    return change


def _other_tokenizer(mine: Path, other: Path) -> None:
    """The same words under other numbers."""
    del other
    write_tokenizer(mine / TOKENIZER, sorted(SPOKEN)[::-1])
    reseal(mine)


def _more_words(mine: Path, other: Path) -> None:
    del other
    write_tokenizer(mine / TOKENIZER, [*sorted(SPOKEN), "more"])
    reseal(mine)


def _other_outputs(mine: Path, other: Path) -> None:
    """A graph with an output more than there are tokens to say."""
    del other
    write_graph(mine / graph_file(FORM), _ENDS + 1, 0)
    reseal(mine)


def _other_names(mine: Path, other: Path) -> None:
    del other
    write_graph(mine / graph_file(FORM), _ENDS, 0, known="remembered")
    reseal(mine)


def _for_another_vectorizer(mine: Path, other: Path) -> None:
    """Whole and true, but made for the other release."""
    shutil.rmtree(mine)
    build_generator(mine, read_manifest(other.parent / VECTORIZER.bundle).vectorizer_id)


def _moved(ids: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """As many tokens as before, one of them another: what the graph takes for the one is said as the other."""
    free = sorted(set(range(int(ids.max()) + 1)) - set(ids.tolist()))
    return np.array(sorted([*ids.tolist()[1:], free[-1]]), ids.dtype)


_TEMPLATE = {"opening": "", "user": ["<b> ", " <e>"], "bot": ["<u> ", " <e>"]}
_SAMPLING = {"n": -1, "max_tokens": 8, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "repetition_penalty": 1.0}
#: What changes nothing that is pinned; everything else is signed anew.
UNSIGNED = ("of another release, in its folder", "a file less, in its folder")
CHANGES: dict[str, Change] = {
    "of another release, in its folder": _replaced,
    "a file less, in its folder": lambda mine, _: (mine / SPANS).unlink(),
    "of another release": _replaced,
    "made for another vectorizer": _for_another_vectorizer,
    "another tokenizer": _other_tokenizer,
    "a tokenizer of more words": _more_words,
    "another template": _facts(template=_TEMPLATE),
    "no template": _facts(template={}),
    "a template that never ends": _facts(template={"opening": "", "user": ["<u> ", ""], "bot": ["<b> ", ""]}),
    "other choices": _array(CHOICES, _moved),
    "choices beyond the vocabulary": _array(CHOICES, lambda ids: ids + 1000),
    "choices in another order": _array(CHOICES, lambda ids: ids[::-1].copy()),
    "fewer choices": _array(CHOICES, lambda ids: ids[1:].copy()),
    "embeddings of another": _file_of_another(EMBEDDINGS),
    "embeddings in another order": _array(EMBEDDINGS, lambda rows: rows[::-1].copy()),
    "fewer embeddings": _array(EMBEDDINGS, lambda rows: rows[1:].copy()),
    "scales twice as large": _array(SCALES, lambda scales: scales * 2),
    "weights of another": _file_of_another(graph_file(FORM)),
    "probes of another": _file_of_another(probe_file(FORM)),
    "an output more": _other_outputs,
    "other names of inputs": _other_names,
    "no public spans": _without(SPANS),
    "no probes": _without(probe_file(FORM)),
    "no graph": _without(graph_file(FORM)),
    "fewer candidates than none": _facts(sampling={**_SAMPLING, "stop": []}),
    "asked at another time": _facts(when="sometimes"),
    "a window of nothing": _facts(window=0),
    "words for kin that are none": _facts(kin=[1]),
    "another number of layers": _facts(layers=3),
    "run by nothing": _facts(executions=[]),
    "a form that is not there": _facts(executions=[{"form": "fp8", "provider": "openvino", "tolerance": 1.0}]),
}
FAULTS = (generators_that_lie,)
