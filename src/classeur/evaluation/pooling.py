"""The predictions of K folds as those of one run: of each photo, what a network says that never
learned from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from classeur.errors import EvaluationError
from classeur.evaluation.predictions import Predictions


def pool_test(folds: Sequence[Predictions]) -> Predictions:
    """Return the test predictions of all folds, one for each photo, in the order of the folds.

    Args:
        folds: predictions of each fold, of any splits.

    Raises:
        EvaluationError: if a photo is tested in two folds, or the folds know other classes.
    """
    pooled = joined([fold.of_split("test") for fold in folds])
    seen: set[str] = set()
    for path in pooled.paths:
        if path in seen:
            raise EvaluationError(
                f"{path} is in the test split of two folds; expected each photo in one. "
                "The runs are not of one cross-validation."
            )
        seen.add(path)
    return pooled


def pool_val(folds: Sequence[Predictions]) -> Predictions:
    """Return validation predictions of all folds, at most one for each photo: that of the first.

    Several of one photo would look like several photos, and intervals narrower than they are.
    """
    pooled = joined([fold.of_split("val") for fold in folds])
    first: dict[str, int] = {}
    for row, path in enumerate(pooled.paths):
        first.setdefault(path, row)
    return pooled.of_rows(list(first.values()))


def joined(parts: Sequence[Predictions]) -> Predictions:
    """Return predictions one after the other. Raises EvaluationError if they know other classes."""
    names = parts[0].class_names
    if any(part.class_names != names for part in parts):
        raise EvaluationError("the folds know different classes and cannot be pooled.")
    return Predictions(
        [path for part in parts for path in part.paths],
        [split for part in parts for split in part.splits],
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.probabilities for part in parts]),
        names,
        _groups(parts),
    )


def _groups(parts: Sequence[Predictions]) -> list[str]:
    """Return the group of each photo; empty if no part has any."""
    if not any(part.groups for part in parts):
        return []
    return [group for part in parts for group in (part.groups or [""] * len(part.paths))]
