"""How many photos a run calls strange, and which are the strangest."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classeur.evaluation.metrics import Figure, share_over
from classeur.evaluation.predictions import Predictions
from classeur.evaluation.resampling import Units
from classeur.models.novelty import SHARE
from classeur.report.photos import PhotoCard
from classeur.report.units import quantity
from classeur.report.words import interval, percent

STRANGEST = 6
"""Photos shown that resemble the training photos least."""

Strangeness = NDArray[np.floating[Any]]

CHANCE = 0.025
"""Less likely numbers of strange photos are called more than is to be expected."""


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
    is_expected: bool
    """Whether chance explains that so many are, in the draw of the validation photos as well."""
    auroc: float | None = None
    """How well own photos are told from the same cut up. None: not measured."""

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values for JSON."""
        return {"photos": self.flagged, "share": asdict(self.share), "expected": self.expected}


def strange_photos(
    scored: Predictions,
    val: Predictions,
    card: Callable[[Predictions, int], PhotoCard] | None = None,
    auroc: float | None = None,
) -> Strange | None:
    """Return what is strange among some photos; None if the run cannot tell.

    Args:
        scored: predictions for the photos.
        val: and for the validation photos, which say what is strange.
        card: what shows one of them. None: none is shown.
        auroc: of own photos against the same cut up. None: not measured.
    """
    if scored.strangeness is None or val.strangeness is None:
        return None
    flagged = scored.strangeness > 1
    order = np.argsort(-scored.strangeness, kind="stable")[:STRANGEST]
    return Strange(
        len(flagged),
        int(flagged.sum()),
        share_over(flagged, Units.of(scored.groups, len(flagged))),
        SHARE,
        [card(scored, int(row)) for row in order] if card else [],
        chance_of(
            _one_of_each(val.strangeness, val.groups),
            _one_of_each(scored.strangeness, scored.groups),
        )
        > CHANCE,
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
    more = (
        " These are more than chance explains, in the draw of the validation photos too: the "
        f"{what}s are not quite of the same kind."
    )
    return (
        f"{number} (95 % interval {interval(strange.share)}). Of photos of the same kind as the "
        f"validation photos about {percent(strange.expected, 0)} are to be expected, for the limit "
        f"is drawn there.{'' if strange.is_expected else more}"
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
