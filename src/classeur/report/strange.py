"""How many test photos a run calls strange, and which are the strangest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from classeur.evaluation.metrics import Figure, share_of
from classeur.evaluation.predictions import Predictions
from classeur.models.novelty import SHARE
from classeur.report.photos import PhotoCard

STRANGEST = 6
"""Test photos shown that resemble the training photos least."""


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
    auroc: float | None = None
    """How well own photos are told from the same cut up. None: not measured."""

    @property
    def is_expected(self) -> bool:
        """Whether the test photos are no stranger than the validation photos."""
        return self.share.low <= self.expected


def strange_photos(
    test: Predictions, card: Callable[[Predictions, int], PhotoCard], auroc: float | None = None
) -> Strange | None:
    """Return what is strange among the test photos; None if the run cannot tell.

    Args:
        test: predictions for the test photos.
        card: makes a card of a row of them.
        auroc: of own photos against the same cut up. None: not measured.
    """
    if test.strangeness is None:
        return None
    flagged = int((test.strangeness > 1).sum())
    order = np.argsort(-test.strangeness, kind="stable")[:STRANGEST]
    return Strange(
        len(test.paths),
        flagged,
        share_of(flagged, len(test.paths)),
        SHARE,
        [card(test, int(row)) for row in order],
        auroc,
    )
