"""Is a run worse on some photos? Accuracy by size, brightness, mode or any column of a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr
from scipy.stats import hypergeom

from classeur.evaluation.comparison import SIGNIFICANT, holm
from classeur.evaluation.metrics import Figure, share_over
from classeur.evaluation.resampling import Units

FEWEST = 20
"""Photos that a slice must have, and leave outside."""


@dataclass(frozen=True)
class Feature:
    """Something in which photos differ."""

    name: str
    """`brightness`, `mode`, or the name of a column."""
    values: tuple[str, ...]
    """In words, in the order to show them in."""
    places: Sequence[int]
    """(N,) index of each photo's value."""


@dataclass(frozen=True)
class Slice:
    """Photos that share a value of a feature."""

    feature: str
    value: str
    photos: int
    accuracy: Figure
    """With its exact interval, over groups if there are any."""
    others: float
    """Accuracy on the photos outside the slice."""
    p_value: float
    """That the slice is no worse than the others: one-sided."""
    corrected_p: float
    """The same after Holm's correction for all slices of the run."""

    @property
    def is_worse(self) -> bool:
        """Whether the test photos show that the slice is worse than the others."""
        return self.corrected_p < SIGNIFICANT

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "is_worse": self.is_worse}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Slice:
        """Build from what `to_dict` returned."""
        rest = {name: value for name, value in values.items() if name != "is_worse"}
        return cls(**{**rest, "accuracy": Figure(**values["accuracy"])})


def score_slices(
    features: Sequence[Feature], correct: NDArray[np.bool_], groups: Sequence[str] = ()
) -> list[Slice]:
    """Score every slice that has, and leaves, at least `FEWEST` photos.

    A slice is compared with all other photos by Fisher's exact test (1922), one-sided. Photos of a
    group are no independent witnesses: where there are groups, a t-test on the groups must agree,
    so that the larger of the two p-values counts. Holm's method (1979) corrects for the
    number of slices.

    Args:
        features: of the photos.
        correct: (N,) whether each photo was given its label.
        groups: the group of each photo; empty: none.

    Returns:
        In the order of the features and their values.
    """
    cut = [
        (feature.name, value, inside)
        for feature in features
        for place, value in enumerate(feature.values)
        if _is_large(inside := np.asarray(feature.places) == place)
    ]
    units = Units.of(groups, len(correct))
    p_values = slice_p_values([inside for _, _, inside in cut], correct, groups)
    return [
        Slice(
            name, value, int(inside.sum()), share_over(correct[inside], units.among(inside)),
            float(correct[~inside].mean()), p, corrected,
        )
        for (name, value, inside), p, corrected in zip(cut, p_values, holm(p_values), strict=True)
    ]  # fmt: skip


def worst_slice(slices: Iterable[Slice]) -> Slice | None:
    """Return the least accurate of the slices that are worse than the others; None: none is."""
    return min((s for s in slices if s.is_worse), key=lambda s: s.accuracy.value, default=None)


def slice_p_values(
    slices: Sequence[NDArray[np.bool_]], correct: NDArray[np.bool_], groups: Sequence[str] = ()
) -> list[float]:
    """Return the one-sided p-value of each slice being no worse than the other photos.

    Args:
        slices: (N,) each, whether a photo is in the slice; none is empty or holds all.
        correct: (N,) whether each photo was given its label.
        groups: the group of each photo; empty: none.
    """
    if not slices:
        return []
    inside = np.stack(slices)
    mine, wrong = inside.sum(axis=1), (inside & ~correct).sum(axis=1)
    p_values = hypergeom.sf(wrong - 1, len(correct), int((~correct).sum()), mine)  # Fisher's
    units = Units.of(groups, len(correct))
    if units.grouped:
        by_groups = [_over_groups(one, correct, units) for one in slices]
        p_values = np.maximum(p_values, by_groups)
    return [float(p) for p in p_values]


def _is_large(inside: NDArray[np.bool_]) -> bool:
    return min(int(inside.sum()), int((~inside).sum())) >= FEWEST


def _over_groups(inside: NDArray[np.bool_], correct: NDArray[np.bool_], units: Units) -> float:
    """Return the one-sided p-value that a slice is no worse, with groups as the witnesses.

    A t-test on the difference of two ratios, linearised (Cochran, 1977); as many degrees of freedom
    as the side with fewer groups has.
    """
    means, shifts, counts = [], [], []
    for side in (inside, ~inside):
        mean, count = float(correct[side].mean()), len(np.unique(units.of_photo[side]))
        sums = units.totals(np.where(side, correct - mean, 0.0))
        means.append(mean)
        counts.append(count)
        shifts.append(sums / side.sum() * np.sqrt(count / max(1, count - 1)))
    spread = float(np.linalg.norm(shifts[0] - shifts[1]))
    if min(counts) < 2 or spread == 0:
        return 1.0  # nothing is known of how groups differ
    return float(stdtr(min(counts) - 1, (means[0] - means[1]) / spread))
