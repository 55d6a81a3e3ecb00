"""A state machine: whatever publishers, promoters, pullers, crashes and disks do, `current` is a whole release.

Hypothesis picks what happens next: publish, promote, roll back, pull, collect, damage a file, let time pass; and
where the power is cut in the middle of it. After every step each machine's store is compared with what was
published. The server is one in memory (faults.memory_client): sqlite would take ten times as long.
"""

from __future__ import annotations

import json
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from faults.world import (
    DESK,
    EDGE,
    MACHINES,
    NAME,
    NODE,
    Stage,
    new_world,
    read_files,
    write_judged,
)
from registry.errors import NotFoundError, PromotionError
from registry.publish.promote import promote, rollback
from registry.publish.register import publish
from registry.pull.install import locked
from registry.pull.prune import prune
from registry.pull.pull import pull
from rejoinder.errors import ConsistencyError, FreshnessError, RejoinderError, StoreError
from rejoinder.release.canonical import Digest
from rejoinder.release.document import RELEASE
from rejoinder.release.proof import prove
from rejoinder.release.signature import SIGNED
from rejoinder.store.lease import take_lease

#: After how many steps the power is cut; a pull of a new release does about 80.
_cuts = st.none() | st.integers(0, 90)
_machines = st.sampled_from(MACHINES)


def promise(kept: bool, what: str) -> None:
    """Fail the run where a promise is broken."""
    if not kept:
        raise AssertionError(what)


class ReleaseTrain(RuleBasedStateMachine):
    """One run."""

    stage: ClassVar[Stage]

    def __init__(self) -> None:
        """Begin with nothing published."""
        super().__init__()
        self.stage.counts["runs"] += 1
        self.world = new_world(self.stage, self.stage.counts["runs"])
        tempfile.tempdir = str(self.world.root / "tmp")
        self.highest = dict.fromkeys((*MACHINES, "champion"), 0)
        self.touched: set[str] = set()
        self.is_fine = True

    # What publishers do

    @initialize(number=st.integers(0, 3))
    def begin(self, number: int) -> None:
        """There is a champion, and the machines have it: what comes first is soon tested."""
        self.publish_and_promote(number, None)
        self.pull_from_the_server(None)
        self.pull_from_a_folder(None)

    @rule(number=st.integers(0, 4), cut=_cuts, is_stale=st.sampled_from([False, False, False, True]))
    def publish(self, number: int, cut: int | None, is_stale: bool) -> None:
        """Register bundles that the gate has judged against the champion, or against something else."""
        is_mixture = number == len(self.stage.contents)
        bundles = self.stage.mixed if is_mixture else self.stage.contents[number]
        against = "sha256-" + "0" * 64 if is_stale else self.world.champion()
        verdict, before = write_judged(self.world, bundles, against), self.world.serials()
        error = self.world.attempt(lambda: publish(bundles, verdict, NAME), cut)
        if is_mixture:
            promise(self.world.serials() == before, "parts of two models were published")
            promise(cut is not None or isinstance(error, ConsistencyError), f"a mixture was not named: {error}")
            return
        promise(error is None or is_stale, f"not published: {error}")
        self.stage.counts["published"] += error is None

    @rule(number=st.integers(0, 3), cut=_cuts)
    def publish_and_promote(self, number: int, cut: int | None) -> None:
        """Register blessed bundles and promote them."""
        self.publish(number, None, is_stale=False)
        self.promote(None, cut)

    @rule(pick=st.none() | st.integers(0, 50), cut=_cuts)
    def promote(self, pick: int | None, cut: int | None) -> None:
        """Promote the challenger, or any release."""
        serial = self._serial(pick)
        error = self.world.attempt(lambda: promote(NAME, "challenger" if serial is None else serial), cut)
        promise(error is None or isinstance(error, NotFoundError | PromotionError), f"not promoted: {error}")
        self.stage.counts["promoted"] += error is None

    @rule(pick=st.none() | st.integers(0, 50), cut=_cuts)
    def roll_back(self, pick: int | None, cut: int | None) -> None:
        """Roll back to the release before, or to any; to the champion itself, which renews it."""
        to = self._serial(pick)
        error = self.world.attempt(lambda: rollback(NAME, to), cut)
        promise(error is None or isinstance(error, NotFoundError | PromotionError), f"not rolled back: {error}")
        self.stage.counts["rolled back"] += error is None

    def _serial(self, pick: int | None) -> int | None:
        known = self.world.serials()
        return known[pick % len(known)] if known and pick is not None else None

    # What machines do

    @rule(cut=_cuts)
    def pull_from_the_server(self, cut: int | None) -> None:
        """Follow the champion: it comes, unless there is none or its time is over."""
        champion = self.world.champion()
        error = self._pull(NODE, "champion", cut)
        if error is not None:
            fine = isinstance(error, NotFoundError) and champion is None
            if champion is not None:
                expired = self.world.has_expired(self.world.published()[champion])
                fine = isinstance(error, FreshnessError) and expired
            promise(fine, f"not pulled: {error}")
        elif cut is None:
            self._promise_current(NODE, champion)

    @rule(cut=_cuts)
    def pull_from_a_folder(self, cut: int | None) -> None:
        """Follow another machine's store: its current release comes, unless it is expired or damaged there."""
        node = self.world.store(NODE)
        error = self._pull(EDGE, "champion", cut)
        if error is not None:
            if self.world.damaged[NODE] or isinstance(error, FreshnessError):
                return
            promise(isinstance(error, NotFoundError) and not node.current_file.exists(), f"not pulled: {error}")
        elif cut is None:
            self._promise_current(EDGE, node.current_file.read_text().strip().replace(":", "-"))

    @rule(pick=st.integers(0, 50), cut=_cuts)
    def pull_by_serial(self, pick: int, cut: int | None) -> None:
        """Install any release that a person names."""
        serial = self._serial(pick)
        if serial is None:
            return
        error = self._pull(DESK, serial, cut)
        promise(error is None or isinstance(error, FreshnessError), f"not pulled: {error}")

    def _pull(self, machine: str, which: str | int, cut: int | None) -> Exception | None:
        world = self.world
        self.touched.add(machine)
        store, trust = world.store(machine), world.trust(machine)
        source = world.source(machine)
        error = world.attempt(lambda: pull(store, NAME, which, source=source, trust=trust, keep=2), cut)
        self.stage.counts["pulled"] += error is None
        return error

    def _promise_current(self, machine: str, folder: str | None) -> None:
        """What a pull that went through has to leave, whatever was damaged before."""
        digest = self.world.store(machine).current_digest() or Digest("")
        promise(digest.replace(":", "-") == folder, f"{machine}: another release is current")
        promise(not self.world.wrong_folders(machine, digest), f"{machine}: pulled, yet not whole")

    @rule(machine=_machines, keep=st.integers(1, 3), cut=_cuts)
    def prune(self, machine: str, keep: int, cut: int | None) -> None:
        """Remove old releases."""
        store = self.world.store(machine)
        self.touched.add(machine)

        def work() -> None:
            with locked(store):
                prune(store, keep)

        error = self.world.attempt(work, cut)
        promise(error is None or bool(self.world.damaged[machine]), f"not collected: {error}")

    @rule(machine=_machines)
    def hold(self, machine: str) -> None:
        """Some process begins to use the current release."""
        store = self.world.store(machine)
        try:
            digest = store.current_digest()
            if digest is not None:
                self.world.leases.append((machine, digest, take_lease(store.release_dir(digest))))
        except StoreError:
            promise(bool(self.world.damaged[machine]), "no lease on the current release")

    @rule()
    def let_go(self) -> None:
        """The process that began first ends."""
        if self.world.leases:
            self.world.leases.pop(0)[2].close()

    # What happens by itself

    @rule(machine=_machines, pick=st.integers(0, 1000), position=st.floats(0, 1), bit=st.integers(0, 7))
    def damage(self, machine: str, pick: int, position: float, bit: int) -> None:
        """A bit on a machine's disk flips."""
        root = self.world.root / machine
        files = sorted(path for path in root.rglob("*") if path.is_file() and path.name != "lock")
        files = [path for path in files if "incoming" not in path.parts]
        if not files:
            return
        path = files[pick % len(files)]
        data = bytearray(path.read_bytes())
        data[round(position * (len(data) - 1))] ^= 1 << bit
        path.unlink()
        path.write_bytes(data)
        self.world.damaged[machine].add(path.name if path.parent == root else path.parent.name)
        self.touched.add(machine)
        self.stage.counts["damaged"] += 1

    @rule(number=st.sampled_from([1, 1, 20, 91]))
    def time_passes(self, number: int) -> None:
        """Days go by; a release is good for 90."""
        self.world.now += timedelta(days=number)

    # What must hold after every step

    @invariant()
    def every_machine_holds_whole_releases(self) -> None:
        """The current release, the one before, and every one that is in use."""
        self.stage.counts["steps"] += 1
        self.is_fine = False
        for machine in MACHINES:
            self._check_machine(machine)
        self._check_server()
        self.touched.clear()
        self.is_fine = True

    def _check_machine(self, machine: str) -> None:
        store, damaged = self.world.store(machine), self.world.damaged[machine]
        in_use = {digest for owner, digest, _ in self.world.leases if owner == machine}
        pointers = {"current": self._pointer(machine, "current"), "previous": self._pointer(machine, "previous")}
        for digest in in_use | {digest for digest in pointers.values() if digest is not None}:
            wrong = self.world.wrong_folders(machine, digest)
            is_ours = digest.replace(":", "-") in damaged or wrong <= damaged
            promise(is_ours, f"{machine}: not whole: {sorted(wrong)}")
        current = pointers["current"]
        if machine in self.touched and current is not None:
            self._check_proof(machine, current)
        if current is not None and machine != DESK:
            serial = self._serial_of(current)
            promise(serial >= self.highest[machine], f"{machine}: #{serial} after #{self.highest[machine]}")
            self.highest[machine] = serial
        damaged -= {name for name in damaged if self._is_mended(machine, store.root / name, name)}

    def _pointer(self, machine: str, name: str) -> Digest | None:
        """A pointer; None if there is none, or if it is one that was damaged."""
        path = self.world.root / machine / name
        if name in self.world.damaged[machine] or not path.exists():
            return None
        digest = path.read_text().removesuffix("\n")
        promise(digest.replace(":", "-") in self.world.published(), f"{machine}: {name} names no release")
        return Digest(digest)

    def _check_proof(self, machine: str, digest: Digest) -> None:
        """What is whole is proved, and what is not is refused; a flipped signature file may go either way."""
        wrong = self.world.wrong_folders(machine, digest)
        try:
            prove(self.world.store(machine).installed(digest), self.world.trust(machine))
        except RejoinderError as error:
            promise(bool(wrong), f"{machine}: whole, yet refused: {error}")
        else:
            harmless = {digest.replace(":", "-")} if self._only_signature_differs(machine, digest) else set()
            promise(wrong <= harmless, f"{machine}: damaged, yet proved: {sorted(wrong)}")

    def _only_signature_differs(self, machine: str, digest: Digest) -> bool:
        folder = digest.replace(":", "-")
        published, path = self.world.published()[folder], self.world.root / machine / "releases" / folder
        return all((path / name).read_bytes() == published[name] for name in SIGNED)

    def _serial_of(self, digest: Digest) -> int:
        return int(json.loads(self.world.published()[digest.replace(":", "-")][RELEASE])["serial"])

    def _is_mended(self, machine: str, pointer: Path, name: str) -> bool:
        """Whether what was damaged is in order again: rewritten, or fetched anew."""
        if name in ("current", "previous"):
            text = pointer.read_text(errors="replace").strip() if pointer.exists() else ""
            return text.replace(":", "-") in self.world.published()
        truth: Any = self.stage.truth.get(name) or self.world.published().get(name)
        folder = "bundles" if name in self.stage.truth else "releases"
        return bool(read_files(self.world.root / machine / folder / name) == truth)

    def _check_server(self) -> None:
        serials = self.world.serials()
        promise(len(set(serials)) == len(serials), "a serial was given out twice")
        champion = self.world.champion()
        if champion is None:
            promise(not self.highest["champion"], "there is no champion any more")
            return
        promise(self.world.server_is_whole(champion), "the champion is not whole")
        serial = self._serial_of(Digest(champion.replace("-", ":", 1)))
        promise(serial >= self.highest["champion"], "the champion's serial fell")
        self.highest["champion"] = serial

    def teardown(self) -> None:
        """Clean up; count the run if nothing was lost."""
        self.stage.counts["survived"] += self.is_fine
        self.world.close()
