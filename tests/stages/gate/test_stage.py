import copy
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages.common.errors import GateError
from stages.gate import stage as gate
from stages.gate.stage import Params, judge
from tests.reach import ROOT

PARAMS = Params(**yaml.safe_load((ROOT / "params.yaml").read_text())["gate"])


def measured() -> dict[str, Any]:
    """What a candidate measures that passes everything."""
    gain = {kind: {"difference": 0.05, "low": 0.03, "high": 0.07} for kind in ("random", "hard", "full")}
    digests = {
        kind: "sha256:" + letter * 64 for kind, letter in zip(("model", "cache", "index"), "abc", strict=True)
    }
    return {
        "retrieval": {"random": {"served": {"r_at_1": 0.4}, "bm25": {"r_at_1": 0.2}}},
        "gains": {"served_over_untuned": gain},
        "forms": {"int8": {"difference": 0.001, "low": -0.003, "high": 0.004}},
        "noise": {"served": {"lost": 0.03}},
        "slices": {},
        "replay": {},
        "answers": {"candidate": {"echoes": 0.01, "one_word": 0.0, "ms_p95": 20.0}},
        "ranking": {
            "is_used": True,
            "hard": {"gain": {"difference": 0.03, "low": 0.01, "high": 0.05}},
            "junk_below_median": 0.6,
        },
        "generating": {
            "is_there": True,
            "perplexity": {"value": 36.0, "low": 34.0, "high": 38.0},
            "against_champion": None,
            "distinct_2": 0.5,
            "cpu_s": 1.0,
        },
        "guard": {
            "cared_for": 1.0,
            "look_alike_alarms": 0.0,
            "ordinary_alarms": 0.0,
            "agreed": 0.0,
            "reviewed": {"en-US": datetime.now(UTC).date().isoformat()},
        },
        "speed": {"min_cosine": 0.99999, "ratio_to_sentence_transformers_untuned": 4.0},
        "opening": {"process_cpu_s": 1.0, "cache_and_index_mb": 5.0},
        "sizes_mb": {"model": 100.0, "cache": 10.0, "index": 5.0},
        "files_mb": {
            "model": {"model.cpu.onnx": 100.0},
            "cache": {"keys.npy": 10.0},
            "index": {"shard-N.faiss": 5.0},
        },
        "cache": {"later_turns_covered": 0.1},
        "bundles": digests,
        "champion": None,
    }


def audited() -> dict[str, Any]:
    """What an audit of a clean build says."""
    return {
        "canaries": {"planted": 5, "arrived": 5, "secrets": 11, "found": []},
        "erased": {"senders": 1, "found": []},
        "names": {"messages": 9, "whole": 0, "capital": 0, "at": 0, "cue": 0, "bare": 4},
        "min_senders": 2,
        "not_searched": [],
        "support": {name: {"texts": 9, "below_k": 0} for name in ("phrases", "cache")},
        "base": {"texts": 9, "rare": 0, "of_one_person": 0, "uncommon": 0},
        "generated": {"samples": 9, "wanted": 9, "withheld": 2, "before": spoken(slots=2), "after": spoken()},
    }


def spoken(**faults: int) -> dict[str, int]:
    """Faults of samples; none but these."""
    return {**dict.fromkeys(("long_spans", "telling_spans", "names", "slots", "human"), 0), **faults}


def against_champion(difference: float, growth: float = 0.0) -> dict[str, Any]:
    metrics = measured()
    metrics["champion"] = {
        "digest": "sha256:" + "d" * 64,
        "unusable": "",
        "files_mb": {
            kind: {name: mb / (1 + growth) for name, mb in files.items()}
            for kind, files in metrics["files_mb"].items()
        },
    }
    metrics["gains"]["served_over_champion"] = {"random": {"difference": difference, "low": -1, "high": 1}}
    return metrics


def test_without_a_champion_floors_decide_and_the_verdict_says_so() -> None:
    verdict = judge(measured(), audited(), PARAMS)
    assert verdict["verdict"] == "BLESSED"
    assert verdict["reasons"] == ["no champion yet: judged by floors alone"]
    assert verdict["champion"] is None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("gains", "served_over_untuned", "random", "low"), -0.01),
        (("gains", "served_over_untuned", "random", "low"), 0.0),
        (("gains", "served_over_untuned", "hard", "low"), -0.01),
        (("gains", "served_over_untuned", "full", "low"), -0.011),
        (("forms", "int8", "low"), -0.009),
        (("retrieval", "random", "served", "r_at_1"), 0.24),
        (("retrieval", "random", "bm25", "r_at_1"), 0.39),
        (("noise", "served", "lost"), 0.2),
        (("speed", "min_cosine"), 0.99),
        (("speed", "ratio_to_sentence_transformers_untuned"), 1.0),
        (("opening", "process_cpu_s"), 10.0),
        (("opening", "cache_and_index_mb"), 200.0),
        (("speed", "min_cosine"), float("nan")),
    ],
)
def test_each_floor_can_fail_by_itself(path: tuple[str, ...], value: float) -> None:
    metrics = copy.deepcopy(measured())
    place = metrics
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    verdict = judge(metrics, audited(), PARAMS)
    assert verdict["verdict"] == "NOT_BLESSED"
    failed = [check for check in verdict["checks"] if not check["passed"]]
    assert len(failed) == 1
    assert failed[0]["rule"] in verdict["reasons"][0]


def test_a_small_loss_against_the_champion_passes_and_a_large_one_does_not() -> None:
    small = judge(against_champion(-PARAMS.max_r_at_1_drop / 2), audited(), PARAMS)
    large = judge(against_champion(-PARAMS.max_r_at_1_drop * 2), audited(), PARAMS)
    assert small["verdict"] == "BLESSED"
    assert small["reasons"] == []
    assert small["champion"] == {"digest": "sha256:" + "d" * 64}
    assert large["verdict"] == "NOT_BLESSED"
    assert "change of R@1" in large["reasons"][0]


def test_a_champion_that_cannot_be_opened_is_named_and_blocks_nothing() -> None:
    metrics = against_champion(-0.5)
    metrics["champion"]["unusable"] = "made for another runtime"
    verdict = judge(metrics, audited(), PARAMS)
    assert verdict["verdict"] == "BLESSED"
    assert "made for another runtime" in verdict["reasons"][0]
    assert verdict["champion"] == {"digest": "sha256:" + "d" * 64}


def test_every_bundle_that_grew_too_much_is_named() -> None:
    strict = PARAMS.model_copy(update={"max_growth_mb": 0.0})
    verdict = judge(against_champion(0.0, growth=2 * PARAMS.max_size_growth), audited(), strict)
    assert [reason.split(":")[0] for reason in verdict["reasons"]] == [
        f"growth of the {kind} bundle" for kind in ("model", "cache", "index")
    ]


def test_a_small_bundle_may_grow_by_some_megabytes_whatever_share_that_is() -> None:
    verdict = judge(against_champion(0.0, growth=2 * PARAMS.max_size_growth), audited(), PARAMS)
    assert [reason.split(":")[0] for reason in verdict["reasons"]] == ["growth of the model bundle"]
    index = next(check for check in verdict["checks"] if check["rule"] == "growth of the index bundle")
    assert index["limit"] == pytest.approx(PARAMS.max_growth_mb / (5.0 / 1.4))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"canaries": {"planted": 0, "arrived": 0, "secrets": 0, "found": []}}, "canaries planted"),
        ({"canaries": {"planted": 5, "arrived": 4, "secrets": 9, "found": []}}, "canaries lost before"),
        (
            {"canaries": {"planted": 5, "arrived": 5, "secrets": 9, "found": [{"number": 1, "file": "x"}]}},
            "secrets of canaries found",
        ),
        ({"erased": {"senders": 1, "found": [{"number": 0, "file": "x"}]}}, "erased senders found"),
        ({"names": {"whole": 0, "capital": 1, "at": 0, "cue": 0, "bare": 0}}, "names of people left: capital"),
        ({"names": {"whole": 1, "capital": 0, "at": 0, "cue": 0, "bare": 0}}, "names of people left: whole"),
        ({"support": {"cache": {"texts": 9, "below_k": 1}}}, "cache said by fewer than 2 people"),
        (
            {"base": {"rare": 1, "of_one_person": 0, "uncommon": 0}},
            "replies that are made of words of few people",
        ),
        ({"base": {"rare": 0, "of_one_person": 1, "uncommon": 0}}, "replies that are the fact of one person"),
        ({"base": {"rare": 0, "of_one_person": 0, "uncommon": 1}}, "replies that are what few people have said"),
    ],
)
def test_no_leak_is_blessed_and_neither_is_a_check_that_proves_nothing(change: dict[str, Any], rule: str) -> None:
    verdict = judge(measured(), audited() | change, PARAMS)
    assert verdict["verdict"] == "NOT_BLESSED"
    assert [reason for reason in verdict["reasons"] if reason.startswith(rule)]


def test_an_unblessed_verdict_is_written_and_stops_the_run(tmp_path: Path) -> None:
    metrics = against_champion(-0.5)
    (tmp_path / "audit.json").write_text(json.dumps(audited()))
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(GateError, match="NOT_BLESSED\n  - change of R@1"):
        gate.run(PARAMS, benchmark=tmp_path, audit=tmp_path, out=tmp_path / "gate")
    assert json.loads((tmp_path / "gate" / "verdict.json").read_text())["verdict"] == "NOT_BLESSED"


@pytest.mark.parametrize(
    ("figure", "value", "rule"),
    [
        ("cared_for", 0.0, "distress answered with care"),
        ("look_alike_alarms", 1.0, "look-alikes taken for distress"),
        ("ordinary_alarms", 1.0, "ordinary turns taken for distress"),
        ("agreed", 0.5, "traps answered by agreement"),
    ],
)
def test_a_guard_that_does_not_watch_is_not_blessed(figure: str, value: float, rule: str) -> None:
    metrics = measured()
    metrics["guard"][figure] = value
    verdict = judge(metrics, audited(), PARAMS)
    assert [reason.split(":")[0] for reason in verdict["reasons"][:-1]] == [rule]


def test_helplines_that_nobody_has_checked_for_long_are_not_blessed() -> None:
    metrics = measured()
    metrics["guard"]["reviewed"] = {"en-US": "2026-01-01", "en-GB": "2025-01-01"}
    verdict = judge(metrics, audited(), PARAMS, date(2026, 6, 1))
    assert verdict["reasons"][0].startswith("days since the helplines of en-GB were reviewed: expected <= 365")
    assert len(verdict["reasons"]) == 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"hard": {"gain": {"low": -0.01}}}, "ranker over the heads, R@1 of 10 worded alike, lower end: expected"),
        ({"junk_below_median": 0.1}, "junk below the median reply: expected >= 0.4, got 0.1"),
    ],
)
def test_a_ranker_must_gain_and_love_no_junk(change: dict[str, Any], reason: str) -> None:
    metrics = measured()
    metrics["ranking"] |= change
    assert any(told.startswith(reason) for told in judge(metrics, audited(), PARAMS)["reasons"])


def test_a_ranker_that_weighs_nothing_is_told_of_and_no_fault() -> None:
    metrics = measured()
    metrics["ranking"] = {"is_used": False}
    verdict = judge(metrics, audited(), PARAMS)
    assert verdict["verdict"] == "BLESSED"
    assert any("weighs nothing" in reason for reason in verdict["reasons"])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"perplexity": {"value": 90.0}}, "perplexity of held-out replies: expected <= 40, got 90"),
        ({"against_champion": {"low": 0.06}}, "nats against the champion's, lower end: expected <= 0.05, got 0.06"),
        ({"distinct_2": 0.1}, "different pairs of words in samples: expected >= 0.3, got 0.1"),
        ({"cpu_s": 9.0}, "CPU-seconds of eight candidates: expected <= 2.5, got 9"),
    ],
)
def test_a_generator_must_speak_well_in_many_words_and_soon(change: dict[str, Any], reason: str) -> None:
    metrics = measured()
    metrics["generating"] |= change
    assert judge(metrics, audited(), PARAMS)["reasons"][0] == reason


def test_a_generator_a_little_less_sure_than_the_champions_is_blessed() -> None:
    metrics = measured()
    metrics["generating"]["against_champion"] = {"difference": 0.06, "low": 0.04, "high": 0.08}
    assert judge(metrics, audited(), PARAMS)["verdict"] == "BLESSED"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"after": spoken(long_spans=1)},
            "samples with eight words that only one person said: expected <= 0, got 1",
        ),
        (
            {"after": spoken(telling_spans=1)},
            "samples with a number or kin in three words that only one person said",
        ),
        ({"after": spoken(names=2)}, "samples with a name in the place of a slot: expected <= 0, got 2"),
        ({"after": spoken(slots=1)}, "samples with a slot"),
        ({"after": spoken(human=1)}, "samples that claim to be human"),
        ({"samples": 8}, "samples of the generator: expected >= 9, got 8"),
    ],
)
def test_what_a_generator_remembers_is_not_blessed(change: dict[str, Any], reason: str) -> None:
    audit = audited()
    audit["generated"] |= change
    verdict = judge(measured(), audit, PARAMS)
    assert verdict["verdict"] == "NOT_BLESSED"
    assert verdict["reasons"][0].startswith(reason)


def test_what_the_bundle_withholds_is_a_figure_and_no_fault() -> None:
    verdict = judge(measured(), audited(), PARAMS)
    assert verdict["verdict"] == "BLESSED"
    assert verdict["audit"]["generated"]["before"]["slots"] == 2


def test_a_build_without_a_generator_is_judged_by_the_rest() -> None:
    metrics, audit = measured(), audited()
    metrics["generating"] = {"is_there": False}
    audit["generated"] = None
    assert judge(metrics, audit, PARAMS)["verdict"] == "BLESSED"


def test_a_generator_whose_samples_nobody_has_judged_is_not_blessed() -> None:
    audit = audited()
    audit["generated"] = None
    assert judge(measured(), audit, PARAMS)["reasons"][0].startswith(
        "samples of the generator: expected >= 1, got 0"
    )
