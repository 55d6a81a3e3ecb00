import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.benchmark.baselines import bm25_scores, length_scores, random_scores
from stages.benchmark.comparison import Bootstrap, gain
from stages.common.errors import DataError
from stages.evaluation.candidates import Bm25, Candidates, build_candidates, reply_key
from stages.evaluation.retrieval import bootstrap_interval, ranks, summarize

WORDS = (
    *("tea", "coffee", "music", "books", "running", "cats", "dogs", "rain"),
    *("sun", "games", "pizza", "films", "travel", "work", "sleep", "school"),
)


def some_pairs(conversations: int = 40, turns: int = 6) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    rows = [
        {
            "pair_id": f"c{c}/{t}",
            "conversation_id": f"c{c}",
            "context": [" ".join(rng.choice(WORDS, 4))],
            "context_own": [False],
            "reply": " ".join(rng.choice(WORDS, rng.integers(1, 6))),
        }
        for c in range(conversations)
        for t in range(turns)
    ]
    return pl.DataFrame(rows)


@pytest.fixture(scope="module")
def candidates() -> Candidates:
    return build_candidates(some_pairs(), items=50, pool_size=150, negatives=20, seed=3)


def test_negatives_come_from_other_conversations_and_are_not_the_gold_reply(candidates: Candidates) -> None:
    said_in = candidates.pool["conversations"].to_list()
    keys = [reply_key(text) for text in candidates.pool["text"]]
    assert len(set(keys)) == len(keys)
    for item in candidates.items.to_dicts():
        for kind in ("random", "hard"):
            assert len(item[kind]) == len(set(item[kind])) == 20
            assert item["gold"] not in item[kind]
            assert all(item["conversation_id"] not in said_in[row] for row in item[kind])


def test_lists_are_fixed_by_data_and_seed(candidates: Candidates) -> None:
    again = build_candidates(some_pairs(), items=50, pool_size=150, negatives=20, seed=3)
    other = build_candidates(some_pairs(), items=50, pool_size=150, negatives=20, seed=4)
    assert again.checksum == candidates.checksum != other.checksum


def test_lists_survive_saving(candidates: Candidates, tmp_path) -> None:  # type: ignore[no-untyped-def]
    candidates.save(tmp_path / "lists")
    assert Candidates.load(tmp_path / "lists").checksum == candidates.checksum


def test_hard_negatives_are_worded_more_like_the_gold_reply(candidates: Candidates) -> None:
    def overlap(kind: str) -> float:
        shared = []
        for gold, rows in candidates.items.select("gold", kind).rows():
            words = set(candidates.pool["text"][gold].split())
            shared += [len(words & set(candidates.pool["text"][row].split())) for row in rows]
        return float(np.mean(shared))

    assert overlap("hard") > 1.5 * overlap("random")


def test_ties_count_as_wrong(candidates: Candidates) -> None:
    constant = np.zeros((len(candidates.items), len(candidates.pool)), np.float32)
    found = summarize(ranks(constant, candidates, "random"))
    assert found == {"r_at_1": 0.0, "r_at_10": 0.0, "mrr": pytest.approx(1 / 21)}
    assert (ranks(constant, candidates, "full") == len(candidates.pool)).all()


def test_a_system_that_computes_no_numbers_is_wrong_everywhere(candidates: Candidates) -> None:
    scores = np.full((len(candidates.items), len(candidates.pool)), np.nan, np.float32)
    assert (ranks(scores, candidates, "random") == 21).all()
    assert (ranks(scores, candidates, "full") == len(candidates.pool)).all()


def test_a_split_too_small_for_its_lists_is_refused() -> None:
    with pytest.raises(DataError, match="expected 99 negatives an item, got"):
        build_candidates(some_pairs(), items=50, pool_size=80, negatives=99, seed=3)


def test_a_perfect_system_is_first_everywhere(candidates: Candidates) -> None:
    scores = np.zeros((len(candidates.items), len(candidates.pool)), np.float32)
    scores[np.arange(len(scores)), candidates.items["gold"].to_numpy()] = 1
    for kind in ("random", "hard", "full"):
        assert summarize(ranks(scores, candidates, kind)) == {"r_at_1": 1.0, "r_at_10": 1.0, "mrr": 1.0}


def test_chance_finds_one_in_twenty_one(candidates: Candidates) -> None:
    hits = [summarize(ranks(random_scores(candidates, s), candidates, "random"))["r_at_1"] for s in range(60)]
    assert np.mean(hits) == pytest.approx(1 / 21, abs=0.015)


def test_length_and_bm25_score_by_words(candidates: Candidates) -> None:
    lengths = length_scores(candidates)
    assert lengths[0].tolist() == [len(text.split()) for text in candidates.pool["text"]]
    scores = bm25_scores(candidates, context_turns=2)
    asked = set(candidates.items["context"][0][0].split())
    shares = np.array([bool(asked & set(text.split())) for text in candidates.pool["text"]])
    assert ((scores[0] > 0) == shares).all()


def test_bm25_ranks_rare_words_first_and_knows_nothing_of_unknown_ones() -> None:
    ranker = Bm25(["the cat", "the dog", "the the the", "..."])
    assert ranker.nearest(["the dog"], 1).tolist() == [[1]]
    assert not ranker.scores("zebra").any()


@given(st.lists(st.tuples(st.floats(-1, 1), st.integers(0, 5)), min_size=1, max_size=60))
def test_interval_lies_within_the_values_and_is_reproducible(rows: list[tuple[float, int]]) -> None:
    values = np.array([value for value, _ in rows])
    groups = [str(group) for _, group in rows]
    low, high = bootstrap_interval(values, groups, rounds=200, seed=1)
    assert values.min() - 1e-9 <= low <= high <= values.max() + 1e-9
    assert (low, high) == bootstrap_interval(values, groups, rounds=200, seed=1)


def test_interval_is_wider_over_few_conversations_than_over_as_many_items() -> None:
    values = np.repeat(np.random.default_rng(0).random(10), 20)
    clustered = bootstrap_interval(values, [str(i // 20) for i in range(200)], rounds=2000, seed=1)
    independent = bootstrap_interval(values, [str(i) for i in range(200)], rounds=2000, seed=1)
    assert clustered[1] - clustered[0] > 2 * (independent[1] - independent[0])


def test_gain_of_a_system_over_itself_is_zero(candidates: Candidates) -> None:
    rank = ranks(random_scores(candidates, 1), candidates, "random")
    bootstrap = Bootstrap(candidates.items["conversation_id"].to_list(), rounds=100, seed=1)
    assert gain(rank, rank, bootstrap) == {"difference": 0.0, "low": 0.0, "high": 0.0}


def test_of_a_ratio_of_sums_the_interval_is_that_of_conversations_too() -> None:
    values, weights, groups = np.array([2.0, 4.0, 6.0]), np.array([1.0, 2.0, 1.0]), ["a", "a", "b"]
    assert bootstrap_interval(values, groups, rounds=500, seed=1, weights=weights) == (2, 6)
    plain = bootstrap_interval(values, groups, rounds=500, seed=1)
    assert bootstrap_interval(values, groups, rounds=500, seed=1, weights=np.ones(3)) == plain
