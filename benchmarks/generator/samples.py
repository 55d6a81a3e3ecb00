"""Samples: what models, retrieval and people answer to the same contexts; kept, since two parts look at them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.generator.held_out import Item, read_items
from benchmarks.generator.setting import BASE, TUNED, Setting
from rejoinder.parts import REPLIES
from rejoinder.parts.sampling import Sampling
from rejoinder.progress import track
from rejoinder.release.canonical import digest_file

HUMAN, SHIPPED, RETRIEVED = "people", "shipped", "retrieval"
SEEDS = (1, 2, 3)
_TRIES, _MOST_TOKENS = 2, 48
_DRAW = 17


@dataclass(frozen=True, slots=True)
class Samples:
    """Contexts, and by system and seed what each of them was answered; None: nothing.

    Attributes:
        items: the contexts and what people said.
        texts: by system, a list of answers a seed.
    """

    items: list[Item]
    texts: dict[str, list[list[str | None]]]


def samples_of(setting: Setting) -> Samples:
    """Draw what has not been drawn yet.

    Args:
        setting: its models are asked.

    Returns:
        All of it. Retrieval and people have but one answer.
    """
    items = read_items(setting.pairs, setting.sources, setting.pick(setting.contexts, 24), _DRAW)
    found: dict[str, list[list[str | None]]] = {HUMAN: [[item.reply for item in items]]}
    seeds = SEEDS[: 1 if setting.is_quick else len(SEEDS)]
    for name, folder in ((n, f) for n, f in setting.models().items() if n in (TUNED, BASE)):
        found[name] = [_kept(setting, items, name, seed, _torch(setting, name, folder)) for seed in seeds]
    found[SHIPPED] = [_kept(setting, items, SHIPPED, seed, _shipped(setting)) for seed in seeds]
    found[RETRIEVED] = [_kept(setting, items, RETRIEVED, 0, _retrieved(setting))]
    return Samples(items, found)


Answer = Callable[[Sequence[Item], int], list[str | None]]


def _kept(setting: Setting, items: Sequence[Item], name: str, seed: int, answer: Answer) -> list[str | None]:
    """What was answered, now or by an earlier run of the same model to the same contexts."""
    key = _key(setting, items, name, seed)
    file = setting.folder / "samples" / f"{name}-{seed}-{key}.json"
    if not file.exists():
        texts = answer(items, seed)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(texts))
    kept: list[str | None] = json.loads(file.read_text())
    return kept


def _key(setting: Setting, items: Sequence[Item], name: str, seed: int) -> str:
    folder = {**setting.models(), RETRIEVED: None}.get(name, setting.bundle)
    weights = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.onnx")) if folder else []
    made = [setting.store.current_digest(), *map(digest_file, weights), asdict(sampling_of(setting)), seed]
    document = json.dumps([made, [asdict(item) for item in items]])
    return hashlib.sha256(document.encode()).hexdigest()[:12]


def sampling_of(setting: Setting) -> Sampling:
    """The bundle's sampling, one reply at a time."""
    shipped = setting.generator().sampling
    return replace(shipped, n=1, max_tokens=max(shipped.max_tokens, _MOST_TOKENS), stop=())


def _torch(setting: Setting, name: str, folder: Path) -> Answer:
    def answer(items: Sequence[Item], seed: int) -> list[str | None]:
        from benchmarks.generator.torch_models import TorchModel, open_model

        model = TorchModel(open_model(folder, setting.threads), setting.generator().prompt)
        sampling, found = sampling_of(setting), list[str | None]([None] * len(items))
        for attempt in track(range(_TRIES), f"samples: {name}, seed {seed}", "try"):
            left = [row for row, text in enumerate(found) if not text]
            drawn = model.sample([items[row] for row in left], sampling, 10 * seed + attempt) if left else []
            for row, text in zip(left, drawn, strict=True):
                found[row] = text or None
        return found

    return answer


def _shipped(setting: Setting) -> Answer:
    def answer(items: Sequence[Item], seed: int) -> list[str | None]:
        generator = setting.generator()
        found = []
        for number, item in enumerate(track(items, f"samples: {SHIPPED}, seed {seed}", "context")):
            made = generator.generate(item.turns, item.own, seed=10_000 * seed + number)
            found.append(made[0].text if made else None)
        return found

    return answer


def _retrieved(setting: Setting) -> Answer:
    def answer(items: Sequence[Item], seed: int) -> list[str | None]:
        from benchmarks.generator.switched import OFF, responder
        from rejoinder.dialogue import Dialogue, Turn

        del seed
        with setting.release() as opened:
            answering = responder(opened, OFF)
            found: list[str | None] = []
            for item in track(items, f"samples: {RETRIEVED}", "context"):
                said = zip(item.turns, item.own, strict=True)
                reply = answering.answer(Dialogue(tuple(Turn("bot" if mine else "user", t) for t, mine in said)))
                fit = (c.text for c in reply.trace.candidates if c.source == REPLIES.name and c.dropped is None)
                found.append(next(fit, None))
            return found

    return answer
