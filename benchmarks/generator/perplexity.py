"""Perplexity: how surprising held-out replies are, per token and per reply, the token that ends a turn apart.

Replies of test conversations after the last three turns, the same for every model, in the same template and by the
same tokenizer. Per token: all tokens count alike. Per reply: replies count alike, long or short. Intervals are
95%, by bootstrap over conversations; ratios are paired. The base is measured with its own system message as well,
and the better of the two is what the tuned model is held against. The shipped form shares probabilities out among
the tokens that may be said alone, so it stands beside the tuned model that does the same; replies with other
tokens are left out of both and counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.generator.estimates import Draws, Estimate, Floats, perplexity, perplexity_ratio
from benchmarks.generator.held_out import Item, read_items
from benchmarks.generator.setting import BASE, FIVE, TUNED, Setting
from benchmarks.generator.torch_models import TorchModel, open_model, own_opening, with_opening
from benchmarks.parts import Figures, Part
from benchmarks.report import table
from rejoinder.parts.generator_facts import CHOICES as SAYABLE
from rejoinder.progress import track
from rejoinder.release.tokenizer_file import TOKENIZER

SHIPPED, CHOICES = "shipped", f"{TUNED}, of what may be said"
MESSAGE, ALONE = f"{BASE}, own system message", f"{BASE}, no context"
_SEED = 16


def measure(setting: Setting) -> Figures:
    """Let every model read every reply."""
    items = read_items(setting.pairs, setting.sources, setting.pick(setting.items, 24), _SEED)
    nats = {name: _read(model, items, name) for name, model in _torch(setting)}
    shipped, tokens = _shipped(setting, items)
    draws = Draws.of([item.conversation for item in items])
    sayable = np.isfinite(shipped)
    some = Draws.of([item.conversation for item, can in zip(items, sayable, strict=True) if can])
    whole = {SHIPPED: shipped, **({CHOICES: _sums(nats[CHOICES])} if CHOICES in nats else {})}
    return {
        "answers": len(items),
        "conversations": len({item.conversation for item in items}),
        "tokens": int(tokens.sum()),
        "systems": {name: _system(found, draws) for name, found in nats.items() if name != CHOICES},
        "ratios": _ratios(nats, draws),
        "unsayable": int((~sayable).sum()),
        "shipped": {n: perplexity(v[sayable], tokens[sayable], some).to_list() for n, v in whole.items()},
        "shipped_ratio": perplexity_ratio(
            shipped[sayable], whole[CHOICES][sayable], tokens[sayable], some
        ).to_list()
        if CHOICES in whole
        else None,
    }


def _torch(setting: Setting) -> Iterator[tuple[str, TorchModel]]:
    prompt, choices = setting.generator().prompt, np.load(setting.bundle / SAYABLE).astype(np.int64)
    for name, folder in setting.models().items():
        model = open_model(folder, setting.threads)
        yield name, TorchModel(model, prompt)
        if name == TUNED:
            yield CHOICES, TorchModel(model, prompt, choices)
        if name == BASE:
            if (opening := own_opening(folder)) is not None:
                yield MESSAGE, TorchModel(model, with_opening(prompt, setting.bundle / TOKENIZER, opening))
            yield ALONE, TorchModel(model, prompt)


def _read(model: TorchModel, items: Sequence[Item], name: str) -> list[Floats]:
    return [
        model.token_nats(*_context(item, name), [item.reply])[0]
        for item in track(items, f"perplexity: {name}", "item")
    ]


def _context(item: Item, name: str) -> tuple[Sequence[str], Sequence[bool]]:
    return ((), ()) if name == ALONE else (item.turns, item.own)


def _shipped(setting: Setting, items: Sequence[Item]) -> tuple[Floats, Floats]:
    generator = setting.generator()
    found = [
        generator.log_probabilities(item.turns, item.own, [item.reply])
        for item in track(items, f"perplexity: {SHIPPED}", "item")
    ]
    return -np.concatenate([sums for sums, _ in found]), np.concatenate([n for _, n in found]).astype(float)


def _sums(found: Sequence[Floats]) -> Floats:
    return np.array([values.sum() for values in found])


def _split(found: Sequence[Floats]) -> tuple[Floats, Floats, Floats]:
    """Nats of a reply's tokens without its end, how many those are, and nats of the end."""
    said = np.array([values[:-1].sum() for values in found])
    return said, np.array([float(len(values) - 1) for values in found]), np.array([values[-1] for values in found])


def _system(found: Sequence[Floats], draws: Draws) -> dict[str, list[float]]:
    said, counts, ends = _split(found)
    ones = np.ones(len(said))
    return {
        "token": perplexity(said, counts, draws).to_list(),
        "reply": perplexity(said / np.maximum(counts, 1), ones, draws).to_list(),
        "end": perplexity(ends, ones, draws).to_list(),
        "all": perplexity(said + ends, counts + 1, draws).to_list(),
    }


def control(systems: Mapping[str, Any]) -> str | None:
    """The base as it does best with context: what the tuned model is held against."""
    return min((n for n in (BASE, MESSAGE) if n in systems), key=lambda name: systems[name][0], default=None)


def _ratios(nats: Mapping[str, list[Floats]], draws: Draws) -> dict[str, dict[str, list[float]]]:
    """Ratios of the tuned model to each other one, per token and per reply, its end left out and counted in."""
    if TUNED not in nats:
        return {}
    said, counts, ends = _split(nats[TUNED])
    ones: npt.NDArray[np.float64] = np.ones(len(said))
    found = {}
    for name in (n for n in (BASE, MESSAGE, ALONE, FIVE) if n in nats):
        other, _, other_ends = _split(nats[name])
        each = np.maximum(counts, 1)
        found[name] = {
            "token": perplexity_ratio(said, other, counts, draws).to_list(),
            "reply": perplexity_ratio(said / each, other / each, ones, draws).to_list(),
            "all": perplexity_ratio(said + ends, other + other_ends, counts + 1, draws).to_list(),
        }
    return found


def report(figures: Figures) -> str:
    """Perplexities, ratios, and what int4 costs."""
    rows = [
        [name, *(Estimate(*of[key]).show(".1f") for key in _COLUMNS)] for name, of in figures["systems"].items()
    ]
    ratios = [[name, *(Estimate(*of[key]).show() for key in _RATIOS)] for name, of in figures["ratios"].items()]
    shipped = [[name, Estimate(*of).show(".1f")] for name, of in figures["shipped"].items()]
    left = f"{figures['unsayable']} of {figures['answers']} replies hold a token that cannot be said"
    ratio = figures["shipped_ratio"]
    worse = f"; the shipped form is {Estimate(*ratio).show()} times as surprised" if ratio else ""
    counts = [f"{figures[key]:,}" for key in ("answers", "conversations", "tokens")]
    about = f"{counts[0]} replies of {counts[1]} conversations, {counts[2]} tokens."
    return "\n".join(
        [
            f"{about}\n",
            table(["perplexity", *_COLUMNS.values()], rows),
            f"{TUNED}, in multiples of another (below 1: less surprised):\n",
            table([f"{TUNED} against", *_RATIOS.values()], ratios),
            f"{left}{worse}:\n",
            table(["all tokens, of what may be said", "perplexity"], shipped),
        ]
    )


_COLUMNS = {"token": "per token", "reply": "per reply", "end": "end of turn", "all": "per token, end counted"}
_RATIOS = {key: name for key, name in _COLUMNS.items() if key != "end"}
PART = Part("perplexity", "Held-out replies", measure, report, __doc__ or "")
