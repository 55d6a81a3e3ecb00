"""What each part makes of samples and figures, on cases made by hand."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from benchmarks.generator import diversity, human, likelihood, perplexity
from benchmarks.generator.__main__ import PARTS
from benchmarks.generator.conversations import WAYS, markdown, page, read_scripts
from benchmarks.generator.goals import GOALS
from benchmarks.generator.held_out import Item, read_items
from benchmarks.generator.judgement import midst
from benchmarks.generator.samples import HUMAN, SHIPPED, Samples
from benchmarks.generator.setting import BASE, TUNED
from benchmarks.parts import Part, goals_table

TOPICS = "hobbies", "work", "housing", "food", "family", "films", "travel", "feelings", "small talk", "pets"
WORDS = ["a", "b", "c", "d", "e", "f", "g", "h"]


def items(count: int) -> list[Item]:
    random = np.random.default_rng(0)
    return [Item(f"c{n // 2}", ("hi",), (False,), " ".join(random.choice(WORDS, 1 + n % 3))) for n in range(count)]


def bag(texts: list[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Counts of words as vectors."""
    return np.array([[text.split().count(word) for word in (*WORDS, "x", "y")] for text in texts], np.float32)


def test_whoever_speaks_like_people_cannot_be_told_from_them() -> None:
    asked = items(120)
    parrot: list[list[str | None]] = [[one.reply for one in asked[2:] + asked[:2]]]
    odd: list[list[str | None]] = [["x " * len(one.reply.split()) for one in asked]]
    found = human.figures_of(Samples(asked, {HUMAN: [], TUNED: parrot, BASE: odd}), bag, 200)
    assert found["systems"][BASE]["auc"][0] > 0.95
    assert found["systems"][TUNED]["auc"][0] < 0.65
    assert 0.3 < found["systems"][human.CHECK]["auc"][0] < 0.7
    assert found["difference"][2] < 0
    assert found["systems"][TUNED]["answers"] == found["systems"][BASE]["answers"]
    assert f"{TUNED} less {BASE}" in human.report(found)


def test_lengths_alone_tell_nothing() -> None:
    asked = items(60)
    longer = [one.reply + " a b c" if n % 2 else one.reply for n, one in enumerate(asked)]
    texts = human.matched(Samples(asked, {}), longer)
    lengths = [[len(t.split()) for t, m in zip(texts.texts, texts.machine, strict=True) if m == k] for k in (0, 1)]
    assert lengths[0] == lengths[1] != []


def test_samples_are_counted_without_those_who_said_nothing() -> None:
    asked = [Item("c", ("do you like my old cat",), (False,), "yes")] * 4
    said: list[list[str | None]] = [["you like my old hat", None, "no no no no no", "a b"]]
    found = diversity.figures_of(Samples(asked, {SHIPPED: said}), 8)["systems"][SHIPPED]
    assert found["answered"] == 0.75
    assert found["copied"] == pytest.approx((0.5 + 0) / 2)
    assert found["repeated"] == pytest.approx((0 + 0.5) / 2)
    assert found["different"] == 1
    assert found["median"] == 5


def test_variety_is_counted_in_as_many_words_as_who_said_least_has_said() -> None:
    asked = [Item("c", ("do you",), (False,), "one two three four")] * 2
    texts: dict[str, list[list[str | None]]] = {HUMAN: [["a b c d", "a b c d"]], SHIPPED: [["no no no", None]]}
    found = diversity.figures_of(Samples(asked, {**texts, "mute": [[None, None]]}), 1500)
    assert found["words"] == 3
    assert [found["systems"][name]["distinct1"] for name in (HUMAN, SHIPPED, "mute")] == [1, 1 / 3, None]


@pytest.mark.parametrize(
    ("scores", "right"),
    [
        ([2.0, 1.0], True),
        ([1.0, 1.0], False),
        ([math.nan, 1.0], False),
        ([1.0, math.nan], True),
        ([math.nan, math.nan], False),
    ],
)
def test_a_tie_and_what_cannot_be_said_are_wrong(scores: list[float], right: bool) -> None:
    assert likelihood.is_first(np.array(scores)) is right


def test_held_out_replies_are_of_the_test_split_and_known_sources(tmp_path: Path) -> None:
    rows = [
        ("1", "c1", "test", "chitchat", ["a", "b", "c", "d"], [True, False, True, False], "e"),
        ("2", "c1", "train", "chitchat", ["a"], [False], "no"),
        ("3", "c2", "test", "seinfeld", ["a"], [False], "no"),
        ("4", "c3", "test", "chitchat", ["a"], [False], "by <PERSON_1>"),
    ]
    names = ["pair_id", "conversation_id", "split", "source", "context", "context_own", "reply"]
    pl.DataFrame(rows, schema=names, orient="row").write_parquet(tmp_path / "pairs.parquet")
    (found,) = read_items(tmp_path / "pairs.parquet", ["chitchat"], 10, 1)
    assert found == Item("c1", ("b", "c", "d"), (False, True, False), "e")
    assert (found.earlier, found.others) == (["c"], ["b", "d"])


def test_dialogues_to_judge_alternate_and_come_once_a_conversation(tmp_path: Path) -> None:
    rows = [
        ("1", "c1", "test", ["a", "b\nc", "d"], [False, True, False]),
        ("2", "c1", "test", ["b", "d", "e"], [False, True, False]),
        ("3", "c2", "test", ["a", "b", "c"], [False, False, False]),
        ("4", "c3", "test", ["a", "<PERSON_1>", "c"], [False, True, False]),
        ("5", "c4", "train", ["a", "b", "c"], [False, True, False]),
    ]
    names = ["pair_id", "conversation_id", "split", "context", "context_own"]
    pl.DataFrame(rows, schema=names, orient="row").write_parquet(tmp_path / "pairs.parquet")
    assert midst(tmp_path / "pairs.parquet", 10, 1) in ([["a", "b c", "d"]], [["b", "d", "e"]])


def test_the_base_is_held_to_its_best() -> None:
    systems = {BASE: [50.0, 0, 0], perplexity.MESSAGE: [40.0, 0, 0], perplexity.ALONE: [1.0, 0, 0]}
    assert perplexity.control(systems) == perplexity.MESSAGE
    assert perplexity.control({}) is None


def test_goals_say_what_was_not_measured() -> None:
    assert goals_table(GOALS, {}).count("not measured") == len(GOALS)
    assert {goal.part for goal in GOALS} <= {part.name for part in PARTS}
    figures = {"times": {"1": {"found": 0, "planted": 4}, "100": {"found": 4, "planted": 4}}}
    (row,) = [line for line in goals_table(GOALS, {"memory": figures}).splitlines() if "canaries" in line]
    assert row.endswith("| yes |")
    figures["times"]["1"]["found"] = 1
    assert "**no**" in goals_table(GOALS, {"memory": figures})


def test_scripts_cover_the_topics_and_are_as_long_as_the_page_says() -> None:
    scripts = read_scripts()
    assert {*scripts} == set(TOPICS)
    assert {len(script) for scripts_ in scripts.values() for script in scripts_} == {3}


def test_the_page_needs_nothing_else_and_escapes_what_was_said() -> None:
    turns = [
        {"speaker": "user", "text": "<b>hi</b>", "source": "", "others": []},
        {"speaker": "bot", "text": "hello", "source": "generator", "others": [("so", "guard"), ("too", "")]},
        {"speaker": "bot", "text": "", "source": "", "others": []},
    ]
    found = {
        "release": "x #1",
        "topics": [{"topic": "pets", "held": [{"title": "hi", "talks": {way.title: turns for way in WAYS}}]}],
    }
    html = page(found)
    assert not re.search(r"https?://|<script|<link|@import|url\(", html)
    assert "&lt;b&gt;hi&lt;/b&gt;" in html
    assert "prefers-color-scheme: dark" in html
    assert "viewport" in html
    assert html.count('class="talk"') == len(WAYS)
    assert "- **hello** (generator)" in markdown(found)
    assert json.loads(json.dumps(found)) is not None


def test_figures_do_not_take_the_names_that_every_part_has(tmp_path: Path) -> None:
    setting = SimpleNamespace(folder=tmp_path, what="a bundle")
    part: Part[Any] = Part("one", "One", lambda _: {"load": 3}, str, "One.")
    with pytest.raises(ValueError, match="every part has load"):
        part.run(setting)


def test_lists_are_shown_with_what_they_were_taken_from(tmp_path: Path) -> None:
    measured = {
        "lists": 30,
        "all": 2000,
        "checksum": "sha256:" + 64 * "0",
        "found": {"random": {SHIPPED: {"token": [0.07, 0.0, 0.17], "reply": [0.0, 0.0, 0.0], "gain": None}}},
    }
    part: Part[Any] = replace(likelihood.PART, measure=lambda _: measured)
    shown = part.section(part.run(SimpleNamespace(folder=tmp_path, what="a bundle")))
    assert "30 of 2,000 lists (`sha256:000000000000`)" in shown
    assert "| shipped | 0.07 [0.00, 0.17] | 0.00 [0.00, 0.00] | - | - |" in shown
