"""Guard and router are built of a tiny model's vectors, and open in a release."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from rejoinder.errors import RejoinderError
from rejoinder.parts import GUARD, INTENTS, VECTORIZER
from rejoinder.parts.care import HELPLINES, OFFENSIVE, read_care
from rejoinder.parts.intents import ENTRIES
from rejoinder.parts.opened import open_model, open_release
from stages.common.turn_vectors import write_turns
from stages.guard import stage as guard_stage
from stages.guard.stage import everyday_turns
from stages.intents import stage as intents_stage
from tests.bundles import _SENTENCES, build_whole, pin

GUARDED = guard_stage.Params(
    locale="en-US", care_turns=1, most_examples=50, strength=10.0, ordinary=40,
    max_alarms=0.1, max_look_alike_alarms=0.5, max_checks=0.15, max_cautions=0.2, max_vetoes=0.1,
    everyday=50, grave_themes=["grave"], max_everyday_alarms=0.9, hidden=8, held_out=0.3, seed=0,
)  # fmt: skip
ROUTED = intents_stage.Params(
    character={"name": "Remy"}, time_zone="UTC", most_phrases=50, min_probability=0.5, strength=10.0, ordinary=40,
    ordinary_weight=1.0, max_cosine=0.9, held_out=0.3, seed=0,
)  # fmt: skip
SAD = [f"{who} miss home" for who in ("i", "you", "we", "they", "my cat", "the weather")]
THEMES: list[dict[str, Any]] = [
    {"theme": "rain", "turns": ["i love rain", "I want hello.", SAD[0]], "replies": ["Oh no.", "Stay dry!"]},
    {"theme": "grave", "turns": ["they miss rain"], "replies": ["I am here.", "Go on."]},
]
ASKED = [f"{who} know music" for who in ("i", "you", "we", "they", "my cat", "the weather")]


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A folder with what the stages read."""
    bundles = build_whole(tmp_path / "build")
    vectorizer, _ = open_model(bundles["model"])
    sentences = list(_SENTENCES)
    rows = [{"split": split, "context": [text]} for n, text in enumerate(sentences) for split in [_split(n)]]
    (tmp_path / "dialogues").mkdir()
    pl.DataFrame(rows).write_parquet(tmp_path / "dialogues" / "pairs.parquet")
    (tmp_path / "turns").mkdir()
    write_turns(tmp_path / "turns", vectorizer, sentences, vectorizer.encode(sentences))
    care = tmp_path / "care"
    care.mkdir()
    kind = {
        "kind": "sad", "turns": SAD, "look_alikes": ["i love home", "we know home"], "phrases": ["want hello"],
        "unless": [], "first": ["Here. {helpline}"], "next": ["Still here."],
        "check": ["All right?"],
    }  # fmt: skip
    lines = [{"locale": "en-US", "reviewed": datetime.date(2026, 11, 27), "lines": {"sad": "Call."}}]
    judged = {"offensive": ["you want rain", "they want rain"], "acceptable": ["we love rain"] * 2, "words": ["x"]}
    for name, document in (("sad.yaml", kind), (HELPLINES, lines), (OFFENSIVE, judged)):
        (care / name).write_text(yaml.safe_dump(document))
    (tmp_path / "intents").mkdir()
    entry = {"intent": "asks", "phrases": ASKED, "replies": ["I'm {name}."]}
    (tmp_path / "intents" / "some.yaml").write_text(yaml.safe_dump([entry]))
    (tmp_path / "remarks").mkdir()
    (tmp_path / "remarks" / "some.yaml").write_text(yaml.safe_dump(THEMES))
    return tmp_path


def _split(number: int) -> str:
    return "validation" if number % 3 == 0 else "train"


def run_guard(built: Path) -> None:
    guard_stage.run(
        GUARDED,
        care=built / "care",
        remarks=built / "remarks",
        intents=built / "intents",
        dialogues=built / "dialogues",
        export=built / "build",
        turns=built / "turns",
        out=built / "guard",
    )


def run_intents(built: Path) -> None:
    intents_stage.run(
        ROUTED,
        intents=built / "intents",
        dialogues=built / "dialogues",
        export=built / "build",
        turns=built / "turns",
        guard=built / "guard",
        out=built / "intents-out",
    )


def test_everyday_turns_are_those_of_remarks_and_intents_that_care_does_not_know(built: Path) -> None:
    care = read_care(built / "care", "en-US")
    assert everyday_turns(GUARDED, built / "remarks", built / "intents", care) == ["i love rain", *ASKED]


def test_both_open_in_a_release_of_that_model(built: Path) -> None:
    run_guard(built)
    run_intents(built)
    bundles = {path.name: path for path in (built / "build").iterdir() if (path / "manifest.json").exists()}
    bundles |= {
        GUARD.bundle: built / "guard" / GUARD.bundle,
        INTENTS.bundle: built / "intents-out" / INTENTS.bundle,
    }
    opened = open_release(pin(bundles))
    assert opened.guard is not None
    assert opened.intents is not None
    assert opened.guard.scripts["sad"].first == ("Here. Call.",)
    assert opened.intents.intents[0].replies == ("I'm Remy.",)
    figures = json.loads((built / "guard" / "metrics.json").read_text())
    assert figures["reviewed"] == {"en-US": "2026-11-27"}
    assert 0 <= figures["sensitive"]["ordinary"] <= GUARDED.max_alarms
    assert figures["min_caution"] <= figures["min_sensitive"]
    assert set(json.loads((built / "intents-out" / "metrics.json").read_text())) >= {"found", "overlaps"}


def test_the_same_again_is_the_same_bundle(built: Path) -> None:
    run_guard(built)
    first = (built / "guard" / GUARD.bundle / "manifest.json").read_bytes()
    run_guard(built)
    assert (built / "guard" / GUARD.bundle / "manifest.json").read_bytes() == first


def test_a_reply_that_the_guard_would_veto_is_left_out_and_named(built: Path) -> None:
    run_guard(built)
    entry = {"intent": "asks", "phrases": ASKED, "replies": ["I like x a lot.", "Fine."]}
    (built / "intents" / "some.yaml").write_text(yaml.safe_dump([entry]))
    run_intents(built)
    told = (built / "intents-out" / "metrics.json").read_text()
    assert json.loads(told)["left_out"] == ["asks, reply 1"]
    assert "like x" not in told + (built / "intents-out" / INTENTS.bundle / ENTRIES).read_text()


def test_an_intent_without_a_fit_reply_builds_nothing(built: Path) -> None:
    run_guard(built)
    entry = {"intent": "asks", "phrases": ASKED, "replies": ["I like x a lot."]}
    (built / "intents" / "some.yaml").write_text(yaml.safe_dump([entry]))
    with pytest.raises(RejoinderError, match="got none for asks") as caught:
        run_intents(built)
    assert "like x" not in str(caught.value)


def test_a_locale_without_helplines_builds_nothing(built: Path) -> None:
    with pytest.raises(RejoinderError, match="expected the locale fr-FR"):
        guard_stage.run(
            GUARDED.model_copy(update={"locale": "fr-FR"}),
            care=built / "care",
            dialogues=built / "dialogues",
            export=built / "build",
            turns=built / "turns",
            out=built / "guard",
        )
    assert not (built / "guard").exists()


def test_a_model_bundle_lies_where_the_stages_look(built: Path) -> None:
    assert (built / "build" / VECTORIZER.bundle / "manifest.json").exists()
