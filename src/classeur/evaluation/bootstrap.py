"""How figures without a formula spread when photos, or groups of them, are drawn anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classeur.evaluation.resampling import Units

Floats = NDArray[np.float64]

Numbers = NDArray[np.float64] | NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Draws:
    """What each resample gave, (resamples,) each."""

    balanced_accuracy: Floats
    macro_f1: Floats
    log_loss: Floats
    """Distance from the log-loss that was found, in standard errors of the resample."""


def resample(
    units: Units,
    labels: NDArray[np.int64],
    predicted: NDArray[np.int64],
    losses: Floats,
    classes: int,
    *,
    resamples: int,
    seed: int,
) -> Draws:
    """Draw as many units as there are, with repetition, again and again.

    Args:
        units: what is drawn.
        labels: (N,) indices.
        predicted: (N,) indices.
        losses: (N,) of each photo.
        classes: how many there are.
        resamples: how often.
        seed: of the draws.
    """
    support, guessed = units.table(labels, classes), units.table(predicted, classes)
    right = units.table(labels, classes, only=labels == predicted)
    mean = _Mean(units.totals(losses), units.sizes)
    balanced, f1, distances = [], [], []
    for weights in units.resample(resamples, np.random.default_rng(seed)):
        # (some, units) @ (units, classes) -> (some, classes)
        of_class, as_class, hits = weights @ support, weights @ guessed, weights @ right
        balanced.append(balanced_accuracy(hits, of_class))
        f1.append(macro_f1(hits, of_class, as_class))
        distances.append(mean.distances(weights))
    return Draws(*(np.concatenate(parts) for parts in (balanced, f1, distances)))


def balanced_accuracy(right: Floats, support: Numbers) -> Floats:
    """Return the mean recall over the classes that occur, (..., num_classes) -> (...)."""
    return _mean_of_shares(right, support)


def macro_f1(right: Floats, support: Numbers, guessed: Numbers) -> Floats:
    """Return the mean F1 over the classes that occur, be it as prediction only."""
    return _mean_of_shares(2 * right, support + guessed)


def _mean_of_shares(parts: Floats, wholes: Numbers) -> Floats:
    there = wholes > 0
    shares = np.divide(parts, wholes, out=np.zeros_like(parts), where=there)
    return np.asarray(shares.sum(axis=-1) / there.sum(axis=-1))


class _Mean:
    """The mean over photos, and how far that of a resample lies from it."""

    def __init__(self, sums: Floats, sizes: Floats) -> None:
        rest = sums - sizes * (sums.sum() / sizes.sum())
        self._sizes, self._rest = sizes, rest
        self._squares = np.stack([rest**2, rest * sizes, sizes**2], axis=1)  # (units, 3)

    def distances(self, weights: Floats) -> Floats:
        """Return (mean of a resample − mean) / standard error of the resample, (resamples,)."""
        photos = weights @ self._sizes
        away = weights @ self._rest / photos
        aa, ab, bb = (weights @ self._squares).T
        error = standard_error(aa - 2 * away * ab + away**2 * bb, photos, len(self._sizes))
        limitless = np.where(away == 0, 0.0, np.copysign(np.inf, away))
        return np.asarray(np.divide(away, error, out=limitless, where=error > 0))


def standard_error(squares: Floats, photos: Floats, units: int) -> Floats:
    """Return the standard error of a mean over photos that come in units (Cochran, 1977).

    Args:
        squares: sum over the units of (sum of values − mean · photos of the unit)².
        photos: in all.
        units: how many.
    """
    return np.sqrt(np.maximum(squares, 0) * units / max(1, units - 1)) / photos
