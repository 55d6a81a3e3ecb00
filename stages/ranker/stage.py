"""Ranker: pairs -> a cross-encoder that reads the context once, weighed beside the heads -> the ranker bundle.

It starts from what a GPU has learnt of the packaged chats, learns a few steps of this build's own dialogues and of
junk, and counts for as much as it helps on validation: for nothing where it does not.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from stages.common.output import atomic_directory, write_json
from stages.training.params import TrainingParams

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from rejoinder.parts.reading import Reading
    from stages.ranker.model import ContextOnce

_COLUMNS = ["pair_id", "source", "split", "conversation_id", "context", "context_own", "reply", "reaction"]


class Params(TrainingParams):
    """What the ranker is and how it is trained."""

    SHARED = ("base",)
    base: str
    """Encoder whose embeddings and layers it is made of."""
    start: str | None
    """Weights to begin with, made on a GPU; null for those of the base."""
    layers: list[Annotated[int, Field(ge=0)]] = Field(min_length=1)
    """Which of the base's layers it has."""
    frozen_layers: int = Field(ge=0)
    """Of them, from the bottom, how many stay as they are; above 0 places and kinds stay as well."""
    context_tokens: int = Field(ge=8, le=256)
    """Tokens that are read of a context; older turns are left out whole."""
    reply_tokens: int = Field(ge=4, le=128)
    """Tokens that are read of a reply."""
    candidates: int = Field(ge=2, le=1000)
    """Most replies that are ranked for one answer: those that the heads like best."""
    min_rank: float = Field(ge=-1, le=2)
    """What a retrieved reply must rank to be said, in units of the heads' score, before words of last resort."""
    over_themes: float = Field(ge=-1, le=2)
    """What it must rank in the midst of a talk to be said before a theme that does not fit surely."""
    sure_fit: float = Field(ge=0, le=2)
    """Fit from which on a theme does."""
    judged: int = Field(ge=10)
    """Slates of the validation split that training is judged by; of each fixed list that weights are fitted on."""
    reactions: list[str]
    """Reactions that get an output, where their labels suffice."""
    least_reactions: int = Field(ge=2)
    """Labels of each class, in each split, that a reaction's output needs."""
    most_reactions: int = Field(ge=2)
    """Pairs that are read of each split for it."""


def start_model(params: Params, pairs: pl.DataFrame, ingest: Path) -> ContextOnce:
    """Build the ranker with the weights it begins with.

    Args:
        params: section `ranker`.
        pairs: all of them.
        ingest: output of that stage; tells who was erased.

    Returns:
        The ranker, with one output.

    Raises:
        ParamsError: if the base or the start are not what the params say.
        DataError: if the start has seen what it must not.
    """
    import polars as pl

    from stages.common.base_encoder import base_folder
    from stages.common.errors import ParamsError
    from stages.ranker.model import ContextOnce, open_bert
    from stages.ranker.start import check_unseen, load_start

    bert = open_bert(base_folder(params.base))
    if max(params.layers) >= (most := len(bert.encoder.layer)) or params.frozen_layers > len(params.layers):
        raise ParamsError(
            f"ranker.layers: expected numbers from 0 to {most - 1}, and no more frozen ones than there are, "
            f"got {params.layers} and {params.frozen_layers}"
        )
    model = ContextOnce(bert, params.layers, 1)
    if params.start is not None:
        learnt = load_start(Path(params.start), model)
        check_unseen(learnt, pairs, pl.read_parquet(ingest / "erased.parquet"))
    below = [model.places, model.kinds, model.norm] if params.frozen_layers else []
    for part in [*below, *list(model.layers)[: params.frozen_layers]]:
        part.requires_grad_(False)
    return model.eval()


def add_reactions(
    params: Params, model: ContextOnce, reading: Reading, dialogues: Path
) -> tuple[list[str], dict[str, Any]]:
    """Give the ranker an output for each reaction that is worth it.

    Args:
        params: section `ranker`.
        model: trained; gets the outputs.
        reading: of the ranker.
        dialogues: output of that stage.

    Returns:
        Names of the outputs added, and the figures of all reactions.
    """
    import torch

    from stages.ranker.reactions import all_replies, fit_reaction

    outputs, figures, replies = {}, {}, all_replies(dialogues)
    for name in params.reactions:
        output, figures[name] = fit_reaction(
            model, reading, replies, name, least=params.least_reactions, most=params.most_reactions
        )
        if output is not None:
            outputs[name] = output
    score = torch.nn.Linear(model.width, 1 + len(outputs))
    rows = [torch.from_numpy(output.weights).float()[None] for output in outputs.values()]
    biases = [torch.tensor([output.bias]) for output in outputs.values()]
    score.weight.data = torch.cat([model.score.weight.data, *rows])
    score.bias.data = torch.cat([model.score.bias.data, *biases]).float()
    model.score = score.eval()
    return list(outputs), figures


def fixed_scores(
    params: Params, model: ContextOnce, reading: Reading, bundles: tuple[Path, Path], dialogues: Path
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], list[str]]:
    """What heads and ranker say of slates out of the validation split's fixed lists, hard and random ones.

    Args:
        params: section `ranker`.
        model: with all its outputs.
        reading: of the ranker.
        bundles: of the heads, and the folder of turn vectors.
        dialogues: output of that stage.

    Returns:
        float32 [n, 10], float32 [n, 10, outputs] and n conversations.
    """
    import numpy as np

    from rejoinder.parts.heads import open_heads
    from rejoinder.release.manifest import read_manifest
    from stages.common.turn_vectors import TurnVectors
    from stages.evaluation.candidates import Candidates
    from stages.evaluation.slates import fixed_rows, heads_scores
    from stages.ranker.learn import over_slates
    from stages.ranker.slates import Slates, read_tokens

    lists = Candidates.load(dialogues / "validation")
    lists = Candidates(lists.items.head(params.judged), lists.pool)
    manifest = read_manifest(bundles[0])
    heads, turns = open_heads(bundles[0], manifest), TurnVectors(bundles[1], manifest.vectorizer_id)
    items, pool = lists.items, lists.pool["text"].to_list()
    tokens = read_tokens(reading, items["context"].to_list(), items["context_own"].to_list(), pool)
    by_heads, by_ranker = [], []
    for kind in ("hard", "random"):
        rows = fixed_rows(lists, kind)
        by_heads.append(heads_scores(heads, turns, lists, rows))
        by_ranker.append(over_slates(model, Slates(tokens, rows, [])))
    return np.concatenate(by_heads), np.concatenate(by_ranker), 2 * items["conversation_id"].to_list()


def run(
    params: Params, *, ingest: Path, dialogues: Path, export: Path, turns: Path, heads: Path, out: Path
) -> None:
    """Train and weigh the ranker.

    Args:
        params: section `ranker`.
        ingest: output of that stage.
        dialogues: output of that stage.
        export: output of that stage.
        turns: output of that stage.
        heads: output of that stage.
        out: directory to make: ranker/ (the bundle), curves, metrics.json.

    Raises:
        DataError: if the weights to begin with have seen what they must not.
    """
    import polars as pl
    import pytorch_lightning

    from rejoinder.parts import HEADS, RANKER, VECTORIZER
    from rejoinder.parts.opened import open_model
    from rejoinder.parts.ranker import LIKELIHOOD
    from rejoinder.parts.reading import Reading
    from stages.ranker.bundle import write_bundle
    from stages.ranker.learn import train_ranker
    from stages.ranker.slates import learning_slates
    from stages.ranker.weigh import weigh

    source = dialogues / "pairs.parquet"
    pairs = pl.read_parquet(source, columns=_COLUMNS)
    pytorch_lightning.seed_everything(params.seed, workers=True, verbose=False)
    model = start_model(params, pairs, ingest)
    vectorizer, _ = open_model(export / VECTORIZER.bundle)
    reading = Reading(vectorizer.tokenizer_file, params.context_tokens, params.reply_tokens)
    wanted = {"train": params.batch_size * params.max_steps, "validation": params.judged}
    slates = {
        split: learning_slates(pairs.filter(pl.col("split") == split), most, reading, params.seed)
        for split, most in wanted.items()
    }
    with atomic_directory(out) as directory:
        r_at_1 = train_ranker(
            model, slates["train"], slates["validation"], params, source=source, directory=directory
        )
        added, reactions = add_reactions(params, model, reading, dialogues)
        weighed = weigh(*fixed_scores(params, model, reading, (heads / HEADS.bundle, turns), dialogues))
        facts = {
            "context_tokens": params.context_tokens,
            "reply_tokens": params.reply_tokens,
            "candidates": params.candidates,
            "outputs": [LIKELIHOOD, *added],
            "weights": weighed.weights,
            "min_rank": params.min_rank,
            "over_themes": params.over_themes,
            "sure_fit": params.sure_fit,
            "temperature": round(weighed.temperature, 5),
        }
        write_bundle(directory / RANKER.bundle, model, facts, vectorizer, heads / HEADS.bundle)
        figures = {"validation": weighed.figures, "with_junk": r_at_1, "reactions": reactions, "facts": facts}
        write_json(directory / "metrics.json", figures)
