"""How many photos would tell: test sets of that size do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from benchmarks.coverage import power

from classeur.evaluation.comparison import compare
from classeur.evaluation.sample_size import more_photos, photos_needed


@pytest.mark.parametrize("level", [0.05, 0.005])
@pytest.mark.parametrize(
    ("first", "second"), [(0.05, 0.02), (0.1, 0.08), (0.2, 0.1), (0.3, 0.25), (0.03, 0.005)]
)
def test_four_in_five_test_sets_of_that_size_find_the_difference(
    first: float, second: float, level: float
) -> None:
    photos = math.ceil(photos_needed(first, second, level=level))
    assert 0.77 <= power(first, second, photos, level=level, studies=4000) <= 0.9
    assert power(first, second, photos // 2, level=level, studies=4000) < 0.6


def test_what_is_said_of_a_pair_comes_true() -> None:
    """From a pair that 400 photos cannot tell apart to a test set of the size that would."""
    first, second = np.ones(400, np.bool_), np.ones(400, np.bool_)
    first[:14], second[14:40] = False, False
    (pair,) = compare({"a": first, "b": second})
    assert not pair.differs
    assert pair.more_photos == 540
    found = power(26 / 400, 14 / 400, 400 + pair.more_photos, level=0.05, studies=4000)
    assert 0.78 <= found <= 0.86


def test_more_open_pairs_need_more_photos() -> None:
    first, second = np.ones(400, np.bool_), np.ones(400, np.bool_)
    first[:14], second[14:40] = False, False
    far = np.zeros(400, np.bool_)
    alone = compare({"a": first, "b": second})[0]
    with_worse = compare({"a": first, "b": second, "far": far})[0]
    with_twin = compare({"a": first, "b": second, "twin": first.copy()})[0]
    assert with_worse.more_photos == alone.more_photos  # those pairs are told apart already
    assert with_twin.more_photos > alone.more_photos


@pytest.mark.parametrize("counts", [(0, 0, 500), (7, 7, 500), (1001, 1000, 10_000)])
def test_no_test_set_tells_what_does_not_differ(counts: tuple[int, int, int]) -> None:
    assert more_photos(*counts, level=0.05) is None


def test_photos_in_groups_are_needed_in_larger_numbers() -> None:
    one, eight = (more_photos(26, 14, 400, level=0.05, design=design) for design in (1, 8))
    assert one == 540
    assert eight == 7100


def test_a_number_is_rounded_up_to_two_figures() -> None:
    for photos in (12, 100, 3000):
        found = more_photos(5, 2, photos, level=0.05)
        assert found is not None
        digits = str(found).rstrip("0")
        assert len(digits) <= 2
