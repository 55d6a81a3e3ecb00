"""A whole release without a generator, in which any speaker can be put, and what the tests ask of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rejoinder.answer.asked import Asked
from rejoinder.answer.reply import Candidate, Reply
from rejoinder.answer.responder import Options, Responder
from rejoinder.answer.retrieve import encode, retrieve
from rejoinder.answer.state import State
from rejoinder.dialogue import Dialogue
from rejoinder.parts import GENERATOR, HEADS, RANKER, REMARKS, Kind
from rejoinder.parts.opened import OpenRelease, open_model, open_release
from rejoinder.release.manifest import read_manifest
from rejoinder.release.trust import Trust
from tests.bundles import KEY, pin
from tests.guards import build_guard
from tests.rankers import build_ranker
from tests.rejoinder.answer.speakers import Speaker, speaking

PIZZA = Dialogue.from_lines(["you know pizza"])
#: A turn that no sharp guard of the tests takes for anything.
CALM = "i like home"
#: What the tiny release holds nothing like.
NEW = ("My cat feel rain, they miss hello.", "We want the weather?")


def with_part(bundles: dict[Kind, Path], folder: Path, build: Callable[..., None], **facts: Any) -> OpenRelease:
    """The release with another guard, other remarks, or another ranker."""
    vectorizer, _ = open_model(bundles["model"])
    if build is build_guard:
        build(folder, vectorizer, **facts)
        kind = "guard"
    elif build is build_ranker:
        build(folder, vectorizer, bundles[HEADS.bundle], **facts)
        kind = RANKER.bundle
    else:
        build(folder, bundles[HEADS.bundle], read_manifest(bundles[HEADS.bundle]), vectorizer, **facts)
        kind = REMARKS.bundle
    return open_release(pin({**bundles, kind: folder}), trust=Trust(KEY.parent))


def answered(release: OpenRelease, speaker: Speaker, dialogue: Dialogue = PIZZA, **options: Any) -> Reply:
    """The reply of a release with a generator."""
    return Responder(speaking(release, speaker), options=Options(**options)).answer(dialogue)


def generated(reply: Reply) -> list[Candidate]:
    return [candidate for candidate in reply.trace.candidates if candidate.source == GENERATOR.name]


def ready(release: OpenRelease, dialogue: Dialogue = PIZZA, asked: Asked | None = None, **more: Any) -> State:
    """The state before the step."""
    return replace(retrieve(encode(State(release, dialogue, asked or Asked()))), **more)
