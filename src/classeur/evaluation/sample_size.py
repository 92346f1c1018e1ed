"""How many test photos it would take to tell two runs apart."""

from __future__ import annotations

import math

from scipy.special import ndtri

POWER = 0.8
"""Share of test sets of that size that would tell the two apart."""

MOST_PHOTOS = 1_000_000
"""More photos than this nobody will label."""


def more_photos(
    only_first: int, only_second: int, photos: int, *, level: float, design: float = 1.0
) -> int | None:
    """Return about how many photos are missing, or None if more than a million are.

    Args:
        only_first: photos that only the first got right.
        only_second: photos that only the second got right.
        photos: all of them.
        level: p-value below which two runs are called different.
        design: by how many times more photos are needed because they come in groups.
    """
    needed = design * photos_needed(only_first / photos, only_second / photos, level=level)
    missing = max(1.0, needed - photos)
    return None if missing > MOST_PHOTOS else _readable(missing)


def photos_needed(
    only_first: float, only_second: float, *, level: float, power: float = POWER
) -> float:
    """Return the test photos with which the exact McNemar test finds a difference, or infinity.

    Miettinen (1968) in the form of Connor (1987), with the correction of Fleiss, Levin and Paik
    (2003, chapter 2) for a test on counts.

    Args:
        only_first: share of photos that only the first gets right.
        only_second: share of photos that only the second gets right.
        level: of the test, two-sided.
        power: share of test sets in which it is to be found.
    """
    discordant, difference = only_first + only_second, abs(only_first - only_second)
    if difference == 0:
        return math.inf
    spread = math.sqrt(discordant - difference**2)
    reach = -float(ndtri(level / 2)) * math.sqrt(discordant) + float(ndtri(power)) * spread
    photos = (reach / difference) ** 2
    return photos / 4 * (1 + math.sqrt(1 + 4 / (photos * difference))) ** 2


def _readable(photos: float) -> int:
    """Round up to two figures: 1,234 becomes 1,300."""
    unit: int = 10 ** max(0, math.floor(math.log10(photos)) - 1)
    return math.ceil(photos / unit) * unit
