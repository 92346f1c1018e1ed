"""How many photos a run calls strange, and which are the strangest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from classeur.evaluation.metrics import Figure, share_over
from classeur.evaluation.predictions import Predictions
from classeur.evaluation.resampling import Units
from classeur.models.novelty import SHARE
from classeur.report.photos import PhotoCard
from classeur.report.units import quantity
from classeur.report.words import interval, percent

STRANGEST = 6
"""Photos shown that resemble the training photos least."""


@dataclass(frozen=True)
class Strange:
    """Of some photos, by what a run has seen."""

    photos: int
    flagged: int
    """Called strange."""
    share: Figure
    """The same as a share, with its exact interval, over groups if there are any."""
    expected: float
    """The share to be expected of photos of the run's own kind, at most."""
    cards: list[PhotoCard]
    """The strangest photos, the strangest first."""
    auroc: float | None = None
    """How well own photos are told from the same cut up. None: not measured."""

    @property
    def is_expected(self) -> bool:
        """Whether the photos are no stranger than the validation photos."""
        return self.share.low <= self.expected

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values for JSON."""
        return {"photos": self.flagged, "share": asdict(self.share), "expected": self.expected}


def strange_photos(
    scored: Predictions,
    card: Callable[[Predictions, int], PhotoCard] | None = None,
    auroc: float | None = None,
) -> Strange | None:
    """Return what is strange among some photos; None if the run cannot tell.

    Args:
        scored: predictions for the photos.
        card: what shows one of them. None: none is shown.
        auroc: of own photos against the same cut up. None: not measured.
    """
    if scored.strangeness is None:
        return None
    flagged = scored.strangeness > 1
    order = np.argsort(-scored.strangeness, kind="stable")[:STRANGEST]
    return Strange(
        len(flagged),
        int(flagged.sum()),
        share_over(flagged, Units.of(scored.groups, len(flagged))),
        SHARE,
        [card(scored, int(row)) for row in order] if card else [],
        auroc,
    )


def describe_strange(strange: Strange, what: str = "test photo") -> str:
    """Say how many photos are strange, and whether that is more than to be expected.

    Args:
        strange: the figures.
        what: is counted.
    """
    number = (
        f"{strange.flagged:,} of the {quantity(strange.photos, what, f'{what}s')} "
        f"{'resembles' if strange.flagged == 1 else 'resemble'} nothing the run has seen: "
        f"{percent(strange.share.value)}"
        if strange.flagged
        else f"No {what} of {strange.photos:,} is strange"
    )
    more = f" These are more: the {what}s are not quite of the same kind."
    return (
        f"{number} (95 % interval {interval(strange.share)}). Of photos of the same kind as the "
        f"validation photos about {percent(strange.expected, 0)} are to be expected, for the limit "
        f"is drawn there.{'' if strange.is_expected else more}"
    )
