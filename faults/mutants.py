"""Mutants: every JSON document of a release written wrongly, as it lies on a disk and as a publisher's bug."""

from __future__ import annotations

import io
import json
import math
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from faults.flips import damage
from faults.forger import documents, forge, promoted
from faults.outcome import Outcome
from faults.sample import Tally, believing, built, contents, stored, words
from faults.shapes import Mutant, mutants
from registry.pull.freshness import STATE, Seen, check_fresh, read_freshness, record
from registry.pull.pull import pull
from registry.pull.sources.folder import FolderSource
from registry.show.commands import diff_table, show_table
from registry.show.describe import Description, describe, differences
from registry.show.finders import StoreFinder
from rejoinder.answer.responder import Responder
from rejoinder.dialogue import Dialogue
from rejoinder.errors import RejoinderError
from rejoinder.parts import in_order
from rejoinder.parts.opened import OpenRelease, open_current, open_release
from rejoinder.parts.replies import IndexedReply
from rejoinder.release.canonical import canonical_json
from rejoinder.release.document import RELEASE, VERDICT
from rejoinder.release.manifest import MANIFEST, read_manifest
from rejoinder.release.proof import Installed
from rejoinder.release.trust import Trust
from rejoinder.store.store import Store
from tests.bundles import KEY, PHRASES, REPLIES, WHOLE

#: What one try may cost; the largest mutants have a million entries.
CPU_SECONDS, MEMORY_MB = 20.0, 1536.0
_PULLED = 5  # every fifth is pulled into another store first; the others are opened where they are
_LARGE = ("a million entries", "endless nesting")
_TEXTS = (*PHRASES, *REPLIES, "", "Hello b c d e f g", "x " * 300)
#: Documents that a pull does not read; promotion reads the first, `show` and `diff` read all.
_FOR_PEOPLE = ("verdict.json", "provenance.json", "bom.json")


def malformed(root: Path, tries: int = 2000) -> Outcome:
    """Write a document of an installed release wrongly, and open it: its digest or its signature is wrong then."""
    store = stored(root)
    whole = contents(store)
    named = {
        f"{path.parent.name[:16]}/{path.name}": path for path in whole if path.suffix in (".json", ".sig", ".jsonl")
    }
    tally, cost = Tally(), Cost()
    for name, mutant in sampled({name: whole[path] for name, path in named.items()}, tries, 1):
        with cost.of_one_try(tally, f"{name}, {mutant.kind}"):
            damage(store, whole, named[name], mutant.data, tally)
    note = tally.note(f"{len(named)} documents", str(cost))
    return Outcome("a malformed document", tally.tries, tally.survived, note)


def malformed_and_signed(root: Path, tries: int = 2000) -> Outcome:
    """Write a document wrongly, pin and sign it as a publisher would, and pull, open, promote and show it.

    Every fifth is pulled first, the others are opened where they were forged: a pull takes ten times as long.
    """
    base = Base(built(root / "base"), trusting(root))
    tally, cost = Tally(), Cost()
    for name, mutant in sampled(documents(base.installed), tries, 2):
        with cost.of_one_try(tally, f"{name}, {mutant.kind}"), tempfile.TemporaryDirectory(dir=root) as folder:
            tally.add(*base.taken(Path(folder), name, mutant))
    note = tally.note(f"{len(documents(base.installed))} documents", str(cost))
    return Outcome("a malformed document, signed by a trusted key", tally.tries, tally.survived, note)


def malformed_memory(root: Path, tries: int = 600) -> Outcome:
    """Write what a machine has seen (`state.json`) wrongly, and ask whether a release is fresh."""
    installed, trust = built(root / "base", serial=2), trusting(root)
    for alias in ("champion", "previous"):
        record(installed.release, alias, trust)
    whole = (trust.root / STATE).read_bytes()
    tally, cost = Tally(), Cost()
    for _, mutant in sampled({STATE: whole}, tries, 3):
        (trust.root / STATE).write_bytes(mutant.data)
        with cost.of_one_try(tally, mutant.kind):
            tally.add(*_remembered(installed, trust, mutant))
    return Outcome("a malformed memory of what was seen", tally.tries, tally.survived, tally.note(str(cost)))


def _remembered(installed: Installed, trust: Trust, mutant: Mutant) -> tuple[str, str]:
    try:
        check_fresh(installed.release, "champion", trust)
        record(installed.release, "champion", trust)
        found = read_freshness(trust)
    except RejoinderError:
        return "refused", ""
    except Exception as error:
        return "lost", f"{mutant.kind}: {words(error)}"
    try:
        said = {key: Seen(**value) for key, value in strictly(mutant.data)["seen"].items()}
        same = {key: value for key, value in found.items() if key in said} == said
    except (ValueError, TypeError, KeyError, AttributeError):
        same = False
    return ("accepted, and means the same to a strict reader", "") if same else ("lost", f"{mutant.kind}: accepted")


@dataclass
class Cost:
    """What the dearest try took."""

    cpu: float = 0.0
    memory: float = 0.0

    @contextmanager
    def of_one_try(self, tally: Tally, what: str) -> Iterator[None]:
        """Measure one try; one that takes too much is lost, whatever came of it."""
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # forget the highest use so far
        start, before = time.process_time(), _peak_mb()
        survived = tally.survived
        yield
        cpu, memory = time.process_time() - start, max(0.0, _peak_mb() - before)
        self.cpu, self.memory = max(self.cpu, cpu), max(self.memory, memory)
        if (cpu > CPU_SECONDS or memory > MEMORY_MB) and tally.survived > survived:
            tally.lost.append(f"{what}: {cpu:.0f} CPU-s, {memory:.0f} MB")
            tally.counts["lost"] = tally.counts.get("lost", 0) + 1

    def __str__(self) -> str:
        return f"the dearest took {self.cpu:.1f} CPU-s and {self.memory:.0f} MB"


def _peak_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)


def trusting(root: Path) -> Trust:
    """A trust folder of its own, with no memory."""
    folder = root / "trust"
    folder.mkdir(parents=True)
    shutil.copy(KEY.with_suffix(".pub"), folder)
    return Trust(folder)


def sampled(found: Mapping[str, bytes], tries: int, seed: int) -> Iterator[tuple[str, Mutant]]:
    """Mutants of documents, spread evenly over documents and kinds; of the large ones one a document and kind.

    Args:
        found: documents by name.
        tries: how many.
        seed: picks them.

    Yields:
        The document's name and the mutant.
    """
    rng = random.Random(seed)
    groups = [(name, kind, makers) for name in found for kind, makers in _mutants_of(found[name]).items()]
    rng.shuffle(groups)
    number = turn = 0
    while number < tries:
        for name, kind, makers in groups:
            if number < tries and not (turn > 0 and kind in _LARGE):
                mutant = rng.choice(makers)()
                if mutant.data != found[name]:
                    number += 1
                    yield name, mutant
        turn += 1


def _mutants_of(data: bytes) -> dict[str, list[Callable[[], Mutant]]]:
    """Of a file of several lines, mutants of one line."""
    try:
        json.loads(data)
    except ValueError:
        lines = data.split(b"\n")
        place = len(lines) // 2
        found = mutants(lines[place])

        def whole(make: Callable[[], Mutant]) -> Mutant:
            mutant = make()
            return Mutant(mutant.kind, b"\n".join([*lines[:place], mutant.data, *lines[place + 1 :]]))

        return {kind: [lambda m=make: whole(m) for make in makers] for kind, makers in found.items()}  # type: ignore[misc]
    return mutants(data)


class Base:
    """A release as it should be: what it answers, and how it is described."""

    def __init__(self, installed: Installed, trust: Trust) -> None:
        """Open it once."""
        self.installed, self.trust, self._turns = installed, trust, 0
        opened = open_release(installed, trust=believing())
        self.tokens, self.vectors = opened.vectorizer.tokenize(_TEXTS), opened.vectorizer.encode(_TEXTS)
        self.replies = opened.index.replies
        opened.close()

    def taken(self, folder: Path, name: str, mutant: Mutant) -> tuple[str, str]:
        """What becomes of a signed mutant: refused, or accepted with the same meaning, or lost."""
        what = f"{name}, {mutant.kind}"
        self._turns += 1
        source, target = forge(self.installed, folder / "forged", {name: mutant.data}), Store(folder / "target")
        (self.trust.root / STATE).unlink(missing_ok=True)
        try:
            if self._turns % _PULLED == 0:
                pull(target, source=FolderSource(source.root), trust=self.trust)
            else:
                target = source
            opened = open_current(target, trust=self.trust)
            same = self.means_the_same(opened, name, mutant.data)
            opened.close()
        except RejoinderError:
            return "refused", ""
        except BaseException as error:  # a panic of the tokenizers is no Exception
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            return "lost", f"{what}: {words(error)}"
        if not same:
            return "lost", f"{what}: accepted with another meaning"
        if name in _FOR_PEOPLE:
            return self.shown(folder, target, name, mutant)
        return "accepted, and means the same to a strict reader", ""

    def means_the_same(self, opened: OpenRelease, name: str, data: bytes) -> bool:
        """Whether an accepted release serves what was signed, as a reader that allows nothing unclear reads it."""
        answers = bool(Responder(opened).answer(Dialogue.from_lines(["I feel lonely"])).trace.candidates)
        same_tokens = opened.vectorizer.tokenize(_TEXTS) == self.tokens
        if not (answers and same_tokens and np.allclose(opened.vectorizer.encode(_TEXTS), self.vectors, atol=1e-6)):
            return False
        try:
            if name == RELEASE or name.endswith(MANIFEST):
                return canonical_json(strictly(data)) == data
            if opened.index.replies != self.replies:
                lines = [IndexedReply(**strictly(line)) for line in data.split(b"\n")[:-1]]
                plain = all(type(r.text) is str and type(r.senders) is type(r.count) is int for r in lines)
                return plain and opened.index.replies == lines
        except (ValueError, TypeError):
            return False
        return True

    def shown(self, folder: Path, store: Store, name: str, mutant: Mutant) -> tuple[str, str]:
        """Promote and show a release whose papers are malformed: each may refuse, none may crash."""
        what = f"{name}, {mutant.kind}"
        ends = []
        for verb, act in (("promoted", self._promote), ("shown", self._show)):
            try:
                act(folder, store)
                ends.append(f"{verb}")
            except RejoinderError:
                ends.append(f"not {verb}")
            except Exception as error:
                return "lost", f"{what}, when {verb}: {words(error)}"
        if name == VERDICT and ends[0] == "promoted" and not self._is_blessed(mutant.data):
            return "lost", f"{what}: promoted on a verdict that is unclear"
        return f"pulled with malformed papers, {', '.join(ends)}", ""

    def _promote(self, folder: Path, store: Store) -> None:
        (folder / "promoted").mkdir()
        promoted(store, folder / "promoted", self.trust.root)

    def _show(self, folder: Path, store: Store) -> None:
        from rich.console import Console

        with patch.dict(os.environ, {"REJOINDER_TRUST": str(self.trust.root)}):
            found = describe(*StoreFinder(store, self.installed.release.name).folder("current", folder))
        before = self._described()
        tables = show_table(found), diff_table(differences(before, found, everything=True), before, found)
        for table in tables:
            Console(file=io.StringIO(), width=160).print(table)
        json.dumps(found.to_json(), ensure_ascii=False)

    def _described(self) -> Description:
        manifests = {kind: read_manifest(self.installed.bundles[kind]) for kind in WHOLE}
        return describe(self.installed.folder, manifests)

    def _is_blessed(self, data: bytes) -> bool:
        """Whether a verdict, read strictly, blesses these bundles, all that a gate judges and no others."""
        bundles = self.installed.release.bundles
        judged = {part.bundle for part in in_order(bundles) if part.judged}
        try:
            document = strictly(data)
            about = document["bundles"].items()
            is_about_these = judged <= {kind for kind, _ in about} and about <= bundles.items()
            return bool(document["verdict"] == "BLESSED" and is_about_these)
        except (ValueError, TypeError, KeyError, AttributeError):
            return False


def strictly(data: bytes) -> Any:
    """Read JSON that means the same to every reader, or not at all.

    Args:
        data: UTF-8, without a byte order mark.

    Returns:
        The value.

    Raises:
        ValueError: if a key stands twice, a number is out of every reader's range, or a text is no Unicode.
    """
    text = data.decode("utf-8")
    found = json.loads(text, object_pairs_hook=_unique, parse_constant=_no, parse_float=_finite, parse_int=_exact)
    json.dumps(found, ensure_ascii=False).encode("utf-8")  # UnicodeEncodeError is a ValueError
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


def _no(text: str) -> Any:
    raise ValueError(text)


def _finite(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        raise ValueError(text)
    return found


def _exact(text: str) -> int:
    found = int(text)
    if abs(found) >= 2**128:
        raise ValueError("a number out of range")
    return found


FAULTS = (malformed, malformed_and_signed, malformed_memory)
