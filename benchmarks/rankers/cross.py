"""Cross-encoders: the full one, and those that read the context once and learn from it; for a machine with a GPU.

Reads what `benchmarks.rankers.prepare` made, writes scores of every set, which `benchmarks.rankers` judges, and the
weights. Needs torch and transformers alone.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from stages.ranker.model import ContextOnce, Pairs, open_bert

_BATCH, _ALIKE, _NEAR, _ANY, _FAR = 128, 5, 5, 6, -1e4
_WARM, _PART = 0.06, 15 * 2**20
_RATES = {"pairs": 1e-4, "once3": 1.5e-4, "once6": 1.5e-4, "laughter": 3e-5}
_TIME = {"pairs": 3.0, "once3": 1.5, "once6": 2.5}  # shares of all the time, for each seed
_TEACHER_SHARE = 0.5
_STEP = 1.15  # a step's time over that of its loss and gradients
_SLATE, _TIMED = 58, 50
Arrays = dict[str, Tensor]


class World:
    """Sets on the device."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        self.device, self.folder = device, folder

    def load(self, name: str) -> Arrays:
        """Arrays of one set, but for names."""
        with np.load(self.folder / f"{name}.npz") as file:
            kept = {key: file[key] for key in file.files if file[key].dtype.kind in "iub"}
        return {key: torch.from_numpy(array.astype(np.int64)).to(self.device) for key, array in kept.items()}


def batches(learning: Arrays, steps: int, most: int | None, seed: int) -> Iterator[tuple[Any, Tensor]]:
    """Draw slates: what a model reads, and which replies are the gold one once more, bool [b, k - 1]."""
    device, size = learning["rows"].device, len(learning["rows"])
    draw = torch.Generator(device=device).manual_seed(seed)
    passes = 1 + steps * _BATCH // min(size, most or size)
    order = torch.cat([torch.randperm(size, generator=draw, device=device)[:most] for _ in range(passes)])
    for some in torch.split(order, _BATCH)[:steps]:
        parts = [learning["rows"][some][:, None]]
        for kind, count in (("alike", _ALIKE), ("near", _NEAR)):
            near = learning[kind][some]
            places = torch.rand(near.shape, generator=draw, device=device).argsort(1)[:, :count]
            parts.append(near.gather(1, places))
        parts.append(torch.randint(len(learning["pool"]), (len(some), _ANY), generator=draw, device=device))
        rows = torch.cat(parts, 1)
        yield read(learning, some, rows), rows[:, 1:] == rows[:, :1]


def read(arrays: Arrays, some: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What a model reads of some slates."""
    return arrays["contexts"][some], arrays["kinds"][some], arrays["pool"][rows]


def listwise(scores: Tensor, again: Tensor, taught: Tensor | None) -> Tensor:
    """Cross entropy of the gold reply, and of what a teacher says where there is one."""
    scores = torch.cat([scores[:, :1], scores[:, 1:].masked_fill(again, _FAR)], 1)
    loss = functional.cross_entropy(scores, torch.zeros(len(scores), dtype=torch.long, device=scores.device))
    if taught is None:
        return loss
    told = torch.cat([taught[:, :1], taught[:, 1:].masked_fill(again, _FAR)], 1).softmax(-1)
    return (1 - _TEACHER_SHARE) * loss + _TEACHER_SHARE * functional.cross_entropy(scores, told)


def fit(model: nn.Module, steps: int, rate: float, losses: Iterator[Callable[[], Tensor]], name: str) -> float:
    """Train with AdamW, warm-up and linear decay; seconds."""
    trained = [part for part in model.parameters() if part.requires_grad]
    optimizer = torch.optim.AdamW(trained, rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=steps + 1, pct_start=_WARM, anneal_strategy="linear"
    )
    model.train()
    start, sums = time.monotonic(), []
    click.echo(f"{name}: {steps} steps")
    for step, loss_of in enumerate(losses):
        with autocast(trained[0].device):
            loss = loss_of()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
        sums.append(loss.detach())
        if step % 400 == 399:
            click.echo(f"{name}: step {step + 1} of {steps}, loss {torch.stack(sums).mean():.4f}")
            sums.clear()
    model.eval()
    return time.monotonic() - start


def autocast(device: torch.device) -> Any:
    """Half precision, on a GPU alone."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


@torch.inference_mode()
def scores_of(model: nn.Module, arrays: Arrays) -> npt.NDArray[np.float32]:
    """Score all slates of a set, float32 [n, k]."""
    rows = arrays["rows"]
    each = max(1, 4096 // rows.shape[1])
    found = []
    for some in torch.split(torch.arange(len(rows), device=rows.device), each):
        with autocast(rows.device):
            found.append(model(*read(arrays, some, rows[some]))[..., 0].float())
    return torch.cat(found).cpu().numpy()


def save(model: nn.Module, folder: Path, name: str) -> None:
    """Write what was trained in half precision, in files that are small enough to travel."""
    from safetensors.torch import save_file

    parts: list[dict[str, Tensor]] = [{}]
    size = 0
    for key, value in model.state_dict().items():
        if key.endswith("words.weight"):
            continue
        half = value.half().contiguous()
        if size + half.nbytes > _PART:
            parts.append({})
            size = 0
        parts[-1][key] = half.cpu()
        size += half.nbytes
    for number, part in enumerate(parts):
        save_file(part, folder / f"{name}-{number}.safetensors")


def laughter(start: nn.Module, world: World, epochs: int) -> npt.NDArray[np.float32]:
    """Fine-tune on laughter, once for each draw of episodes; scores of all replies, float32 [draws, n]."""
    arrays, found = world.load("laughter"), []
    labels = arrays["labels"].float()
    for held in arrays["held"].bool():
        torch.manual_seed(0)
        model = copy.deepcopy(start)
        rows = torch.nonzero(~held)[:, 0]
        drawn = [rows[torch.randperm(len(rows), device=rows.device)] for _ in range(epochs)]
        order = torch.split(torch.cat(drawn), 256)

        def losses(order: Any = order, model: nn.Module = model) -> Iterator[Callable[[], Tensor]]:
            for some in order:
                yield lambda some=some: functional.binary_cross_entropy_with_logits(  # type: ignore[misc]
                    model(*read(arrays, some, arrays["rows"][some]))[:, 0, 0].float(), labels[some]
                )

        seconds = fit(model, len(order), _RATES["laughter"], losses(), "laughter")
        click.echo(f"laughter: {seconds:.0f} s")
        found.append(scores_of(model, arrays)[:, 0])
    return np.stack(found)


@torch.inference_mode()
def speed(models: dict[str, nn.Module], arrays: Arrays) -> None:
    """Print how long a slate of 58 takes, one by one."""
    device = arrays["rows"].device
    for name, model in models.items():
        took = []
        for number in range(_TIMED):
            rows = torch.randint(len(arrays["pool"]), (1, _SLATE), device=device)
            start = time.perf_counter()
            with autocast(device):
                model(*read(arrays, torch.tensor([number % len(arrays["rows"])], device=device), rows)).cpu()
            took.append(time.perf_counter() - start)
        click.echo(f"speed: {name}: a slate of {_SLATE} in {1000 * float(np.median(took)):.2f} ms, median")


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--encoder", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--models", multiple=True, type=click.Choice(list(_TIME)), default=list(_TIME), show_default=True)
@click.option("--minutes", default=6.0, show_default=True, help="For everything; passes are as many as fit.")
@click.option("--most", type=int, help="Contexts that are learnt from.")
@click.option("--seeds", default=1, show_default=True)
def main(
    *, folder: Path, encoder: Path, out: Path, models: tuple[str, ...], minutes: float, most: int | None, seeds: int
) -> None:
    """Entry point."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_float32_matmul_precision("high")
    click.echo(f"{torch.cuda.get_device_name() if device.type == 'cuda' else 'CPU'} {torch.__version__}")
    out.mkdir(parents=True, exist_ok=True)
    world = World(folder, device)
    all_scores: dict[str, npt.NDArray[np.float32]] = {}
    learning = world.load("learning")
    sets = {name: world.load(name) for name in ("hard", "random", "validation", "tuned", "junk", "sessions")}
    kept: dict[str, nn.Module] = {}
    best: dict[str, float] = {}
    share = 60 * minutes / (seeds * sum(_TIME[name] for name in models))
    for seed in range(1, seeds + 1):
        for name in models:
            model, teacher = make(name, encoder, seed).to(device), kept.get("pairs") if name != "pairs" else None
            steps = affordable(model, teacher, learning, share * _TIME[name], most)
            losses = (lesson(model, teacher, *one) for one in batches(learning, steps, most, seed))
            seconds = fit(model, steps, _RATES[name], losses, f"{name}.{seed}")
            all_scores |= {f"{name}.{seed}.{of}": scores_of(model, arrays) for of, arrays in sets.items()}
            right = {of: right_first(all_scores[f"{name}.{seed}.{of}"]) for of in ("tuned", "hard", "random")}
            passes = steps * _BATCH / len(learning["rows"])
            click.echo(f"{name}.{seed}: {passes:.1f} passes in {seconds:.0f} s, R@1 {right}")
            if right["tuned"] > best.get(name, 0.0):  # of the validation split
                best[name] = right["tuned"]
                save(model, out, name)
            kept.setdefault(name, model)
            if name == "pairs" and seed == 1:
                all_scores["pairs.laughter"] = laughter(model, world, 2)
            np.savez_compressed(out / "scores.npz", **all_scores)  # type: ignore[arg-type]
    speed(kept, sets["hard"])


def make(name: str, encoder: Path, seed: int) -> nn.Module:
    """Build a model out of an encoder; the head is drawn by the seed."""
    torch.manual_seed(seed)
    bert = open_bert(encoder)
    six = len(bert.encoder.layer)
    if name == "pairs":
        return Pairs(bert, 1)
    return ContextOnce(bert, [0, six // 2 - 1, six - 1] if name == "once3" else range(six), 1)


def lesson(model: nn.Module, teacher: nn.Module | None, given: Any, again: Tensor) -> Callable[[], Tensor]:
    """What is to be minimised on one batch, by the teacher's side where there is one."""

    def loss() -> Tensor:
        taught = None
        if teacher is not None:
            with torch.no_grad():
                taught = teacher(*given)[..., 0].float()
        return listwise(model(*given)[..., 0].float(), again, taught)

    return loss


def affordable(
    model: nn.Module, teacher: nn.Module | None, learning: Arrays, seconds: float, most: int | None
) -> int:
    """Steps that fit into some time, by what a few of them take; at least 1."""
    some, took = copy.deepcopy(model), []
    device = learning["rows"].device
    for given, again in batches(learning, 30, most, 0):
        start = time.monotonic()
        with autocast(device):
            lesson(some, teacher, given, again)().backward()  # type: ignore[no-untyped-call]
        if device.type == "cuda":
            torch.cuda.synchronize()
        took.append(time.monotonic() - start)
    each = float(np.median(took)) * _STEP
    click.echo(f"{1000 * each:.1f} ms a step")
    return max(1, int(seconds / each))


def right_first(scores: npt.NDArray[np.float32]) -> float:
    """Share of slates with the gold reply above all others."""
    return round(float((scores[:, :1] > scores[:, 1:]).all(1).mean()), 4)


if __name__ == "__main__":
    main()
