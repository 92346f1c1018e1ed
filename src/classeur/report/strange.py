"""How many test photos a run calls strange, and which are the strangest."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classeur.evaluation.metrics import Figure, share_of
from classeur.evaluation.predictions import Predictions
from classeur.evaluation.resampling import Units
from classeur.models.novelty import SHARE
from classeur.report.photos import PhotoCard

STRANGEST = 6
"""Test photos shown that resemble the training photos least."""

Strangeness = NDArray[np.floating[Any]]

CHANCE = 0.025
"""Less likely numbers of strange photos are called more than is to be expected."""


@dataclass(frozen=True)
class Strange:
    """Of the test photos of a run."""

    photos: int
    flagged: int
    """Called strange."""
    share: Figure
    """The same as a share, with its exact interval."""
    expected: float
    """The share to be expected of photos of the run's own kind, at most."""
    cards: list[PhotoCard]
    """The strangest photos, the strangest first."""
    is_expected: bool
    """Whether chance explains that so many are, in the draw of the validation photos as well."""


def strange_photos(
    test: Predictions, val: Predictions, card: Callable[[Predictions, int], PhotoCard]
) -> Strange | None:
    """Return what is strange among the test photos; None if the run cannot tell.

    Args:
        test: predictions for the test photos.
        val: and for the validation photos, which say what is strange.
        card: gives the picture of a row.
    """
    if test.strangeness is None or val.strangeness is None:
        return None
    flagged = int((test.strangeness > 1).sum())
    order = np.argsort(-test.strangeness, kind="stable")[:STRANGEST]
    return Strange(
        len(test.paths),
        flagged,
        share_of(flagged, len(test.paths)),
        SHARE,
        [card(test, int(row)) for row in order],
        chance_of(
            _one_of_each(val.strangeness, val.groups), _one_of_each(test.strangeness, test.groups)
        )
        > CHANCE,
    )


def chance_of(val: Strangeness, test: Strangeness) -> float:
    """Return how likely so many test photos are strange, if they are like the validation photos.

    The limit lies at a rank of the validation photos. Of as many others of the same kind the number
    beyond it is beta-binomial, whatever the measure (Wilks, 1942): the limit is itself a draw, and
    the number spreads more than a binomial one.

    Args:
        val: (V,) strangeness of the validation photos, all independent.
        test: (T,) and of the test photos.

    Returns:
        The one-sided p-value; 1 if there are too few validation photos for a limit.
    """
    from scipy.stats import betabinom

    beyond = math.floor(SHARE * (len(val) + 1) + 1e-9)
    if beyond < 1:
        return 1.0
    flagged = int((test > np.sort(val)[-beyond]).sum())
    return float(betabinom.sf(flagged - 1, len(test), beyond, len(val) + 1 - beyond))


def _one_of_each(strangeness: Strangeness, groups: Sequence[str]) -> Strangeness:
    """Return the strangeness of one photo of each group: those of one group are alike."""
    return strangeness[Units.of(groups, len(strangeness)).one_of_each()]
