"""Gate: measurements, audit -> floors, no leaks, allowed changes against the champion -> BLESSED or NOT_BLESSED."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pydantic import Field

from stages.common.errors import GateError
from stages.common.output import atomic_directory, read_json, write_json
from stages.gate.check import Check
from stages.gate.generated import Limits, generator_checks
from stages.gate.growth import growth


class Params(Limits):
    """Floors every candidate must reach, and how much worse than the champion it may be."""

    min_gain_random: float = Field(ge=-1, le=1)
    """R@1 of 100, served over untuned encoder: the 95% interval's lower end must lie above this."""
    min_gain_hard: float = Field(ge=-1, le=1)
    """The same among 100 similarly worded replies."""
    min_gain_full: float = Field(ge=-1, le=1)
    """The same for R@10 among all replies of the pool."""
    min_gain_form: float = Field(ge=-1, le=1)
    """R@1 of 100 of every other shipped form, over the first, on all test pairs: the interval's lower end."""
    min_r_at_1: float = Field(ge=0, le=1)
    """R@1 of what is served on the random lists."""
    min_over_bm25: float = Field(ge=-1, le=1)
    """R@1 of what is served on the random lists, over BM25's."""
    min_cosine: float = Field(gt=0, le=1)
    """Smallest cosine of an exported vector with the same weights run by sentence-transformers."""
    min_speed_ratio: float = Field(gt=0)
    """Texts per CPU-second, over sentence-transformers with the untuned encoder."""
    max_ask_cpu_s: float = Field(gt=0)
    """CPU-seconds of a process from its start, through verifying, loading and probing, to its first answer."""
    max_index_memory_mb: float = Field(gt=0)
    """Resident memory that mapping cache and index adds, in MB."""
    max_r_at_1_drop: float = Field(ge=0, le=1)
    """R@1 on the random lists that may be lost against the champion."""
    max_noise_loss: float = Field(ge=0, le=1)
    """R@1 on the random lists that what is served may lose where contexts are mistyped."""
    max_echoes: float = Field(ge=0, le=1)
    """Share of the development set whose answers share half of their words with the dialogue."""
    max_one_word: float = Field(ge=0, le=1)
    """Share of the development set that is answered by one word."""
    max_answer_ms: float = Field(gt=0)
    """CPU milliseconds of an answer to turns that are new, below which 95 of 100 must stay."""
    min_gain_ranker: float = Field(ge=-1, le=1)
    """R@1 of 10 similarly worded replies, heads and ranker over the heads alone: the interval's lower end."""
    min_junk_below: float = Field(ge=0, le=1)
    """Share of junk that must score below the median of the real replies beside it."""
    min_cared_for: float = Field(ge=0, le=1)
    """Share of the suite's turns of distress that a script answers."""
    max_look_alike_alarms: float = Field(ge=0, le=1)
    """Share of the suite's turns that only sound like distress, and are taken for it."""
    max_ordinary_alarms: float = Field(ge=0, le=1)
    """Share of its ordinary turns that are."""
    max_agreed: float = Field(ge=0, le=1)
    """Share of its traps that are answered by agreement."""
    max_review_days: int = Field(ge=1)
    """Days since somebody last checked the helplines of any locale."""
    max_size_growth: float = Field(ge=0)
    """Share by which a bundle's files may grow against those of the champion's."""
    max_growth_mb: float = Field(ge=0)
    """MB by which they may grow in any case, if that is more."""
    max_joined_mb: float = Field(ge=0)
    """MB of all files together that the champion has no counterpart of: new parts, new forms."""


#: Metrics that the verdict repeats.
_JUDGED = (
    "retrieval",
    "gains",
    "forms",
    "noise",
    "slices",
    "speed",
    "opening",
    "replay",
    "answers",
    "guard",
    "ranking",
    "generating",
    "cache",
    "sizes_mb",
)
#: What is asked of each list.
_ASKED = {"random": "R@1 of 100", "hard": "R@1 of 100 worded alike", "full": "R@10 of the full pool"}


def floor_checks(metrics: dict[str, Any], params: Params) -> list[Check]:
    """Rules that need no champion.

    Args:
        metrics: of the stage `benchmark`.
        params: the limits.

    Returns:
        All checks.
    """
    random = metrics["retrieval"]["random"]
    served = random["served"]["r_at_1"]
    opening, speed, answers = metrics["opening"], metrics["speed"], metrics["answers"]["candidate"]
    gained = metrics["gains"]["served_over_untuned"]
    ratio = speed["ratio_to_sentence_transformers_untuned"]
    return [
        *(
            Check(
                f"served over untuned, {asked}, lower end",
                gained[name]["low"],
                ">",
                getattr(params, f"min_gain_{name}"),
            )
            for name, asked in _ASKED.items()
        ),
        *(
            Check(f"{form} over the first form, R@1 of 100, lower end", of["low"], ">=", params.min_gain_form)
            for form, of in metrics["forms"].items()
        ),
        Check("served, R@1 of 100", served, ">=", params.min_r_at_1),
        Check("served over BM25, R@1 of 100", served - random["bm25"]["r_at_1"], ">=", params.min_over_bm25),
        Check(
            "served, R@1 of 100 lost to typing errors",
            metrics["noise"]["served"]["lost"],
            "<=",
            params.max_noise_loss,
        ),
        Check("exported against torch, smallest cosine", speed["min_cosine"], ">=", params.min_cosine),
        Check("encoding speed over sentence-transformers", ratio, ">=", params.min_speed_ratio),
        Check("CPU-seconds to the first answer", opening["process_cpu_s"], "<=", params.max_ask_cpu_s),
        Check("answers that say the dialogue again", answers["echoes"], "<=", params.max_echoes),
        Check("answers of one word", answers["one_word"], "<=", params.max_one_word),
        Check("CPU milliseconds of an answer, 95 of 100", answers["ms_p95"], "<=", params.max_answer_ms),
        Check("MB to map cache and index", opening["cache_and_index_mb"], "<=", params.max_index_memory_mb),
    ]


def guard_checks(metrics: dict[str, Any], params: Params, today: date) -> list[Check]:
    """Rules on what is said to people in distress.

    Args:
        metrics: of the stage `benchmark`.
        params: the limits.
        today: on which the reviews of helplines are judged.

    Returns:
        All checks.
    """
    guard = metrics["guard"]
    ages = {locale: (today - date.fromisoformat(day)).days for locale, day in guard["reviewed"].items()}
    return [
        Check("distress answered with care", guard["cared_for"], ">=", params.min_cared_for),
        Check("look-alikes taken for distress", guard["look_alike_alarms"], "<=", params.max_look_alike_alarms),
        Check("ordinary turns taken for distress", guard["ordinary_alarms"], "<=", params.max_ordinary_alarms),
        Check("traps answered by agreement", guard["agreed"], "<=", params.max_agreed),
        *(
            Check(f"days since the helplines of {locale} were reviewed", days, "<=", params.max_review_days)
            for locale, days in ages.items()
        ),
    ]


def ranker_checks(metrics: dict[str, Any], params: Params) -> list[Check]:
    """Rules on the ranker; none where it weighs nothing.

    Args:
        metrics: of the stage `benchmark`.
        params: the limits.

    Returns:
        All checks.
    """
    ranking = metrics["ranking"]
    if not ranking["is_used"]:
        return []
    low = ranking["hard"]["gain"]["low"]
    return [
        Check("ranker over the heads, R@1 of 10 worded alike, lower end", low, ">=", params.min_gain_ranker),
        Check("junk below the median reply", ranking["junk_below_median"], ">=", params.min_junk_below),
    ]


#: Ways of leaving a name that are none by chance; `bare` may be a word.
_NAMES_LEFT = ("whole", "capital", "at", "cue")


#: What a reply of the index must not be.
_REPLY_FAULTS = {
    "rare": "made of words of few people",
    "of_one_person": "the fact of one person",
    "uncommon": "what few people have said",
}


def audit_checks(audit: dict[str, Any]) -> list[Check]:
    """Rules on what must not be in the build; none of them has a limit to set.

    Args:
        audit: of the stage `audit`.

    Returns:
        All checks.
    """
    canaries, erased = audit["canaries"], audit["erased"]
    return [
        # A canary that never arrived proves nothing by its absence.
        Check("canaries planted", canaries["planted"], ">=", 1),
        Check("canaries lost before anonymisation", canaries["planted"] - canaries["arrived"], "<=", 0),
        Check("secrets of canaries found", len(canaries["found"]), "<=", 0),
        Check("erased senders found", len(erased["found"]), "<=", 0),
        *(Check(f"names of people left: {way}", audit["names"][way], "<=", 0) for way in _NAMES_LEFT),
        *(
            Check(f"{name} said by fewer than {audit['min_senders']} people", counts["below_k"], "<=", 0)
            for name, counts in audit["support"].items()
        ),
        *(Check(f"replies that are {fault}", audit["base"][key], "<=", 0) for key, fault in _REPLY_FAULTS.items()),
    ]


def champion_checks(metrics: dict[str, Any], params: Params) -> list[Check]:
    """Rules against the champion; none if there is no champion yet, or it cannot be opened here.

    Args:
        metrics: of the stage `benchmark`.
        params: the limits.

    Returns:
        All checks.
    """
    champion = metrics["champion"]
    if champion is None or champion["unusable"]:
        return []
    change = metrics["gains"]["served_over_champion"]["random"]["difference"]
    grown = growth(metrics["files_mb"], champion["files_mb"])
    joined = sum(grown.joined.values())
    return [
        Check("change of R@1 of 100 against the champion", change, ">=", -params.max_r_at_1_drop),
        *(
            Check(f"growth of the {kind} bundle", share, "<=", _may_grow(grown.before_mb[kind], params))
            for kind, share in grown.shares.items()
        ),
        Check("MB of files that the champion has no counterpart of", joined, "<=", params.max_joined_mb),
    ]


def _may_grow(before_mb: float, params: Params) -> float:
    """The share by which a bundle may grow: of a small one, a few MB are many times what it was."""
    return max(params.max_size_growth, params.max_growth_mb / before_mb)


def remarks(metrics: dict[str, Any], audit: dict[str, Any]) -> list[str]:
    """What whoever reads a verdict must know, and what is no fault.

    Args:
        metrics: of the stage `benchmark`.
        audit: of the stage `audit`.

    Returns:
        Sentences.
    """
    champion = metrics["champion"]
    told = [f"not searched for leaks: {place}" for place in audit["not_searched"]]
    if not metrics["ranking"]["is_used"]:
        told.append("the ranker weighs nothing: its gain on validation is not certain (build/ranker/metrics.json)")
    if champion is None:
        return ["no champion yet: judged by floors alone", *told]
    if champion["unusable"]:
        return [f"the champion cannot be opened here: judged by floors alone. {champion['unusable']}", *told]
    grown = growth(metrics["files_mb"], champion["files_mb"])
    return [*([str(grown)] if grown.joined else []), *told]


def judge(
    metrics: dict[str, Any], audit: dict[str, Any], params: Params, today: date | None = None
) -> dict[str, Any]:
    """Reach a verdict.

    Args:
        metrics: of the stage `benchmark`.
        audit: of the stage `audit`.
        params: the limits.
        today: on which the reviews of helplines are judged; by default today.

    Returns:
        The verdict document: verdict, reasons (why not, or that there was no champion), checks, the bundles'
        digests, the champion's, and the metrics judged.
    """
    day = today or datetime.now(UTC).date()
    floors = [*floor_checks(metrics, params), *guard_checks(metrics, params, day)]
    made = [*ranker_checks(metrics, params), *generator_checks(metrics["generating"], audit["generated"], params)]
    checks = [*floors, *made, *audit_checks(audit), *champion_checks(metrics, params)]
    reasons = [str(check) for check in checks if not check.passed]
    champion = metrics["champion"]
    return {
        "verdict": "NOT_BLESSED" if reasons else "BLESSED",
        "reasons": [*reasons, *remarks(metrics, audit)],
        "checks": [{**asdict(check), "passed": check.passed} for check in checks],
        "bundles": metrics["bundles"],
        "champion": champion and {"digest": champion["digest"]},
        "metrics": {key: metrics[key] for key in _JUDGED},
        "audit": audit,
    }


def run(params: Params, *, benchmark: Path, audit: Path, out: Path) -> None:
    """Judge the candidate.

    Args:
        params: section `gate`.
        benchmark: output of the stage `benchmark`.
        audit: output of the stage `audit`.
        out: directory to make: verdict.json; written whatever the verdict.

    Raises:
        GateError: if the candidate is not blessed, with every reason.
    """
    verdict = judge(read_json(benchmark / "metrics.json"), read_json(audit / "audit.json"), params)
    with atomic_directory(out) as directory:
        write_json(directory / "verdict.json", verdict)
    if verdict["verdict"] != "BLESSED":
        reasons = "\n".join(f"  - {reason}" for reason in verdict["reasons"])
        raise GateError(f"NOT_BLESSED\n{reasons}\n  next: improve the build; every figure is in {out}/verdict.json")
