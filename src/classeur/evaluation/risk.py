"""Mistakes among the answers, as more and more photos are answered, the surest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classeur.evaluation.intervals import few_groups
from classeur.evaluation.metrics import Figure, exact_share
from classeur.evaluation.resampling import Units

RESAMPLES = 400
"""Bootstrap resamples that tell how far the area under the curve spreads."""


@dataclass(frozen=True)
class RiskCurve:
    """Risk against coverage (El-Yaniv and Wiener, 2010)."""

    coverage: NDArray[np.float64]
    """(N,) share of the photos that is answered."""
    risk: NDArray[np.float64]
    """(N,) share of these that is wrong."""
    worth: float
    """Independent photos that the area is worth."""

    @property
    def area(self) -> Figure:
        """Mean risk over all coverages, the area under the curve (Geifman et al., 2019).

        Its 95 % interval is the exact one of a share that spreads as it does in a bootstrap. Like
        that of the log-loss it is a little short where there are few mistakes.
        """
        return exact_share(float(self.risk.mean()), self.worth)


def risk_curve(
    confidence: NDArray[Any],
    correct: NDArray[np.bool_],
    groups: Sequence[str] = (),
    *,
    resamples: int = RESAMPLES,
) -> RiskCurve:
    """Return the risk/coverage curve.

    Photos of the same confidence stand in no order: each counts as their mean.

    Args:
        confidence: (N,) probability of the most probable class.
        correct: (N,) whether it is the label.
        groups: the group of each photo, "" for none. Empty: no photo has one.
        resamples: of the bootstrap that tells how far the area spreads.
    """
    _, group, sizes = np.unique(-confidence, return_inverse=True, return_counts=True)
    share = np.bincount(group, ~correct) / sizes
    answered = np.arange(1, len(confidence) + 1)
    risk = np.cumsum(share[np.sort(group)]) / answered
    units = Units.of(groups, len(confidence))
    drawn = np.concatenate(list(_areas(units, group, ~correct, resamples)))
    worth = _worth(float(risk.mean()), float(drawn.var()), units)
    return RiskCurve(answered / len(confidence), risk, worth)


def _worth(area: float, variance: float, units: Units) -> float:
    """Return how many independent photos would make a share spread as the area does."""
    if variance == 0 or units.count == 1:
        return float(units.count)
    worth = area * (1 - area) / variance * (units.count - 1) / units.count
    return worth * few_groups(units.count) if units.grouped else worth


def _areas(
    units: Units, rank: NDArray[np.int64], wrong: NDArray[np.bool_], resamples: int
) -> Iterator[NDArray[np.float64]]:
    """Yield the areas of resamples, (some,) at a time.

    Args:
        units: what is drawn.
        rank: (N,) 0 for the photos it is surest of; the same for the same confidence.
        wrong: (N,).
        resamples: how many.
    """
    order = np.argsort(rank, kind="stable")
    _, starts = np.unique(rank[order], return_index=True)
    for weights in units.resample(resamples, np.random.default_rng(0)):
        drawn = weights[:, units.of_photo[order]].astype(np.int64)
        photos = np.add.reduceat(drawn, starts, axis=1)  # (some, ranks)
        mistakes = np.add.reduceat(drawn * wrong[order], starts, axis=1)
        share = np.divide(mistakes, photos, out=np.zeros(photos.shape), where=photos > 0)
        answered = np.cumsum(photos, axis=1)
        before, mistakes_before = answered - photos, np.cumsum(mistakes, axis=1) - mistakes
        # The risks after 1, 2, … photos of a rank, each its mean, in one sum.
        harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, answered.max() + 1))])
        steps = harmonic[answered] - harmonic[before]
        risks = mistakes + (mistakes_before - share * before) * steps
        yield risks.sum(axis=1) / answered[:, -1]
