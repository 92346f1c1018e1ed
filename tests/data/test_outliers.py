"""Photos unlike the others: found among many, and seldom where there are none."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from classeur.data.facts import PhotoFacts
from classeur.data.outliers import FEWEST, outlying
from classeur.data.quality import Look, Odd, odd_photos


def facts(count: int, seed: int = 0) -> list[PhotoFacts]:
    """Photos of a measured spread: bright ones are bright everywhere, with long tails."""
    random = np.random.default_rng(seed)
    light, tails = random.normal(120, 30, count), random.standard_t(4, (count, 9))
    return [
        PhotoFacts(
            f"{i}.jpg", "a", "", "", "", int(200 * np.exp(0.1 * tail[0])), 200, "RGB", "JPEG", "",
            Look(9000, 0.9 + 0.02 * tail[1], 0.1 + 0.02 * tail[2], np.exp(4 + 0.3 * tail[3]),
                 7 + 0.3 * tail[4], level + 8 * tail[5], level, level - 8 * tail[6],
                 level + 9 * tail[7], level, level - 9 * tail[8]),
        )
        for i, (level, tail) in enumerate(zip(light, tails, strict=True))
    ]  # fmt: skip


GREEN = Look(9000, 0.9, 0.1, 50.0, 7.0, 60.0, 200.0, 60.0, 60.0, 200.0, 60.0)


def test_a_photo_of_other_colours_is_found_and_named_last() -> None:
    some = facts(400)
    some[7] = dataclasses.replace(some[7], path="green.jpg", look=GREEN)
    assert odd_photos(some)[-1].kind == "unlike"
    assert odd_photos(some)[-1].paths[0] == "green.jpg"


@pytest.mark.parametrize("seed", range(3))
def test_there_is_no_flood(seed: int) -> None:
    assert (outlying(facts(600, seed)) > 0).mean() < 0.01


def test_a_photo_that_is_odd_in_a_way_with_a_name_is_listed_once() -> None:
    some = facts(400)
    some[7] = dataclasses.replace(some[7], look=dataclasses.replace(GREEN, entropy=0.5))
    found = odd_photos(some)
    assert Odd("blank", ["7.jpg"]) in found
    assert "7.jpg" not in [path for odd in found if odd.kind == "unlike" for path in odd.paths]


def test_few_photos_or_equal_ones_have_no_outlier() -> None:
    some = facts(FEWEST - 1)
    some[7] = dataclasses.replace(some[7], look=GREEN)
    assert (outlying(some) < 0).all()
    same = [dataclasses.replace(some[0], path=str(i)) for i in range(200)]
    assert (outlying([*same, some[7]]) < 0).all()
    assert len(outlying([])) == 0


def test_the_same_photos_have_the_same_outliers() -> None:
    some = facts(2000)
    np.testing.assert_array_equal(outlying(some), outlying(some))
