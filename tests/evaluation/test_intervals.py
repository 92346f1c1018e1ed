"""Intervals against published ones and against what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from classeur.evaluation.intervals import (
    effective_pairs,
    effective_photos,
    exact_interval,
    few_groups,
    paired_interval,
)


@pytest.mark.parametrize(("right", "photos"), [(0, 7), (3, 7), (7, 7), (190, 200)])
def test_an_exact_interval_leaves_a_fortieth_in_each_tail(right: int, photos: int) -> None:
    low, high = exact_interval(right / photos, photos)
    assert low <= right / photos <= high
    if right:
        assert binom.sf(right - 1, photos, low) == pytest.approx(0.025)
    if right < photos:
        assert binom.cdf(right, photos, high) == pytest.approx(0.025)


def test_a_fraction_of_a_photo_is_less_than_the_whole() -> None:
    widths = [high - low for low, high in (exact_interval(0.8, n) for n in (10, 9.5, 9, 0.3))]
    assert widths == sorted(widths)
    assert widths[-1] > 0.95


def test_the_paired_interval_is_the_published_one() -> None:
    """Airway hyper-responsiveness of 21 children (Fagerland, Lydersen and Laake, 2014, table 4)."""
    assert paired_interval(1, 7, 21) == pytest.approx((-0.517, -0.026), abs=5e-4)


@pytest.mark.parametrize("photos", [10, 100, 5000])
def test_two_runs_that_never_disagree_may_still_differ(photos: int) -> None:
    low, high = paired_interval(0, 0, photos)
    assert high == pytest.approx(3.8415 / (photos + 3.8415), rel=1e-3)
    assert low == pytest.approx(-high)
    assert high == pytest.approx(1 - 0.025 ** (1 / photos), rel=0.15)


def test_the_paired_interval_says_what_mcnemars_statistic_says() -> None:
    """It leaves out 0 exactly where (b − c)² / (b + c) is beyond 1.96²."""
    for first in range(25):
        for second in range(25):
            low, high = paired_interval(first, second, 60)
            apart = (first - second) ** 2 > 3.8415 * (first + second)
            assert (low > 1e-9 or high < -1e-9) == apart, (first, second)


def test_the_paired_interval_ends_at_one() -> None:
    low, high = paired_interval(30, 0, 30)
    assert (low > 0.7, high) == (True, 1.0)


def test_photos_that_stand_and_fall_together_count_once() -> None:
    right = np.array([10.0, 10, 0, 10, 10, 10, 0, 10, 10, 10])
    worth = effective_photos(right, np.full(10, 10.0))
    assert worth == pytest.approx(9 * few_groups(10))  # n − 1 of the n groups, and Student's t
    assert effective_photos(np.full(10, 10.0), np.full(10, 10.0)) == 10  # all right


def test_independent_photos_count_fully_whatever_groups_they_are_in() -> None:
    random = np.random.default_rng(0)
    right = random.binomial(5, 0.8, 2000).astype(float)
    assert effective_photos(right, np.full(2000, 5.0)) == pytest.approx(10_000, rel=0.08)


def test_one_group_is_worth_one_photo() -> None:
    assert effective_photos(np.array([8.0, 0]), np.array([10.0, 0])) == 1
    assert effective_pairs(np.array([3.0]), np.array([10.0]), 3)[0] == 1


def test_the_design_effect_of_a_difference() -> None:
    together, design = effective_pairs(
        np.array([8.0, -8] * 3 + [0.0] * 14), np.full(20, 8.0), discordant=48
    )
    assert design == pytest.approx(8 * 20 / 19)
    assert together == pytest.approx(160 / design * few_groups(20))
    assert effective_pairs(np.zeros(20), np.full(20, 8.0), discordant=0)[0] == 20
