"""Weak reactions: what the other person said next, read as a reaction to the reply.

A rule sees the first message of the next turn, in its canonical form. The first rule that fits wins: clearer and
rarer ones stand first. A weight is the rule's precision on lines read by hand, see
docs/decisions/0011-dialogue-assembly.md.
Rules are never changed in place: a changed rule gets a new version and new ids.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from stages.common.messages import Reaction

RULES_VERSION = 1

_SO = r"(?:(?:so|really|very|pretty|such|a|kinda|kind of|just|too|quite|super|freaking) )*"
_THAT_IS = r"(?:that(?:['’]?s| is| was| sounds)|thats|sounds|how) "
_LAUGH = r"(?:a*h+[ae]+h+[aeh]*|ha(?:[ -]ha)+|l+o+l+(?:ol)*|lmf?ao+|rofl)"


@dataclass(frozen=True, slots=True)
class WeakRule:
    """One rule.

    Attributes:
        id: version and name, as found in `weak_rule`.
        label: the reaction it stands for.
        weight: (0, 1], share of its finds that are that reaction.
        pattern: a regular expression (Rust's syntax) over the canonical form of the next message.
    """

    id: str
    label: Reaction
    weight: float
    pattern: str


RULES = (
    WeakRule(
        "w1.offence", "offensive", 0.5,
        rf"^(?:wow |omg |haha )*(?:{_THAT_IS}|you(?:['’]?re| are) |stop being |don['’]?t be ){_SO}"
        r"(?:rude|mean|offensive|inappropriate|racist|sexist|insulting)\b[^a-z]*$",
    ),
    WeakRule(
        "w1.dismissal", "downvote", 0.5,
        r"^(?:whatever|boring|so what|who cares|nobody asked|meh|idc|(?:that['’]?s )?not funny)[?!. ]*$",
    ),
    WeakRule(
        "w1.confusion", "meaningless", 0.8,
        r"^(?:wdym|pardon|come again)[?!. ]*$|^(?:ok |wait |haha )?i(?:['’]?m| am) (?:so )?confused[?!. ]*$"
        r"|\b(?:what do(?:es)? (?:you|u|that) mean|(?:makes? no|n['’]?t make (?:any |much )?) ?sense"
        r"|i do(?:n['’]?t| not) (?:understand|get it|follow))[?!. ]*$",
    ),
    WeakRule("w1.laughter", "funny", 0.7, rf"^(?:{_LAUGH}\W*)+$|^[😂🤣😆😹\W]*[😂🤣😆😹][😂🤣😆😹\W]*$"),
    WeakRule("w1.laughter_first", "funny", 0.5, rf"^(?:{_LAUGH}(?:\W|$)|[😂🤣😆😹])"),
    WeakRule(
        "w1.affection", "love", 0.5,
        r"^(?:oh |wow,? |omg,? )*"
        rf"(?:aw{{2,}}\b|[❤😍🥰]|{_THAT_IS}{_SO}(?:sweet|adorable|cute|lovely|beautiful)\b)",
    ),
    WeakRule(
        "w1.delight", "upvote", 0.9,
        rf"^(?:oh |wow,? |omg,? )*{_THAT_IS}{_SO}"
        r"(?:cool|awesome|amazing|great|wonderful|fantastic|impressive)\b",
    ),
    WeakRule(
        "w1.thanks", "upvote", 0.9,
        r"^(?:oh,? |aw+,? )?(?:thank (?:you|u)|thanks|thx|ty)(?: so much| a lot| haha)? ?(?:[^a-z ]|$)",
    ),
    WeakRule(
        "w1.agreement", "upvote", 0.9,
        r"^(?:(?:exactly|so true|very true|good point|same here|me too|totally|definitely|absolutely|for sure)\b"
        r"|(?:that['’]?s )?true(?:[.!,]|$)|i (?:totally |completely )?agree\b|agreed(?:[.!,]|$))",
    ),
)  # fmt: skip


def add_weak_reactions(pairs: pl.DataFrame) -> pl.DataFrame:
    """Add `weak_rule`, `weak_reaction` and `weak_weight`, to training pairs without an explicit reaction only.

    Args:
        pairs: with `answer`, `reaction` and `split`.

    Returns:
        The pairs; the three columns are null where no rule fits, where a reaction was given, and in every other
        split: figures are measured on what people meant, not on what our rules guess.
    """
    fits = pl.when(pl.col("split") == "train", pl.col("reaction").is_null()).then(_first_fit())
    table = pl.DataFrame(
        [(rule.id, rule.label, rule.weight) for rule in RULES],
        schema={"weak_rule": pl.String, "weak_reaction": pl.String, "weak_weight": pl.Float64},
        orient="row",
    )
    return pairs.with_columns(weak_rule=fits).join(table, on="weak_rule", how="left", maintain_order="left")


def _first_fit() -> pl.Expr:
    return pl.coalesce(pl.when(pl.col("answer").str.contains(rule.pattern)).then(pl.lit(rule.id)) for rule in RULES)


def weak_report(pairs: pl.DataFrame) -> dict[str, Any]:
    """Count weak reactions by rule and split, and hold laughter against explicit laughter.

    Args:
        pairs: as from `add_weak_reactions`, still with `answer`.

    Returns:
        version, rules (label, weight, and pairs by split), and for each source with explicit reactions
        `laughter`: training pairs, how many were explicitly funny, how many the two laughter rules find, and how
        many of those were explicitly funny: the rules' precision there, to be read against the share of all pairs.
    """
    counts = {(rule, split): n for rule, split, n in pairs.group_by("weak_rule", "split").len().iter_rows()}
    splits = sorted(pairs["split"].unique())
    rules = {
        rule.id: {
            "label": rule.label,
            "weight": rule.weight,
            "pairs": {split: counts.get((rule.id, split), 0) for split in splits},
        }
        for rule in RULES
    }
    return {"version": RULES_VERSION, "rules": rules, "laughter": _laughter(pairs)}


def _laughter(pairs: pl.DataFrame) -> list[dict[str, Any]]:
    funny = (pl.col("reaction") == "funny").fill_null(False)
    found = _first_fit().is_in([rule.id for rule in RULES if rule.label == "funny"]).fill_null(False)
    training = pairs.filter(pl.col("split") == "train").select("source", funny=funny, found=found)
    counted = training.group_by("source").agg(
        pairs=pl.len(),
        funny=pl.col("funny").sum(),
        found=pl.col("found").sum(),
        both=(pl.col("funny") & pl.col("found")).sum(),
    )
    return counted.filter(pl.col("funny") > 0).sort("source").to_dicts()
