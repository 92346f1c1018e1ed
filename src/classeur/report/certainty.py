"""How far figures can be trusted: what intervals are over, how many photos are missing."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from classeur.evaluation.comparison import Pair
from classeur.evaluation.metrics import Metrics
from classeur.report.units import count, quantity

NO_TEST_SET = "no test set of reasonable size"
"""For what more than a million photos would be needed."""

_MOST_NAMES = 4
"""Runs that are named with the photos missing for each."""


@dataclass(frozen=True)
class SeedSpread:
    """How test accuracy moved from one training to another, on the same photos."""

    mean: float
    standard_deviation: float
    """Of a sample."""
    minimum: float
    maximum: float

    @classmethod
    def of(cls, scores: Sequence[float]) -> SeedSpread | None:
        """Return the spread of two or more scores; None for fewer."""
        if len(scores) < 2:
            return None
        mean, deviation = statistics.mean(scores), statistics.stdev(scores)
        return cls(mean, deviation, min(scores), max(scores))


def interval_basis(metrics: Metrics) -> str:
    """Return what the intervals are over: `over the photos`, or over how many groups."""
    if not metrics.groups:
        return "over the photos"
    groups = quantity(metrics.groups, "group", "groups")
    return f"over the {groups} that the photos are in (given, or copies of one picture)"


def describe_test(pairs: Sequence[Pair]) -> str:
    """Say how two runs are compared."""
    groups = max((pair.groups for pair in pairs), default=0)
    if not groups:
        return (
            "they are compared photo by photo: the exact McNemar test looks at those that only one "
            "of them got right, and Holm’s method corrects for the number of pairs"
        )
    return (
        "they are compared group by group, for photos of one group, or copies of one picture, are "
        "alike: the exact sign-flip test looks at what one of them gains over the other in each of "
        "the "
        f"{quantity(groups, 'group', 'groups')}, and Holm’s method corrects for the number of pairs"
    )


def missing_photos(pair: Pair) -> str:
    """Return `about 1,300 more photos would tell`, or that none would; empty if they differ."""
    if pair.differs:
        return ""
    if pair.more_photos is None:
        return f"{NO_TEST_SET} would tell"
    return f"about {quantity(pair.more_photos, 'more photo', 'more photos')} would tell"


def describe_missing(pairs: Sequence[tuple[str, Pair]]) -> str:
    """Say how many more test photos would tell one run from others.

    Args:
        pairs: (the other run, the pair), of pairs that do not differ; at least one.
    """
    enough = sorted(
        (pair.more_photos, name) for name, pair in pairs if pair.more_photos is not None
    )
    never = [name for name, pair in pairs if pair.more_photos is None]
    if not enough:
        return f"{NO_TEST_SET} would tell"
    alike = ", in groups like these," if pairs[0][1].groups else ""
    if len(pairs) == 1:
        return f"about {count(enough[0][0])} more test photos{alike} would be needed"
    if len(pairs) > _MOST_NAMES:
        first, last = enough[0][0], enough[-1][0]
        number = count(first) if first == last else f"{count(first)} to {count(last)}"
        said = f"about {number} more test photos{alike} would be needed"
        return f"{said}, and for {len(never)} of them {NO_TEST_SET} would do" if never else said
    (photos, name), *others = enough
    said = f"about {count(photos)} more test photos{alike} would be needed for {name}"
    said += "".join(f", {count(photos)} for {name}" for photos, name in others)
    return f"{said}; {NO_TEST_SET} would do for {' or '.join(never)}" if never else said
