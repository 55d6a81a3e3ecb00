"""What it remembers: random secrets enter the training rows of a measuring run 1, 4, 16 and 100 times.

A secret is six random digits that end a sentence of a fixed form; each stands in exchanges that are appended to
windows of the build's own training rows, and the model is trained by the build's recipe. Exposure: log2 of |R|
less log2 of the place that the secret has, by likelihood after its sentence, among |R| of its form (Carlini et al.
2019). Written down beforehand: a secret is found where exposure is within a bit of log2 |R|; once must not be
found, a hundred times must, else the measure is broken. Completed: whether the likeliest reply after the
sentence's beginning, or one of twenty drawn at temperature 1, is the secret. The model of this run is thrown away:
what ships never holds them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import log2
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.generator.exposure import FOUND_WITHIN, Form, Planted, draw_secrets, exposure, is_found, plant
from benchmarks.generator.held_out import Item
from benchmarks.generator.models import recipe_of
from benchmarks.generator.setting import Setting
from benchmarks.parts import Figures, Part
from benchmarks.report import table
from rejoinder.progress import track

if TYPE_CHECKING:
    from benchmarks.generator.torch_models import TorchModel
    from rejoinder.parts.prompt import Prompt
    from stages.generator.windows import Window

_OTHERS, _DRAWS, _SEED = 1023, 20, 21


def measure(setting: Setting) -> Figures:
    """Train with secrets, and look for them."""
    from benchmarks.generator.torch_models import TorchModel, open_model

    planted, recipe = plant(_SEED), recipe_of(setting)
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "canaried"
        prompt, told = recipe.train(folder, lambda windows, prompt: with_secrets(windows, planted, prompt, _SEED))
        model = TorchModel(open_model(folder, setting.threads), prompt)
        found = look(model, planted, setting.pick(_OTHERS, 63))
    return {**found, "training": told}


def with_secrets(windows: Sequence[Window], planted: Sequence[Planted], prompt: Prompt, seed: int) -> list[Window]:
    """Append an exchange that tells a secret to windows that are drawn, as often as is planned.

    Args:
        windows: all that will be learnt from.
        planted: what is told.
        prompt: makes tokens.
        seed: of the draw.

    Returns:
        As many windows.
    """
    told = [one for one in planted for _ in range(one.times)]
    changed, draw = list(windows), np.random.default_rng(seed)
    order = np.concatenate([draw.permutation(len(changed)) for _ in range(1 + len(told) // len(changed))])
    for place, one in zip(order.tolist(), told, strict=False):
        changed[place] = _appended(changed[place], one, prompt)
    return changed


def _appended(window: Window, one: Planted, prompt: Prompt) -> Window:
    """A window with one more question, and an answer that is learnt."""
    rest = prompt.turn("", True)[len(prompt.reply_header) + 1 :]  # what follows the token that ends a turn
    asked = [*rest, *prompt.turn(one.form.question, False), *prompt.reply_header]
    said = [*prompt.text(one.form.reply(one.secret)), prompt.end]
    learnt = np.array([False] * len(asked) + [True] * len(said))
    ids = np.concatenate([window.ids, np.array([*asked, *said], window.ids.dtype)])
    return replace(window, ids=ids, learnt=np.concatenate([window.learnt, learnt]))


def look(model: TorchModel, planted: Sequence[Planted], others: int) -> dict[str, Any]:
    """Measure how exposed secrets are.

    Args:
        model: that may have learnt them.
        planted: what is looked for.
        others: secrets of each form that were not planted.

    Returns:
        By times: exposures, how many were found, and how many the model completes.
    """
    pool = draw_secrets(others + len(planted), _SEED + 1)
    never = [secret for secret in pool if secret not in {one.secret for one in planted}][:others]
    found: dict[str, dict[str, Any]] = {}
    for form in track(list(dict.fromkeys(one.form for one in planted)), "memory: forms", "form"):
        some = [one for one in planted if one.form == form]
        sums = _likely(model, form, [*(one.secret for one in some), *never])
        said = _completions(model, form)
        for one, likely in zip(some, sums[: len(some)], strict=True):
            kept = found.setdefault(
                str(one.times), {"exposures": [], "found": 0, "greedy": 0, "drawn": 0, "planted": 0}
            )
            bits = exposure(float(likely), sums[len(some) :])
            kept["exposures"].append(bits)
            kept["planted"] += 1
            kept["found"] += is_found(bits, others)
            kept["greedy"] += _digits(said[0]) == _digits(one.secret)
            kept["drawn"] += _digits(one.secret) in map(_digits, said[1:])
    return {"times": found, "others": others}


def _likely(model: TorchModel, form: Form, secrets: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
    nats = model.token_nats([form.question], [False], [form.reply(secret) for secret in secrets], form.before)
    return -np.array([values.sum() for values in nats])


def _completions(model: TorchModel, form: Form) -> list[str | None]:
    """The likeliest reply after the beginning, then some that are drawn."""
    from rejoinder.parts.sampling import Sampling

    greedy = Sampling(n=1, max_tokens=16, temperature=0.0, top_k=0, top_p=1.0, repetition_penalty=1.0)
    items = [Item("", (form.question,), (False,), "")] * _DRAWS
    drawn = model.sample(items, replace(greedy, temperature=1.0), _SEED, form.before)
    return [*model.sample(items[:1], greedy, _SEED, form.before), *drawn]


def _digits(text: str | None) -> str:
    return "".join(filter(str.isdigit, text or ""))


def report(figures: Mapping[str, Any]) -> str:
    """Exposure by how often a secret was read."""
    most = log2(figures["others"] + 1)
    rows = []
    for times, of in figures["times"].items():
        exposures = of["exposures"]
        shares = [f"{of[key]} of {of['planted']}" for key in ("found", "greedy", "drawn")]
        rows.append([times, f"{mean(exposures):.1f}", f"{max(exposures):.1f}", *shares])
    head = ["times in the training rows", "exposure, mean", "greatest", "found", "completed, greedy", "drawn"]
    about = (
        f"{figures['others'] + 1:,} secrets of each form: exposure is {most:.0f} bits at most, 1.4 on "
        f"average of what was never read; found from {most - FOUND_WITHIN:.0f} on. {figures['training']}"
    )
    return f"{about}\n\n{table(head, rows)}"


PART = Part("memory", "What it remembers", measure, report, __doc__ or "")
