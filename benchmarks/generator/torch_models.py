"""Torch models: how likely they find replies, and what they say, read and drawn as the release does it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from benchmarks.generator.held_out import Item
    from rejoinder.parts.prompt import Prompt
    from rejoinder.parts.sampling import Sampling

Floats = npt.NDArray[np.float64]
_TOGETHER = 16


def open_model(folder: Path, threads: int, dtype: str = "float32") -> Any:
    """Open a causal language model.

    Args:
        folder: in Hugging Face's layout.
        threads: that compute.
        dtype: torch's name of the numbers.

    Returns:
        The model, for reading only.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(threads)
    return AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()


def own_opening(folder: Path) -> str | None:
    """What a model's own chat template says before the first turn.

    Args:
        folder: of the model; its chat template stands in it.

    Returns:
        The text; None where there is no template.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    if tokenizer.chat_template is None:
        return None
    turn, system = {"role": "user", "content": "?"}, {"role": "system", "content": "s"}
    alone, told, both = (
        tokenizer.apply_chat_template(list(turns), tokenize=False) for turns in ((turn,), (system,), (system, turn))
    )
    after: str = both.removeprefix(told)
    return str(alone.removesuffix(after)) if alone.endswith(after) else None


def with_opening(prompt: Prompt, tokenizer: Path, opening: str) -> Prompt:
    """The same prompt with another opening."""
    from rejoinder.parts.prompt import Prompt

    return Prompt(tokenizer, replace(prompt.template, opening=opening), prompt.window)


class TorchModel:
    """A model and how dialogues are read to it."""

    def __init__(self, model: Any, prompt: Prompt, choices: npt.NDArray[np.int64] | None = None) -> None:
        """Take a model.

        Args:
            model: from `open_model`.
            prompt: makes tokens.
            choices: tokens among which probabilities are shared out; by default all.
        """
        self._model, self.prompt, self._choices = model, prompt, choices

    def _ids(self, turns: Sequence[str], own: Sequence[bool]) -> list[int]:
        return [*self.prompt.context(turns, own), *self.prompt.reply_header]

    def _logits(self, states: Any) -> Any:
        """Logits of every token, of those that are no choice minus infinity."""
        import torch

        logits = self._model.lm_head(states).float()
        if self._choices is not None:
            closed = torch.ones(logits.shape[-1], dtype=torch.bool)
            closed[torch.from_numpy(self._choices)] = False
            logits = logits.masked_fill(closed, -torch.inf)
        return logits

    def token_nats(
        self, turns: Sequence[str], own: Sequence[bool], replies: Sequence[str], begun: str = ""
    ) -> list[Floats]:
        """How surprising every token of replies is, the one that ends them last.

        Args:
            turns: of the context, oldest first.
            own: of each turn, whether it is by the one who replies.
            replies: n texts.
            begun: how all of them begin; that is read with the context, and does not count.

        Returns:
            Of each reply, minus log-probabilities, float64 [its tokens].

        Raises:
            ValueError: if the tokens of a reply do not begin so.
        """
        import torch

        shared = self.prompt.text(begun)
        rows = [[*self.prompt.text(reply), self.prompt.end] for reply in replies]
        if any(row[: len(shared)] != shared for row in rows):
            raise ValueError("expected replies whose tokens begin alike")
        rows = [row[len(shared) :] for row in rows]
        found: list[Floats] = [np.empty(0)] * len(rows)
        with torch.inference_mode():
            read = self._model.model(torch.tensor([[*self._ids(turns, own), *shared]]), use_cache=True)
            first = read.last_hidden_state[:, -1:]
            order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
            for start in range(0, len(order), _TOGETHER):
                some = order[start : start + _TOGETHER]
                nats = self._nats([rows[row] for row in some], first, read.past_key_values)
                for row, values in zip(some, nats, strict=True):
                    found[row] = values[: len(rows[row])]
        return found

    def _nats(self, rows: Sequence[Sequence[int]], first: Any, read: Any) -> Floats:
        import torch

        longest = max(map(len, rows))
        ids = torch.tensor([[*row, *[row[-1]] * (longest - len(row))] for row in rows])
        states = first.expand(len(rows), -1, -1)
        if longest > 1:  # padding comes last, where no token of a reply looks
            known = copy.deepcopy(read)
            known.batch_repeat_interleave(len(rows))
            more = self._model.model(ids[:, :-1], past_key_values=known, use_cache=True).last_hidden_state
            states = torch.cat([states, more], 1)
        likely = torch.log_softmax(self._logits(states), -1).gather(2, ids[..., None])[..., 0]
        return np.asarray(-likely.double().numpy(), np.float64)

    def sample(self, items: Sequence[Item], sampling: Sampling, seed: int, begun: str = "") -> list[str | None]:
        """Draw one reply to each context.

        Args:
            items: whose contexts are answered.
            sampling: how; n and stop do not matter.
            seed: of the draws.
            begun: how all replies begin; not told again.

        Returns:
            Replies; None where none ended in time.
        """
        contexts = [[*self._ids(item.turns, item.own), *self.prompt.text(begun)] for item in items]
        order = sorted(range(len(contexts)), key=lambda row: len(contexts[row]))
        found: list[str | None] = [None] * len(contexts)
        for start in range(0, len(order), _TOGETHER):
            some = order[start : start + _TOGETHER]
            drawn = self._drawn([contexts[row] for row in some], sampling, np.random.default_rng([seed, start]))
            for row, text in zip(some, drawn, strict=True):
                found[row] = text
        return found

    def _drawn(
        self, contexts: Sequence[Sequence[int]], sampling: Sampling, random: np.random.Generator
    ) -> list[str | None]:
        import torch

        from rejoinder.parts.sampling import draw

        longest, end = max(map(len, contexts)), self.prompt.end
        ids = torch.tensor([[end] * (longest - len(row)) + list(row) for row in contexts])
        there = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in contexts])
        made = np.zeros((len(contexts), 0), np.int64)
        said, known, new = None, None, ids
        with torch.inference_mode():
            for _ in range(sampling.max_tokens):
                places = (there.cumsum(1) - 1).clamp(min=0)[:, -new.shape[1] :]
                read = self._model.model(
                    new, attention_mask=there, position_ids=places, past_key_values=known, use_cache=True
                )
                known = read.past_key_values
                logits = self._logits(read.last_hidden_state[:, -1]).numpy()
                said = _said(contexts, logits.shape[1]) if said is None else said
                chosen = draw(logits, said, sampling, random)[0]
                said[np.arange(len(chosen)), chosen] = True
                made = np.column_stack([made, chosen])
                if (made == end).any(1).all():
                    break
                new = torch.from_numpy(chosen)[:, None]
                there = torch.cat([there, torch.ones_like(new)], 1)
        return [self._text(row) for row in made]

    def _text(self, row: npt.NDArray[np.int64]) -> str | None:
        ends = np.flatnonzero(row == self.prompt.end)
        return self.prompt.decode(row[: ends[0]].tolist()).strip() if len(ends) else None


def _said(contexts: Sequence[Sequence[int]], vocabulary: int) -> npt.NDArray[np.bool_]:
    said = np.zeros((len(contexts), vocabulary), bool)
    for row, ids in enumerate(contexts):
        said[row, list(ids)] = True
    return said
