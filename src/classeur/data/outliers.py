"""Photos that look like none of the others, by what was measured of each.

The robust distance (Rousseeuw and Van Zomeren, 1990): the Mahalanobis distance by a covariance that
outliers do not move, the minimum covariance determinant (Rousseeuw and Van Driessen, 1999). What
photos measure is not normal, so no quantile of the chi-squared distribution says what is far; "far
out" is meant as Tukey means it (1977), three quartile ranges above the upper quartile of the
logarithm of the distance.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from classeur.data.facts import PhotoFacts

FEWEST = 100
"""Photos without which nothing is called an outlier."""

FITTED = 500
"""Photos that the covariance is estimated on, at most: above it takes ten times as long, and on two
sets of 2,400 photos it listed 8 and 0, not 10 and 0."""

FAR_OUT = 3.0
"""Quartile ranges above the upper quartile."""


def outlying(facts: Sequence[PhotoFacts]) -> NDArray[np.float64]:
    """Return by how much each photo is beyond the fence, (N,): above 0 it is an outlier.

    It tells a photo by its exposure, sharpness, detail, colours and shape, not by what it shows.
    """
    nothing = np.full(len(facts), -1.0)
    if len(facts) < FEWEST:
        return nothing
    table = np.array([_measures(fact) for fact in facts])
    middle = np.median(table, axis=0)
    spread = np.median(np.abs(table - middle), axis=0)
    varied = spread > 0  # where most photos are the same, any other would be infinitely far
    if not varied.any():
        return nothing
    distance = np.log(_robust_distance((table[:, varied] - middle[varied]) / spread[varied]))
    low, high = np.percentile(distance, [25, 75])
    beyond: NDArray[np.float64] = distance - (high + FAR_OUT * (high - low))
    return beyond


def _robust_distance(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, M) -> (N,) squared distance from the middle of most photos."""
    from sklearn.covariance import MinCovDet

    some = np.random.default_rng(0).permutation(len(table))[:FITTED]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # measures that are nearly a sum of others
        found = MinCovDet(random_state=0).fit(table[some])
    distance: NDArray[np.float64] = np.clip(found.mahalanobis(table), 1e-9, None)
    return distance


def _measures(fact: PhotoFacts) -> list[float]:
    look = fact.look
    means = (look.red, look.green, look.blue)
    border = (look.border_red, look.border_green, look.border_blue)
    return [
        look.brightest, look.darkest, np.log1p(look.sharpness), look.entropy,
        *_tint(*means), *_tint(*border), np.log(fact.width / fact.height),
    ]  # fmt: skip


def _tint(red: float, green: float, blue: float) -> tuple[float, float, float]:
    """Return how bright a colour is, and how far it is from grey in two directions."""
    return (red + green + blue) / 3, red - green, blue - green
