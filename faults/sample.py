"""Sample: a tiny release in a store, what it holds and answers, and a watch over the parsers that open it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from registry.publish.bom import bill_of_materials
from registry.publish.provenance import provenance
from rejoinder.errors import BundleError
from rejoinder.parts.opened import open_release
from rejoinder.release.canonical import Digest, digest_bytes
from rejoinder.release.manifest import read_manifest
from rejoinder.release.proof import Installed
from rejoinder.release.trust import Trust
from rejoinder.store.store import Store
from tests.bundles import KEY, build_whole, pin, put_in_store, seal

#: Calls that parse what lies in a bundle: module, and the name there.
PARSERS = (
    ("onnxruntime", "InferenceSession"),
    ("faiss", "read_index"),
    ("numpy", "load"),
    ("numpy.lib.format", "open_memmap"),
    ("rejoinder.parts.vectorizer", "check_onnx"),
    ("rejoinder.parts.vectorizer", "open_tokenizer"),
    ("rejoinder.parts.vectorizer", "load_vectorizer"),
    ("rejoinder.parts.heads", "open_heads"),
    ("rejoinder.parts.shards", "open_shard"),
    ("rejoinder.parts.replies", "read_replies"),
    ("rejoinder.parts.vectorizer", "model_problems"),
    ("rejoinder.parts.decoder", "check_onnx"),
)
#: Modules of ours that read JSON out of bundles, and the one class whose method is the tokenizers' parser.
READERS = ("rejoinder.parts.replies", "rejoinder.parts.probes")
#: Parsers of our own documents: they may see bytes whose digest is the pinned one, and no others.
DOCUMENTS = (("rejoinder.release.manifest", "parse_manifest"), ("rejoinder.release.document", "parse_release"))


def believing() -> Trust:
    """A trust folder that believes the key of the tests."""
    return Trust(KEY.parent)


def built(root: Path, seed: int = 0, serial: int = 1) -> Installed:
    """A signed release with a real provenance and bill of materials; another seed is another model."""
    installed = pin(build_whole(root, seed), serial)
    manifests = {kind: read_manifest(path) for kind, path in installed.bundles.items()}
    metrics = {"retrieval/pairs/served/r_at_1": 0.3, "gains/served_over_untuned/difference": 0.1}
    (installed.folder / "provenance.json").write_bytes(provenance(installed.release))
    (installed.folder / "bom.json").write_bytes(bill_of_materials(installed.release, manifests, metrics))
    seal(installed.folder, installed.release)
    return installed


def stored(root: Path, seed: int = 0) -> Store:
    """A store with that release."""
    store = Store(root / "store")
    put_in_store(store, built(root / "built", seed))
    return store


def contents(store: Store) -> dict[Path, bytes]:
    """Bytes of every file that belongs to the installed release, and of the pointer to it."""
    installed = store.current()
    folders = [installed.folder, *installed.bundles.values()]
    files = [path for folder in folders for path in sorted(folder.iterdir())]
    return {path: path.read_bytes() for path in (store.current_file, *files)}


@dataclass
class Tally:
    """Counts tries, and keeps what the first lost ones were.

    Attributes:
        counts: tries by how they ended.
        lost: what went wrong, in words.
    """

    counts: dict[str, int] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    def add(self, end: str, what: str = "") -> None:
        """Count one try; `lost` is the only end that is not survived."""
        self.counts[end] = self.counts.get(end, 0) + 1
        if end == "lost":
            self.lost.append(what)

    @property
    def tries(self) -> int:
        """How many were counted."""
        return sum(self.counts.values())

    @property
    def survived(self) -> int:
        """How many were not lost."""
        return self.tries - self.counts.get("lost", 0)

    def note(self, *more: str) -> str:
        """The counts and what was lost first, in one line."""
        ends = [f"{count} {end}" for end, count in sorted(self.counts.items())]
        first = [f"first lost: {self.lost[0]}"] if self.lost else []
        return "; ".join([", ".join(ends), *more, *first])


def words(error: BaseException) -> str:
    """An error in one short line."""
    return f"{type(error).__name__}: {error}".replace("\n", " ")[:160]


def refused(installed: Installed, what: str, names: Iterable[str] = ()) -> tuple[str, str]:
    """Try to open a release that must not open.

    Args:
        installed: the release.
        what: was done to it.
        names: what the refusal must name.

    Returns:
        By which error it was refused, or "lost"; and what then to say.
    """
    try:
        open_release(installed, trust=believing()).close()
    except BundleError as error:
        if unnamed := [name for name in names if name not in str(error)]:
            return "lost", f"{what}: refused without a word of {', '.join(unnamed)}: {words(error)}"
        return f"by {type(error).__name__}", ""
    except Exception as error:
        return "lost", f"{what}: {words(error)}"
    return "lost", f"{what}: opened"


@contextmanager
def watched_parsers(genuine: Mapping[Path, bytes]) -> Iterator[list[str]]:
    """Note every parser that is called, and every document of other bytes than the genuine that is parsed.

    Args:
        genuine: the files as they were signed.

    Yields:
        Names of the parsers that were called; grows.
    """
    seen: list[str] = []
    digests = {digest_bytes(data) for data in genuine.values()}
    with ExitStack() as stack:
        for module, name in PARSERS:
            real = getattr(import_module(module), name)
            stack.enter_context(patch(f"{module}.{name}", _noting(seen, f"{module}.{name}", real)))
        for module, name in DOCUMENTS:
            real = getattr(import_module(module), name)
            stack.enter_context(patch(f"{module}.{name}", _noting_others(seen, name, real, digests)))
        for module in READERS:
            loads = _noting(seen, f"{module}.json", json.loads)
            stack.enter_context(patch(f"{module}.json", SimpleNamespace(loads=loads, dumps=json.dumps)))
        from_file = import_module("rejoinder.parts.tokens").Tokenizer.from_file
        double = SimpleNamespace(from_file=_noting(seen, "tokenizers", from_file))
        for module in ("rejoinder.parts.tokens", "rejoinder.parts.prompt"):
            stack.enter_context(patch(f"{module}.Tokenizer", double))
        yield seen


def _noting(seen: list[str], name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        seen.append(name)
        return real(*args, **options)

    return call


def _noting_others(
    seen: list[str], name: str, real: Callable[..., Any], digests: set[Digest]
) -> Callable[..., Any]:
    def call(data: bytes, *args: Any) -> Any:
        if digest_bytes(data) not in digests:
            seen.append(name)
        return real(data, *args)

    return call
