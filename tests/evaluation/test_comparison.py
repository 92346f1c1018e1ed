"""Are two runs really different?"""

from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest

from classeur.errors import EvaluationError
from classeur.evaluation.comparison import compare, holm, mcnemar, paired_difference


def marks(both: int, only_first: int, only_second: int, neither: int) -> list[NDArray[np.bool_]]:
    """What two runs got right, from the four counts."""
    counts = (both, only_first, only_second, neither)
    return [np.repeat(right, counts) for right in ([True, True, False, False],
                                                   [True, False, True, False])]  # fmt: skip


def test_mcnemar_by_hand() -> None:
    # 2 · (C(12,0) + C(12,1) + C(12,2)) / 2¹²
    assert mcnemar(10, 2) == pytest.approx(158 / 4096)
    assert mcnemar(2, 10) == pytest.approx(158 / 4096)


@pytest.mark.parametrize(("first", "second"), [(1, 0), (5, 5), (40, 17), (300, 250)])
def test_mcnemar_is_a_binomial_test(first: int, second: int) -> None:
    expected = binomtest(first, first + second, 0.5).pvalue
    assert mcnemar(first, second) == pytest.approx(expected)


def test_mcnemar_of_runs_that_agree() -> None:
    assert mcnemar(0, 0) == 1.0


@pytest.mark.parametrize(
    ("p_values", "expected"),
    [
        ([], []),
        ([0.04], [0.04]),
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.5, 0.9, 0.4], [1.0, 1.0, 1.0]),
        ([0.02, 0.02, 0.02], [0.06, 0.06, 0.06]),
    ],
)
def test_holm_by_hand(p_values: list[float], expected: list[float]) -> None:
    assert holm(p_values) == pytest.approx(expected)


def test_the_paired_difference_is_that_of_a_bootstrap_over_photos() -> None:
    first, second = marks(100, 30, 12, 58)
    random = np.random.default_rng(3)
    draws = []
    for _ in range(3000):
        rows = random.integers(0, 200, 200)
        draws.append(first[rows].mean() - second[rows].mean())
    low, high = np.percentile(draws, [2.5, 97.5])
    found = paired_difference(first, second)
    assert found.value == pytest.approx(0.09)
    assert found.low == pytest.approx(low, abs=0.011)
    assert found.high == pytest.approx(high, abs=0.011)


def test_the_paired_difference_is_narrower_than_an_unpaired_one() -> None:
    first, second = marks(100, 6, 0, 94)
    found = paired_difference(first, second)
    assert found.value == pytest.approx(0.03)
    assert 0 < found.low < found.value < found.high < 0.07


def test_the_paired_difference_is_antisymmetric() -> None:
    first, second = marks(40, 9, 4, 7)
    there, back = paired_difference(first, second), paired_difference(second, first)
    assert there.value == -back.value
    assert there.low == pytest.approx(-back.high)
    assert there.high == pytest.approx(-back.low)


def test_intervals_of_differences_cover_the_truth() -> None:
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        kind = random.choice(4, 150, p=[0.7, 0.12, 0.07, 0.11])
        first, second = (kind == 0) | (kind == 1), (kind == 0) | (kind == 2)
        found = paired_difference(first, second)
        covered += found.low <= 0.05 <= found.high
    assert 0.9 <= covered / 200 <= 0.99


def test_every_two_runs_are_compared_in_order() -> None:
    strong, weak = marks(50, 30, 2, 18)
    pairs = compare({"conv3": strong, "dense": weak, "twin": strong.copy()})
    assert [(p.first, p.second) for p in pairs] == [
        ("conv3", "dense"), ("conv3", "twin"), ("dense", "twin"),
    ]  # fmt: skip
    better, same, worse = pairs
    assert (better.only_first, better.only_second) == (30, 2)
    assert (worse.only_first, worse.only_second) == (2, 30)
    assert better.difference.value == pytest.approx(0.28)
    assert better.p_value == worse.p_value == mcnemar(30, 2)
    assert better.corrected_p == pytest.approx(3 * better.p_value)
    assert better.differs
    assert (same.p_value, same.corrected_p, same.difference.value) == (1.0, 1.0, 0.0)
    assert not same.differs


def test_a_difference_may_not_survive_the_correction() -> None:
    first, second = marks(50, 10, 2, 38)  # p = 0.039
    assert compare({"a": first, "b": second})[0].differs
    assert not any(p.differs for p in compare({"a": first, "b": second, "c": second.copy()}))


def test_one_run_has_no_pair() -> None:
    assert compare({"a": np.ones(3, np.bool_)}) == []


def test_runs_on_different_photos() -> None:
    with pytest.raises(EvaluationError) as raised:
        compare({"a": np.ones(3, np.bool_), "b": np.ones(4, np.bool_)})
    assert str(raised.value) == "runs were scored on different photos: {'a': 3, 'b': 4}."


def test_other_photos_are_refused_and_so_are_the_same_in_another_order():
    right = np.ones(3, np.bool_)
    paths = {"a": ["1.png", "2.png", "3.png"], "b": ["1.png", "3.png", "2.png"]}
    said = "in the same order; photo 2 of a is 2.png, of b 3.png. Score both again on one split."
    with pytest.raises(EvaluationError, match=re.escape(said)):
        compare({"a": right, "b": right}, paths=paths)
    with pytest.raises(EvaluationError, match=r"photo 3 of a is 3\.png, of b no photo"):
        compare({"a": right, "b": right}, paths={"a": paths["a"], "b": paths["a"][:2]})
    assert len(compare({"a": right, "b": right}, paths={"a": paths["a"], "b": paths["a"]})) == 1
