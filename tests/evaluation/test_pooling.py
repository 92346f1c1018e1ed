"""The predictions of K folds as those of one run."""

from __future__ import annotations

import re

import numpy as np
import pytest

from classeur.errors import EvaluationError
from classeur.evaluation.pooling import pool_test, pool_val
from classeur.evaluation.predictions import Predictions


def fold(test: str, val: str, right: float, names: list[str] | None = None) -> Predictions:
    """Photos named by letters, all of class 0, which gets the probability `right`."""
    count = len(test) + len(val)
    return Predictions(
        [*test, *val],
        ["test"] * len(test) + ["val"] * len(val),
        np.zeros(count, np.int64),
        np.tile(np.array([right, 1 - right], np.float32), (count, 1)),
        names or ["x", "y"],
    )


def test_every_photo_comes_once_with_the_network_that_tested_it() -> None:
    pooled = pool_test([fold("ab", "cd", 0.1), fold("cd", "a", 0.2), fold("e", "ab", 0.9)])
    assert pooled.paths == ["a", "b", "c", "d", "e"]
    assert set(pooled.splits) == {"test"}
    np.testing.assert_allclose(pooled.probabilities[:, 0], [0.1, 0.1, 0.2, 0.2, 0.9])
    assert pooled.correct.tolist() == [False, False, False, False, True]
    assert len(pooled.labels) == 5


def test_validation_counts_a_photo_once_by_the_first_that_has_it() -> None:
    pooled = pool_val([fold("ab", "cd", 0.1), fold("cd", "a", 0.2), fold("e", "abd", 0.9)])
    assert pooled.paths == ["c", "d", "a", "b"]
    assert set(pooled.splits) == {"val"}
    np.testing.assert_allclose(pooled.probabilities[:, 0], [0.1, 0.1, 0.2, 0.9])


def test_a_photo_in_two_folds_is_an_error() -> None:
    message = (
        "b is in the test split of two folds; expected each photo in one. "
        "The runs are not of one cross-validation."
    )
    with pytest.raises(EvaluationError, match=re.escape(message)):
        pool_test([fold("ab", "c", 0.1), fold("bc", "a", 0.2)])


def test_other_classes_are_an_error() -> None:
    with pytest.raises(EvaluationError, match="the folds know different classes and cannot be po"):
        pool_test([fold("a", "", 0.1), fold("b", "", 0.1, ["x", "z"])])
