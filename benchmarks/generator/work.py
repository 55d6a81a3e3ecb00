"""`python -m benchmarks.generator.work KIND ...`: a worker; a task a line goes in, its figures come out."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rejoinder.process import configure_process, threads

if TYPE_CHECKING:
    from rejoinder.parts.generator import Generator

Task = Mapping[str, Any]
Work = Callable[[Task], object]
#: Of the prompt and of every candidate, tokens; the prompt's are the same for everybody.
PROMPT, REPLY, CANDIDATES = 75, 20, 8


def memory() -> dict[str, float]:
    """Megabytes of this process: resident, shared by its share, and of these in no file."""
    found = Path("/proc/self/smaps_rollup").read_text()
    names = {"rss": "Rss", "pss": "Pss", "in_no_file": "Pss_Anon"}
    return {key: int(re.search(rf"^{name}:\s+(\d+)", found, re.M)[1]) / 1e3 for key, name in names.items()}  # type: ignore[index]


def prompt_ids(bundle: Path) -> list[int]:
    """Tokens of a dialogue of everyday words, as many as are wanted, what opens the reply among them."""
    from rejoinder.parts.generator import open_generator
    from rejoinder.release.manifest import read_manifest

    return _prompt_of(open_generator(bundle, read_manifest(bundle)))


def _prompt_of(generator: Generator) -> list[int]:
    turns = [
        "hi! how was your weekend?",
        "pretty good, we went hiking in the hills and it only rained once",
        "nice! ",
    ]
    turns[-1] += "where did you go, and did you take the dog with you? " * 12
    ids = [*generator.prompt.context(turns, [False, True, False]), *generator.prompt.reply_header]
    return [*ids[: PROMPT - len(generator.prompt.reply_header)], *generator.prompt.reply_header]


def ours(bundle: str, provider: str, form: str = "") -> Work:
    """Our generator, made to draw replies of a fixed length from a fixed prompt.

    Args:
        bundle: of the generator.
        provider: that runs it.
        form: of the graph; by default what the bundle has for the provider.

    Returns:
        The work: draws `n` candidates.
    """
    from dataclasses import replace

    from rejoinder.parts.generator import Generator
    from rejoinder.release.manifest import read_manifest

    facts = read_manifest(Path(bundle)).facts
    execution = {**facts["executions"][0], "provider": provider}
    generator = Generator(Path(bundle), facts, {**execution, "form": form or execution["form"]})
    ids, header = _prompt_of(generator), len(generator.prompt.reply_header)
    generator.prompt = _Fixed(generator.prompt, ids[:-header])  # type: ignore[assignment]
    sampling = replace(generator.sampling, max_tokens=REPLY, stop=())
    return lambda task: generator.generate([], [], sampling=replace(sampling, n=task["n"]), seed=1, is_public=False)


class _Fixed:
    """A prompt that is always the same, and no token of which ends a reply."""

    def __init__(self, prompt: Any, ids: list[int]) -> None:
        self._prompt, self._ids, self.end = prompt, ids, -1

    def context(self, turns: object, own: object) -> list[int]:
        """The fixed tokens."""
        del turns, own
        return self._ids

    def __getattr__(self, name: str) -> Any:
        return getattr(self._prompt, name)


def hugging_face(bundle: str, folder: str, dtype: str) -> Work:
    """Hugging Face's `generate` on the same prompt, replies of the same length, drawn by the same settings.

    Args:
        bundle: of the generator; tells prompt and sampling.
        folder: of the model.
        dtype: torch's name of the numbers.

    Returns:
        The work: draws `n` candidates.
    """
    import torch

    from benchmarks.generator.torch_models import open_model
    from rejoinder.parts.sampling import Sampling
    from rejoinder.release.manifest import read_manifest

    sampling = Sampling.of(read_manifest(Path(bundle)).facts["sampling"])
    ids = torch.tensor([prompt_ids(Path(bundle))])
    model = open_model(Path(folder), threads(), dtype)
    settings = {
        "do_sample": True, "temperature": sampling.temperature or 1.0, "top_k": sampling.top_k,
        "top_p": sampling.top_p,
        "repetition_penalty": sampling.repetition_penalty, "min_new_tokens": REPLY, "max_new_tokens": REPLY,
        "pad_token_id": 0,
    }  # fmt: skip

    def work(task: Task) -> object:
        torch.manual_seed(1)
        with torch.inference_mode():
            found = model.generate(
                ids, attention_mask=torch.ones_like(ids), num_return_sequences=task["n"], **settings
            )
        if found.shape != (task["n"], PROMPT + REPLY):
            raise RuntimeError(f"expected {task['n']} replies of {REPLY} tokens, got {tuple(found.shape)}")
        return found

    return work


def node(store: str, bundle: str) -> Work:
    """A node: opens the release, with a generator or, where none is named, without, and answers.

    Args:
        store: of the installed release.
        bundle: of the generator; empty for none.

    Returns:
        The work: answers `turns`, with the generator `when`.
    """
    import contextlib

    from benchmarks.generator.switched import asked_and_said, responder
    from rejoinder.answer.responder import Responder
    from rejoinder.dialogue import Dialogue
    from rejoinder.parts import GENERATOR
    from rejoinder.store.store import Store
    from stages.benchmark.unreleased import opened_unreleased

    bundles = {k: p for k, p in Store(Path(store)).current().bundles.items() if k != GENERATOR.bundle}
    if bundle:
        bundles[GENERATOR.bundle] = Path(bundle)
    held = contextlib.ExitStack()  # open as long as there is work
    opened = held.enter_context(opened_unreleased(bundles))

    def work(task: Task, held: contextlib.ExitStack = held) -> object:
        del held
        answering = responder(opened, task["when"]) if bundle else Responder(opened)
        reply = answering.answer(Dialogue.from_lines(task["turns"]))
        is_asked, is_said = asked_and_said(reply)
        return {"is_asked": is_asked, "is_said": is_said}

    return work


KINDS: dict[str, Callable[..., Work]] = {"ours": ours, "hugging_face": hugging_face, "node": node}


def main(kind: str, *words: str) -> None:
    """Open, and work until standard input ends.

    Args:
        kind: of `KINDS`.
        *words: its arguments.
    """
    configure_process()  # before these are imported
    import numpy as np  # noqa: F401 - what every process of this kind has

    before = memory()
    work = KINDS[kind](*words)
    _say({"before": before, "after": memory()})
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        told = work(json.loads(line))
        spent = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        _say({**spent, **memory(), **(told if isinstance(told, dict) else {})})


def _say(figures: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
