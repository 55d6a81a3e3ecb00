"""Bundle: a trained language model -> graphs, embeddings, what may be said, probes and manifest."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch

from rejoinder.parts import GENERATOR
from rejoinder.parts.generator import Generator
from rejoinder.parts.generator_facts import CHOICES, EMBEDDINGS, SCALES, SPANS, graph_file
from rejoinder.parts.generator_probes import write_probes
from rejoinder.parts.prompt import Prompt, Template
from rejoinder.parts.public_spans import keys_of, telling
from rejoinder.release.forms import CPU, CUDA
from rejoinder.release.manifest import write_manifest
from rejoinder.release.tokenizer_file import TOKENIZER
from rejoinder.text import words
from stages.common.words import family_words, human_claims
from stages.generator.graph import FP16, FP32, INT4, write_graph
from stages.generator.model import head_dim
from stages.generator.quantize import Windows

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from rejoinder.release.vectorizer_spec import VectorizerId

_SLOT = re.compile(r"[a-z_]+_[0-9]+")  # what anonymisation leaves of a name, as a word
#: What runs a form, and the mean difference of log-probabilities, in nats, that is rounding on another machine.
EXECUTIONS = {INT4: (CPU, 0.05), FP16: (CUDA, 0.05), FP32: (CPU, 1e-3)}


def write_bundle(
    bundle: Path,
    model: PreTrainedModel,
    tokenizer: Path,
    facts: Mapping[str, Any],
    *,
    said: pl.DataFrame,
    users: Sequence[int],
    forms: Sequence[str],
    windows: Windows,
    vectorizer_id: VectorizerId,
) -> None:
    """Write the bundle.

    Args:
        bundle: directory to make.
        model: trained, in evaluation mode, adapters merged.
        tokenizer: tokenizer.json of the model.
        facts: template, window, sampling, when, below, base.
        said: what people said in training conversations; columns sender and reply.
        users: people that must have used a token and a word; and three words with a number or kin, or any eight.
        forms: of the graph.
        windows: token ids of some dialogues, which int4 is made to fit.
        vectorizer_id: of the release that it is made for.
    """
    bundle.mkdir()
    shutil.copyfile(tokenizer, bundle / TOKENIZER)
    prompt = Prompt(bundle / TOKENIZER, Template.of(facts["template"]), facts["window"])
    choices = sayable(prompt, said, users[0])
    np.save(bundle / CHOICES, choices)
    np.save(bundle / SPANS, public(said, users))
    _write_embeddings(bundle, model, prompt.vocabulary)
    tokens = torch.from_numpy(choices.astype(np.int64))
    for form in forms:
        write_graph(bundle / graph_file(form), model, tokens, form, windows)
    config: Any = model.config
    every = {
        **facts,
        "layers": config.num_hidden_layers,
        "kv_heads": config.num_key_value_heads,
        "head_dim": head_dim(config),
        "width": config.hidden_size,
        "kin": sorted(family_words()),
        "never": list(human_claims()),
    }
    executions = {
        form: {"form": form, "provider": EXECUTIONS[form][0], "tolerance": EXECUTIONS[form][1]} for form in forms
    }
    for form, execution in executions.items():  # this machine may lack a GPU, but every form runs on a CPU
        generator = Generator(bundle, every, {**execution, "provider": CPU})
        write_probes(bundle, generator.prompt, generator.next_logits, form)
    write_manifest(bundle, GENERATOR.bundle, vectorizer_id, {**every, "executions": list(executions.values())})


def sayable(prompt: Prompt, said: pl.DataFrame, users: int) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Choose the tokens that may be said: those that so many people used, and the one that ends a turn.

    Args:
        prompt: tokenises.
        said: columns sender and reply.
        users: people.

    Returns:
        int32 [v], rising.
    """
    people: dict[int, set[str]] = {}
    for sender, reply in said.select("sender", "reply").iter_rows():
        for token in set(prompt.text(reply)):
            people.setdefault(token, set()).add(sender)
    kept = {token for token, senders in people.items() if len(senders) >= users}
    return np.array(sorted(kept | {prompt.end}), np.int32)


def public(said: pl.DataFrame, users: Sequence[int]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Hash the words, triples with a number or kin, and runs of eight that so many people used; but for slots.

    Args:
        said: columns sender and reply.
        users: people of a word, and of the others.

    Returns:
        Keys by `rejoinder.parts.public_spans`, uint64 [n], rising.
    """
    people: tuple[dict[str, set[str]], ...] = {}, {}
    kin = family_words()
    for sender, reply in said.select("sender", "reply").iter_rows():
        spoken = [word for word in words(reply) if not _SLOT.fullmatch(word)]
        for counted, spans in zip(people, (set(spoken), set(telling(spoken, kin))), strict=True):
            for span in spans:
                counted.setdefault(span, set()).add(sender)
    return keys_of(
        span
        for counted, least in zip(people, users, strict=True)
        for span, senders in counted.items()
        if len(senders) >= least
    )


def _write_embeddings(bundle: Path, model: PreTrainedModel, rows: int) -> None:
    """Embeddings in int8, each row with a scale of its own."""
    table = model.get_input_embeddings().weight.detach().float().numpy()[:rows]
    scales = np.maximum(np.abs(table).max(1) / 127, 1e-7).astype(np.float16)  # fp16 holds nothing below 6e-8
    whole = np.rint(table / scales.astype(np.float32)[:, None])
    np.save(bundle / EMBEDDINGS, np.clip(whole, -127, 127).astype(np.int8))
    np.save(bundle / SCALES, scales)
