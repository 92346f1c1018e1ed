"""What photos that have a copy in another split do to a score, and to what validation chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from classeur.data.near_findings import Copies, CopiesAcross
from classeur.evaluation.metrics import Figure, share_over
from classeur.evaluation.predictions import Predictions
from classeur.evaluation.resampling import Units


@dataclass(frozen=True)
class LeakEffect:
    """Test accuracy with and without the photos that a network may have learned by heart.

    Intervals are over groups of photos where there are any.
    """

    exact: int
    """Test photos that are an exact copy of a training photo."""
    near: int
    """Test photos that are a near-duplicate of one, and no exact copy."""
    photos: int
    """Test photos that are neither."""
    accuracy: Figure
    """On all test photos."""
    without: Figure | None
    """On those that are neither. None if there are none."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build from what `dataclasses.asdict` returned."""
        without = values["without"]
        figures = {
            "accuracy": Figure(**values["accuracy"]),
            "without": Figure(**without) if without is not None else None,
        }
        return cls(**{**values, **figures})


@dataclass(frozen=True)
class ValLeaks:
    """Copies that make validation a bad adviser: it chose the epoch, the temperature, …"""

    copied: int
    """Validation photos that have a copy among the training photos."""
    photos: int
    """Validation photos in all."""
    shared: int
    """Test photos that have a copy among the validation photos."""


def count_val_leaks(photos: int, copies: CopiesAcross) -> ValLeaks | None:
    """Return how many copies concern the validation photos, of which there are so many."""
    copied, shared = len(copies.val.paths), len(copies.test_in_val.paths)
    return ValLeaks(copied, photos, shared) if copied or shared else None


def without_copies(predictions: Predictions, copies: CopiesAcross | None) -> list[int]:
    """Return the rows that thresholds may be found on: all but validation photos with a copy in
    training. Where validation has no others, all."""
    leaking = copies.val.paths if copies else set()
    rows = [index for index, path in enumerate(predictions.paths) if path not in leaking]
    if any(predictions.splits[index] == "val" for index in rows):
        return rows
    return list(range(len(predictions.paths)))


def measure_leaks(test: Predictions, copies: Copies) -> LeakEffect | None:
    """Return the effect of the copies on the accuracy; None if there are no copies.

    Args:
        test: predictions for the test photos.
        copies: those of them that have a copy among the training photos.
    """
    leaking = copies.paths
    if not leaking:
        return None
    rows = np.array([i for i, path in enumerate(test.paths) if path not in leaking], np.int64)
    units, correct = Units.of(test.groups, len(test.paths)), test.correct
    return LeakEffect(
        len(copies.exact),
        len(copies.near),
        len(rows),
        share_over(correct, units),
        share_over(correct[rows], units.among(rows)) if len(rows) else None,
    )
