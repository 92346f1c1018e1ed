"""95 % intervals of shares, of paired differences and of means, for few photos as for many."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, stdtrit

TAIL = 0.025
"""Of the truths that an interval misses, the share on either side."""

NORMAL = 1.959963984540054
"""Quantile of the normal distribution that leaves `TAIL` above it."""


def exact_interval(share: float, photos: float) -> tuple[float, float]:
    """Return the exact interval of a share (Clopper and Pearson, 1934), as (low, high).

    Args:
        share: from 0 to 1.
        photos: how many independent ones it is of; a fraction, where groups have made fewer of
            them.
    """
    right = share * photos
    low = betaincinv(right, photos - right + 1, TAIL) if share > 0 else 0.0
    high = betaincinv(right + 1, photos - right, 1 - TAIL) if share < 1 else 1.0
    return float(low), float(high)


def few_groups(groups: int) -> float:
    """Return by how much fewer photos count, as the spread of few groups is itself uncertain.

    It is the squared ratio of the quantiles of the normal and of Student's t distribution (Korn and
    Graubard, 1998).
    """
    return float((NORMAL / stdtrit(groups - 1, 1 - TAIL)) ** 2)


def effective_photos(right: NDArray[np.float64], photos: NDArray[np.float64]) -> float:
    """Return how many independent photos a share over groups is worth.

    Photos of one group fare alike, so that ten of them say less than ten of ten groups. As many
    independent photos would have given the share the variance that it has over the groups (Korn and
    Graubard, 1998). Where all are right, or all wrong, the groups are counted.

    Args:
        right: (groups,) photos that were right.
        photos: (groups,) photos.
    """
    there = photos > 0
    right, photos = right[there], photos[there]
    groups, total = len(photos), photos.sum()
    share = right.sum() / total
    if share in (0.0, 1.0) or groups == 1:
        return float(groups)
    variance = _variance_of_ratio(right, photos)
    worth = share * (1 - share) / variance if variance > 0 else math.inf
    return float(min(total, worth) * few_groups(groups))


def effective_pairs(
    gains: NDArray[np.float64], photos: NDArray[np.float64], discordant: int
) -> tuple[float, float]:
    """Return how many independent photos a paired difference over groups is worth, and its design.

    The second figure, the design effect (Kish, 1965), is by how many times more photos are needed
    than if they were independent; at least 1.

    Args:
        gains: (groups,) photos that only the first got right, minus those that only the second did.
        photos: (groups,) photos.
        discordant: photos that one of them got right and the other wrong.
    """
    groups, total = len(photos), photos.sum()
    if groups == 1 or discordant == 0:
        return float(groups), float(total / groups)
    difference = gains.sum() / total
    independent = (discordant / total - difference**2) / total
    variance = _variance_of_ratio(gains, photos)
    if independent <= 0:  # everything went one way
        return float(groups), float(total / groups)
    design = max(1.0, variance / independent)
    return float(total / design * few_groups(groups)), float(design)


def _variance_of_ratio(parts: NDArray[np.float64], wholes: NDArray[np.float64]) -> float:
    """Return the variance of a ratio of sums over groups, by linearisation (Cochran, 1977)."""
    rest = parts - wholes * (parts.sum() / wholes.sum())
    return float(len(parts) / (len(parts) - 1) * (rest @ rest) / wholes.sum() ** 2)


def paired_interval(only_first: float, only_second: float, photos: float) -> tuple[float, float]:
    """Return the score interval of a difference of two shares of the same photos (Tango, 1998).

    It holds all differences that the photos do not speak against, so it is no point where the two
    never disagree: of n photos without a disagreement it reaches 3.84 / (n + 3.84) to either side,
    about as far as the exact limit of what may hide from n photos, 1 − 0.025^(1/n).

    Args:
        only_first: photos that only the first got right.
        only_second: photos that only the second got right.
        photos: all of them; none need be a whole number.
    """
    found = (only_first - only_second) / photos

    def beyond(difference: float) -> bool:
        a = 2 * photos
        b = -only_first - only_second + (a - only_first + only_second) * difference
        c = -only_second * difference * (1 - difference)
        second = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
        variance = photos * (2 * second + difference * (1 - difference))
        distance = photos * (found - difference)
        return distance**2 > NORMAL**2 * max(variance, 0.0)

    return _edge(beyond, found, -1.0), _edge(beyond, found, 1.0)


def _edge(beyond: Callable[[float], bool], inside: float, outside: float) -> float:
    """Return where `beyond` begins to hold between two places, by bisection."""
    if not beyond(outside):
        return outside
    for _ in range(36):  # to eleven decimals
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if beyond(middle) else (middle, outside)
    return inside
