"""Open a release: prove it, load its parts, probe them.

No parser of models, indices or arrays sees a byte before everything has been proved, and no module of a part is
imported before. All problems are collected, then raised once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from rejoinder.errors import (
    ConsistencyError,
    FormatError,
    InputError,
    IntegrityError,
    ProbeError,
    Problem,
    RejoinderError,
    StoreError,
)
from rejoinder.parts import (
    ANNOTATORS,
    DENY,
    GENERATOR,
    GUARD,
    HEADS,
    INTENTS,
    PHRASES,
    RANKER,
    REMARKS,
    REPLIES,
    VECTORIZER,
    Kind,
    Part,
    in_order,
)
from rejoinder.parts.opening import Opening, PartModule, module_of
from rejoinder.process import usable_cores
from rejoinder.release.document import Release
from rejoinder.release.forms import Execution, executions_of
from rejoinder.release.manifest import Manifest, file_problems, read_manifest
from rejoinder.release.proof import Installed, prove, spec_problems
from rejoinder.release.trust import Trust
from rejoinder.store.lease import take_lease
from rejoinder.store.store import Store

if TYPE_CHECKING:
    from rejoinder.parts.annotators import Annotators
    from rejoinder.parts.cached import CachedVectorizer
    from rejoinder.parts.deny import DenyList
    from rejoinder.parts.generator import Generator
    from rejoinder.parts.guard import Guard
    from rejoinder.parts.heads import Heads
    from rejoinder.parts.intents import Intents
    from rejoinder.parts.phrases import PhraseCache
    from rejoinder.parts.ranker import Ranker
    from rejoinder.parts.remarks import Remarks
    from rejoinder.parts.replies import ReplyIndex
    from rejoinder.parts.vectorizer import Vectorizer


@dataclass(frozen=True, slots=True)
class OpenRelease:
    """A release, proved and loaded.

    Attributes:
        release: which one.
        parts: each open part by its kind; a kind that the release lacks is not there.
        encoder: the vectorizer with everything in front of it whose vectors are shipped.
        provider: what alone may run the model, as it was asked for; None for whatever is fastest.
        lease: keeps the store from removing the release.
    """

    release: Release
    parts: Mapping[Kind, Any]
    encoder: CachedVectorizer
    provider: str | None
    lease: BinaryIO

    @property
    def vectorizer(self) -> Vectorizer:
        """Makes all vectors."""
        return cast("Vectorizer", self.parts[VECTORIZER.bundle])

    @property
    def cache(self) -> PhraseCache:
        """Vectors of common phrases."""
        return cast("PhraseCache", self.parts[PHRASES.bundle])

    @property
    def heads(self) -> Heads | None:
        """Make contexts and replies of turns; None in a release that encodes a context as one text."""
        return cast("Heads | None", self.parts.get(HEADS.bundle))

    @property
    def index(self) -> ReplyIndex:
        """What may be said."""
        return cast("ReplyIndex", self.parts[REPLIES.bundle])

    @property
    def remarks(self) -> Remarks | None:
        """What was prepared to be said; None in a release without."""
        return cast("Remarks | None", self.parts.get(REMARKS.bundle))

    @property
    def guard(self) -> Guard | None:
        """Who notices what is sensitive or unfit; None in a release without."""
        return cast("Guard | None", self.parts.get(GUARD.bundle))

    @property
    def intents(self) -> Intents | None:
        """What the character answers by itself; None in a release without."""
        return cast("Intents | None", self.parts.get(INTENTS.bundle))

    @property
    def annotators(self) -> Annotators | None:
        """What is told of a turn besides; None in a release without."""
        return cast("Annotators | None", self.parts.get(ANNOTATORS.bundle))

    @property
    def ranker(self) -> Ranker | None:
        """Who orders what was retrieved; None in a release without."""
        return cast("Ranker | None", self.parts.get(RANKER.bundle))

    @property
    def generator(self) -> Generator | None:
        """Who says what nobody has prepared; None in a release without."""
        return cast("Generator | None", self.parts.get(GENERATOR.bundle))

    @property
    def denied(self) -> DenyList | None:
        """What must not be said; None in a release without such a list."""
        return cast("DenyList | None", self.parts.get(DENY.bundle))

    def close(self) -> None:
        """Give the lease back: the store may remove this release once it is neither current nor previous."""
        self.lease.close()


def open_release(installed: Installed, provider: str | None = None, trust: Trust | None = None) -> OpenRelease:
    """Prove a release and load it.

    Args:
        installed: the release and its directories.
        provider: what alone may run the model, a name in `rejoinder.release.forms`; by default the fastest.
        trust: whom this machine believes; by default `Trust.default()`.

    Returns:
        The loaded release.

    Raises:
        StoreError: if the release was removed meanwhile.
        SignatureError: if it is not signed by a trusted key.
        IntegrityError: if any byte differs from what was released.
        FormatError: if a manifest is of a format that this version cannot read.
        ConsistencyError: if parts were made by different vectorizers or do not fit this runtime.
        ProbeError: if this machine computes other vectors than the release holds.
    """
    lease = take_lease(installed.folder)
    try:
        manifests = prove(installed, trust)
        modules = {part: module_of(part) for part in in_order(manifests)}
        with _refusing_crashes(str(installed.release)):
            parts = _load(installed, manifests, modules, provider)
    except BaseException:
        lease.close()
        raise
    from rejoinder.parts.cached import CachedVectorizer

    said = [parts[kind].turns for kind in (REPLIES.bundle, REMARKS.bundle) if kind in parts]
    cold = [parts[PHRASES.bundle].table, *(turns for turns in said if turns is not None)]
    encoder = CachedVectorizer(parts[VECTORIZER.bundle], cold)
    return OpenRelease(installed.release, parts, encoder, provider, lease)


@contextmanager
def _refusing_crashes(subject: str) -> Iterator[None]:
    """A signed release may still be made wrongly: what crashes a parser or the first use of it is refused."""
    try:
        yield
    except (RejoinderError, ModuleNotFoundError):  # a missing package is no fault of the release
        raise
    except BaseException as error:  # tokenizers, ONNX Runtime and numpy raise many classes without a common one
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":  # Rust's is no Exception
            raise
        problem = Problem("parts", "files that load and answer the probes", type(error).__name__)
        raise FormatError(subject, [problem]) from error


def _load(
    installed: Installed,
    manifests: Mapping[Kind, Manifest],
    modules: Mapping[Part, PartModule],
    provider: str | None,
) -> dict[Kind, Any]:
    """Open every part, then probe every part: a probe may need any part that its own is tied to."""
    opened: dict[Kind, Any] = {}
    openings = {
        part: Opening(
            installed.bundles[part.bundle], manifests[part.bundle], provider, opened, choices=installed.choices
        )
        for part in modules
    }
    for part, module in modules.items():
        opened[part.bundle] = module.open_part(openings[part])
    if problems := list(_probed(installed, manifests, opened)):
        raise ProbeError(str(installed.release), problems)
    return opened


def prove_the_rest(installed: Installed, opened: OpenRelease) -> tuple[list[Execution], dict[Execution, str]]:
    """Probe a release by every other execution of its model that this machine has, and what sleeps in it.

    Args:
        installed: the release and its directories.
        opened: the same, proved and loaded.

    Returns:
        What has reproduced the release's vectors, besides what runs it; and what could not be tried here, and why.

    Raises:
        ProbeError: if one of them computes other vectors than the release holds.
    """
    from rejoinder.parts.engines import available_providers
    from rejoinder.parts.vectorizer import load_vectorizer

    if opened.generator is not None:
        opened.generator.wake()
    pinned = installed.release.bundles
    manifests = {kind: read_manifest(installed.bundles[kind], pinned[kind]) for kind in opened.parts}
    directory, model = installed.bundles[VECTORIZER.bundle], manifests[VECTORIZER.bundle]
    proved: list[Execution] = []
    lacking: dict[Execution, str] = {}
    problems: list[Problem] = []
    for execution in executions_of(model.facts):
        if execution == opened.vectorizer.execution:
            continue
        if execution.provider not in available_providers():
            lacking[execution] = "not on this machine"
            continue
        try:
            vectorizer = load_vectorizer(directory, model, execution)
        except InputError as error:
            lacking[execution] = str(error)
            continue
        proved.append(execution)
        wrong = _probed(installed, manifests, {**opened.parts, VECTORIZER.bundle: vectorizer})
        problems += [Problem(f"{execution}, {p.where}", p.expected, p.got) for p in wrong]
    if problems:
        raise ProbeError(str(installed.release), problems)
    return proved, lacking


def _probed(
    installed: Installed, manifests: Mapping[Kind, Manifest], parts: Mapping[Kind, Any]
) -> Iterator[Problem]:
    """Probe every open part, several at once: half of opening a release is this."""
    tolerance = parts[VECTORIZER.bundle].execution.stored

    def probed(part: Part) -> list[Problem]:
        kind = part.bundle
        opening = Opening(installed.bundles[kind], manifests[kind], None, parts, tolerance=tolerance)
        return list(module_of(part).probe(opening, parts[kind]))

    with ThreadPoolExecutor(usable_cores(), "rejoinder-probe") as pool:
        for problems in pool.map(probed, in_order(parts)):
            yield from problems


def open_model(directory: Path) -> tuple[Vectorizer, Manifest]:
    """Open one model bundle that was just built, outside any release, to make vectors that others will hold.

    Args:
        directory: the bundle.

    Returns:
        The vectorizer and the bundle's manifest.

    Raises:
        BundleError: if the bundle is not what its own manifest says.
    """
    from rejoinder.parts.vectorizer import load_vectorizer

    manifest = read_manifest(directory)
    problems = file_problems(directory, manifest)
    if problems:
        raise IntegrityError(str(directory), problems)
    if manifest.kind != VECTORIZER.bundle or (problems := spec_problems(manifest)):
        raise ConsistencyError(str(directory), problems or [Problem("kind", VECTORIZER.bundle, manifest.kind)])
    return load_vectorizer(directory, manifest), manifest


def open_current(store: Store, provider: str | None = None, trust: Trust | None = None) -> OpenRelease:
    """Prove and load the current release, whichever that is by the time it is open.

    Args:
        store: where it is installed.
        provider: what alone may run the model, a name in `rejoinder.release.forms`; by default the fastest.
        trust: whom this machine believes; by default `Trust.default()`.

    Returns:
        The loaded release.

    Raises:
        StoreError: if nothing is installed, or the store is incomplete.
        BundleError: if the release is refused.
    """
    while True:
        digest = store.current_digest()
        try:
            return open_release(store.current(), provider, trust)
        except StoreError:
            if store.current_digest() == digest:
                raise  # it is not that another release took its place meanwhile
