"""Concurrency: many pull into one store, many promote at once, many read while `current` flips."""

from __future__ import annotations

import os
import shutil
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from faults.crew import Crew, Meeting
from faults.outcome import Outcome
from faults.scene import Node, Sabotage, Scene, nothing, processes, two_releases
from registry.errors import RegistryError
from registry.mlflow.catalog import read_catalog
from registry.mlflow.connection import connect
from registry.names import CHAMPION, PREVIOUS
from registry.publish.promote import PROMOTED, promote, rollback
from registry.publish.register import publish
from registry.pull.install import activate, locked
from registry.pull.pull import pull
from registry.pull.sources.folder import FolderSource
from rejoinder.errors import RejoinderError
from rejoinder.parts import Kind
from rejoinder.release.canonical import digest_file
from rejoinder.release.document import RELEASE, Release
from rejoinder.store.store import Store
from tests.bundles import KEY, seal, write_verdict

PULLERS, ROUNDS = 16, 20
PROMOTERS = 32
FLIPS, READERS = 1000, 3
NAME = "rejoinder"


def concurrent_pullers(
    root: Path, tries: int = PULLERS * ROUNDS, pullers: int = PULLERS, sabotage: Sabotage = nothing
) -> Outcome:
    """Let processes pull into one store from one folder, whose champion changes in the middle of every round.

    A pull is survived if it installed a release that was champion in that round; all pulls of a round are lost if
    the store does not end with the newest champion, whole, and nothing left over.

    Args:
        root: an empty folder.
        tries: how many pulls in all.
        pullers: how many at once.
        sabotage: breaks the product.

    Returns:
        How many were survived.
    """
    scene = two_releases(root)
    node, rounds = scene.node(), max(1, tries // pullers)
    champions = [_reissue(scene, 10 + number) for number in range(2 * rounds)]
    survived, problems = 0, Counter[str]()
    with Crew(pullers + 1) as crew:
        for _ in range(pullers):
            crew.start(_pull_rounds, node, scene.source, rounds, sabotage)
        for number in range(rounds):
            first, second = champions[2 * number : 2 * number + 2]
            _offer(scene, first)
            crew.meeting.begin()
            _offer(scene, second)
            answers = [crew.answer() for _ in range(pullers)]
            problems.update(answer for answer in answers if not answer.startswith("sha256:"))
            fine = sum(answer in (first.digest, second.digest) for answer in answers)
            pull(node.store, source=FolderSource(scene.source), trust=node.trust)
            survived += fine if node.serves(second) and node.is_tidy() else 0
    return Outcome("concurrent pullers", rounds * pullers, survived, _note(f"{pullers} at once", problems))


def _reissue(scene: Scene, serial: int) -> Release:
    """Another release in the source: by turns of the old and of the new bundles."""
    source = Store(scene.source)
    model = scene.new if serial % 2 else scene.old
    made = replace(model, serial=serial)
    place = Path(shutil.copytree(source.release_dir(model.digest), source.release_dir(made.digest)))
    return seal(place, made)


def _offer(scene: Scene, release: Release) -> None:
    source = Store(scene.source)
    with locked(source):
        activate(source, release)


def _pull_rounds(meeting: Meeting, node: Node, source: Path, rounds: int, sabotage: Sabotage) -> None:
    sabotage()
    for _ in range(rounds):
        meeting.begin()
        try:
            meeting.answers.put(pull(node.store, source=FolderSource(source), trust=node.trust).release.digest)
        except Exception as error:
            meeting.answers.put(_described(error))


def concurrent_promoters(root: Path, tries: int = PROMOTERS, sabotage: Sabotage = nothing) -> Outcome:
    """Let processes promote and roll back at once, against a local database.

    A promoter is survived if it made a champion or was refused in words; all are lost if two releases share a
    serial, if the champion is not the highest serial that was promoted, or if the promotions are not one chain, in
    which each began where another had ended.

    Args:
        root: an empty folder.
        tries: how many promoters, all at once.
        sabotage: breaks the product.

    Returns:
        How many were survived.
    """
    scene = two_releases(root / "scene")
    chain = [(0, int(_seen_by(_ship_two, root, scene)))]
    with Crew(tries) as crew:
        for number in range(tries):
            crew.start(_promote_one, root, scene, number, sabotage)
        answers = [crew.answer() for _ in range(tries)]
    chain += sorted(answer for answer in answers if isinstance(answer, tuple))
    refused = Counter(answer for answer in answers if isinstance(answer, str))
    serials, promoted, champion = _seen_by(_look, root, scene)
    links = [before == earlier for (before, _), (_, earlier) in zip(chain[1:], chain, strict=False)]
    whole = sorted(set(serials)) == serials and champion == max(promoted) == chain[-1][1] and all(links)
    fine = sum(not isinstance(answer, str) or answer in _REFUSALS for answer in answers)
    note = _note(f"{len(chain) - 1} promotions, serials up to {max(serials)}", refused)
    return Outcome("concurrent promoters", tries, fine if whole else 0, note)


#: What another promoter's success may lead to, and that so many were ahead that one's patience ended.
_REFUSALS = ("PromotionError", "VerdictError", "PromoterError")


def _act_on(root: Path, scene: Scene) -> None:
    os.environ.update(
        MLFLOW_TRACKING_URI=f"sqlite:///{root / 'mlflow.db'}",
        REJOINDER_TRUST=str(scene.root / "template/trust"),
        REJOINDER_SIGNING_KEY=str(KEY),
    )


def _seen_by(target: Callable[..., None], *args: Any) -> Any:
    """The answer of one process."""
    with Crew() as crew:
        crew.start(target, *args)
        return crew.answer()


def _ship_two(meeting: Meeting, root: Path, scene: Scene) -> None:
    from tests.registry.artifacts import ship

    _act_on(root, scene)
    old = ship(scene.bundles(scene.old), NAME)
    meeting.answers.put(ship(scene.bundles(scene.new), NAME, old).serial)


def _promote_one(meeting: Meeting, root: Path, scene: Scene, number: int, sabotage: Sabotage) -> None:
    _act_on(root, scene)
    sabotage()
    meeting.begin()
    try:
        done = rollback(NAME) if number % 2 else _release(root, scene, number)
        meeting.answers.put((done.before, done.release.serial) if done.is_new else "PromotionError")
    except RegistryError as error:
        meeting.answers.put(type(error).__name__)
    except Exception as error:
        meeting.answers.put(_described(error))


def _release(root: Path, scene: Scene, number: int) -> Any:
    """Register and promote whatever the champion is not; refused if another was quicker."""
    champion = read_catalog(connect(), NAME).aliases[CHAMPION]
    other = scene.old if champion.tags["content"] == scene.new.content else scene.new
    bundles: dict[Kind, Path] = scene.bundles(other)
    verdict = root / f"verdict-{number}.json"
    write_verdict(verdict, bundles, champion.tags["digest"], asked_by=number)  # type: ignore[arg-type]
    return promote(NAME, publish(bundles, verdict, NAME).release.serial)


def _look(meeting: Meeting, root: Path, scene: Scene) -> None:
    _act_on(root, scene)
    catalog = read_catalog(connect(), NAME)
    known = sorted(catalog.releases, key=lambda version: version.number)
    serials = [int(version.tags["serial"]) for version in known]
    promoted = [int(version.tags["serial"]) for version in known if PROMOTED in version.tags]
    now = catalog.aliases
    if int(now[PREVIOUS].tags["serial"]) not in promoted:
        promoted.append(10**9)  # fails the comparison with the champion
    meeting.answers.put((serials, promoted, int(now[CHAMPION].tags["serial"])))


def readers_during_flips(
    root: Path, tries: int = FLIPS, readers: int = READERS, sabotage: Sabotage = nothing
) -> Outcome:
    """Let processes read `current` without a pause while two releases take turns at it.

    All flips are survived unless a read was mixed: its document, its folder and its bundles of several releases.

    Args:
        root: an empty folder.
        tries: how many flips.
        readers: how many processes.
        sabotage: breaks the product.

    Returns:
        How many flips were survived.
    """
    scene = two_releases(root)
    store, stop = Store(scene.source), processes().Event()
    with Crew(readers + 1) as crew:
        for _ in range(readers):
            crew.start(_read, scene, stop, sabotage)
        crew.meeting.begin()
        for number in range(tries):
            with locked(store):
                activate(store, (scene.old, scene.new)[number % 2])
        stop.set()
        reads = sum((crew.answer() for _ in range(readers)), Counter[str]())
    mixed = sum(count for what, count in reads.items() if what not in ("old", "new"))
    note = f"{reads.total()} reads ({reads['old']} of one, {reads['new']} of the other), {mixed} mixed"
    both = reads["old"] > 0 and reads["new"] > 0
    return Outcome("readers while current flips", tries, max(tries - mixed, 0) if both else 0, note)


def _read(meeting: Meeting, scene: Scene, stop: Event, sabotage: Sabotage) -> None:
    sabotage()
    reads = Counter[str]()
    meeting.begin()
    while not stop.is_set():
        reads[_read_once(scene)] += 1
    meeting.answers.put(reads)


def _read_once(scene: Scene) -> str:
    try:
        installed = Store(scene.source).current()
        names = {scene.old.digest: "old", scene.new.digest: "new"}
        found = {
            names.get(installed.release.digest, "unknown"),
            names.get(digest_file(installed.folder / RELEASE), "unknown"),
            *(_whose(scene, kind, folder) for kind, folder in installed.bundles.items()),
        }
    except (RejoinderError, OSError) as error:
        return type(error).__name__
    return found.pop() if len(found) == 1 else "mixed"


def _whose(scene: Scene, kind: Kind, folder: Path) -> str:
    digest = digest_file(folder / "manifest.json")
    owners = {scene.old.bundles[kind]: "old", scene.new.bundles[kind]: "new"}
    return owners.get(digest, "unknown")


def _described(error: Exception) -> str:
    return traceback.format_exception_only(error)[-1].strip()[:300]


def _note(figures: str, problems: Counter[str]) -> str:
    refusals = ", ".join(f"{count} {what.splitlines()[0]}" for what, count in sorted(problems.items()))
    return f"{figures}; {refusals}" if refusals else figures


FAULTS = (concurrent_pullers, concurrent_promoters, readers_during_flips)
