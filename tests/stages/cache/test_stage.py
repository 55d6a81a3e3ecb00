import polars as pl

from stages.cache.stage import coverage_curve, later_turns


def test_coverage_rises_to_the_share_of_all_phrases() -> None:
    curve = coverage_curve(["hi", "yes", "no"], {"hi": 3, "no": 1, "unheard": 4})
    assert [row["phrases"] for row in curve] == sorted(row["phrases"] for row in curve)
    assert curve[-1] == {"phrases": 3.0, "share": 0.5}
    assert curve[0]["share"] == 3 / 8


def test_without_later_traffic_nothing_is_covered() -> None:
    assert coverage_curve(["hi"], {}) == [{"phrases": 1.0, "share": 0.0}]


def test_later_turns_are_those_that_enter_a_dialogue() -> None:
    pairs = pl.DataFrame(
        {"context": [["a", "B", "C"], ["Hi"], ["old"]], "late": [True, True, False]},
    )
    assert later_turns(pairs) == {"c": 1, "hi": 1}
