import numpy as np

from rejoinder.release.proof import Installed
from stages.benchmark.speed import open_cost, per_cpu_second


def test_memory_is_the_opening_process_own_not_its_parents(pristine: Installed) -> None:
    ballast = np.ones(150_000_000, np.float32)  # 600 MB in this process
    cost = open_cost(pristine.bundles)
    assert ballast.sum() > 0
    assert cost["peak_mb"] < 500
    assert 0 <= cost["cache_and_index_mb"] < 50
    assert 0 < cost["first_answer_cpu_s"] < cost["process_cpu_s"]


def test_twice_the_work_is_half_the_rate() -> None:
    def work(texts: list[str], repeats: int) -> np.ndarray:
        return np.stack([np.sort(np.random.default_rng(0).random(40_000)) for _ in texts * repeats])

    rates = per_cpu_second({"one": lambda t: work(t, 1), "two": lambda t: work(t, 4)}, ["a"] * 20, rounds=3)
    assert 2 < rates["one"] / rates["two"] < 8
