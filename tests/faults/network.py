"""Network: every answer of a server cut short, changed, replaced, redirected, slow, or without an end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from registry.http import Patience
from registry.pull import pull
from registry.rest import ServerSource
from rejoinder.errors import RejoinderError
from rejoinder.release import Release
from rejoinder.store import Store
from tests.faults.outcome import Outcome
from tests.faults.proxy import Fault, Line, Proxy, Reply, Send, Shelf, endless, proxied, redirect, trickle
from tests.faults.scene import Scene, evenly, two_releases

EVERY = 10_000  # more than there are cases
CUTS = (0.0, 0.01, 0.25, 0.8, 1.0)  # the last one leaves out the last byte
ALWAYS = 1_000_000
CALLS = ("registered-models/alias", "model-versions/search", "model-versions/get-download-uri")
_FAST = Patience(pause=0.0)
_HURRIED = Patience(tries=2, pause=0.0, silence=1.0, rate=1e8)


def cut_by_length(root: Path, tries: int = EVERY) -> Outcome:
    """End a connection early where a header says how long the answer is."""
    return _cut(root, tries, "length", "an answer cut short (Content-Length)")


def cut_in_chunks(root: Path, tries: int = EVERY) -> Outcome:
    """End a connection early in an answer of chunks."""
    return _cut(root, tries, "chunked", "an answer cut short (chunked)")


def cut_unseen(root: Path, tries: int = EVERY) -> Outcome:
    """End a connection early where nothing but that end tells where the answer ends."""
    return _cut(root, tries, "close", "an answer cut short (close-delimited)")


def _cut(root: Path, tries: int, framing: str, fault: str) -> Outcome:
    sends = [partial(Line.send, framing=framing, cut=cut) for cut in CUTS]
    return _faults(two_releases(root), fault, sends, tries, calls=True)


def flipped_byte(root: Path, tries: int = EVERY) -> Outcome:
    """Change the first, the middle, or the last byte of a file on its way."""
    sends = [partial(_flip, share=share) for share in (0.0, 0.5, 1.0)]
    return _faults(two_releases(root), "a byte flipped on its way", sends, tries)


def _flip(line: Line, reply: Reply, share: float) -> None:
    body = bytearray(reply.body)
    body[min(int(len(body) * share), len(body) - 1)] ^= 1
    line.send(Reply(reply.status, bytes(body), reply.headers))


def stale_body(root: Path, tries: int = EVERY) -> Outcome:
    """Answer with the older release's file of that name."""
    scene = two_releases(root)
    older, cases = _parts(scene, scene.old), []
    for part, folder in _parts(scene, scene.new).items():
        for path in sorted(folder.iterdir()):
            body = (older[part] / path.name).read_bytes()
            if body != path.read_bytes():
                cases += _cases(f"{folder.name}/{path.name}", [partial(_instead, body=body)])
    return _count(scene, "an older version's file instead", cases, tries, _FAST)


def _instead(line: Line, reply: Reply, body: bytes) -> None:
    line.send(Reply(200, body, {"Content-Type": reply.headers.get("Content-Type", "")}))


def redirect_loop(root: Path, tries: int = EVERY) -> Outcome:
    """Send the puller round in circles; it takes no redirections, so not even one is got over."""
    return _faults(two_releases(root), "a redirect loop", [redirect], tries, times=[ALWAYS], calls=True)


def slow_trickle(root: Path, tries: int = EVERY) -> Outcome:
    """Send fifty bytes a second, so that no timeout between two of them ever strikes."""
    return _faults(two_releases(root), "a slow trickle", [trickle], tries, calls=True, patience=_HURRIED)


def endless_body(root: Path, tries: int = EVERY) -> Outcome:
    """Send and never stop."""
    return _faults(two_releases(root), "an endless body", [endless], tries, calls=True, patience=_HURRIED)


def _parts(scene: Scene, release: Release) -> dict[str, Path]:
    """The folders that a release consists of."""
    store = Store(scene.source)
    parts: dict[str, Path] = {kind: store.bundle_dir(digest) for kind, digest in release.bundles.items()}
    return {"release": store.release_dir(release.digest)} | parts


def _cases(where: str, sends: Iterable[Send], times: Sequence[int] = (1, ALWAYS)) -> list[Fault]:
    """Each thing that can be sent, once (which a second try gets over) and always."""
    return [Fault(where, send, number) for send in sends for number in times]


def _faults(
    scene: Scene,
    fault: str,
    sends: Sequence[Send],
    tries: int,
    *,
    times: Sequence[int] = (1, ALWAYS),
    calls: bool = False,
    patience: Patience = _FAST,
) -> Outcome:
    """The faults, each befalling each file of the new release, and perhaps each call before."""
    folders = _parts(scene, scene.new).values()
    places = [f"{folder.name}/{path.name}" for folder in folders for path in sorted(folder.iterdir())]
    cases = [case for place in (*places, *(CALLS if calls else ())) for case in _cases(place, sends, times)]
    return _count(scene, fault, cases, tries, patience)


def _count(scene: Scene, fault: str, cases: Sequence[Fault], tries: int, patience: Patience) -> Outcome:
    chosen = [cases[number - 1] for number in evenly(len(cases), tries)]
    once = sum(case.times == 1 for case in chosen)
    with proxied(Shelf(Store(scene.source))) as (uri, proxy):
        survived = sum(_survives(scene, uri, proxy, case, patience) for case in chosen)
    return Outcome(fault, len(chosen), survived, f"{once} once: pulled; {len(chosen) - once} always: refused")


def _survives(scene: Scene, uri: str, proxy: Proxy, fault: Fault, patience: Patience) -> bool:
    """Whether a fault that passes is got over, one that stays is refused, and a pull after it completes."""
    node, passes = scene.node(), fault.times == 1
    proxy.fault = fault
    try:
        pull(node.store, source=ServerSource(uri, patience), trust=node.trust)
    except RejoinderError:
        if passes or not node.serves(scene.old):
            return False
    else:
        return passes and node.serves(scene.new)
    finally:
        proxy.fault = Fault()
    pull(node.store, source=ServerSource(uri, _FAST), trust=node.trust)
    return node.serves(scene.new) and node.is_tidy()


FAULTS = (
    cut_by_length,
    cut_in_chunks,
    cut_unseen,
    flipped_byte,
    stale_body,
    redirect_loop,
    slow_trickle,
    endless_body,
)
