"""Are two runs really different? Both saw the same test photos, so they are compared pairwise."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

from classeur.errors import EvaluationError
from classeur.evaluation.intervals import effective_pairs, paired_interval
from classeur.evaluation.metrics import Figure
from classeur.evaluation.resampling import Units
from classeur.evaluation.sample_size import more_photos
from classeur.run_folder import printable

SIGNIFICANT = 0.05
"""Two runs differ if their corrected p-value is below this."""


@dataclass(frozen=True)
class Pair:
    """Two runs on the same photos."""

    first: str
    second: str
    difference: Figure
    """Accuracy of the first minus that of the second, with its paired score interval."""
    only_first: int
    """Photos that only the first got right."""
    only_second: int
    """Photos that only the second got right."""
    p_value: float
    """Exact McNemar test, over groups the exact sign-flip test; two-sided."""
    corrected_p: float
    """The same after Holm's correction for all pairs of the study."""
    more_photos: int | None = None
    """About how many more test photos would tell the two apart, if they differ as they seem to.
    None: they are told apart, or a million more would not do."""
    groups: int = 0
    """Groups of photos that were compared. 0: photos were."""

    @property
    def differs(self) -> bool:
        """Whether the test photos tell the two apart."""
        return self.corrected_p < SIGNIFICANT

    def seen_from(self, name: str) -> Figure:
        """Return the accuracy of the named run minus that of the other."""
        if name == self.first:
            return self.difference
        return Figure(-self.difference.value, -self.difference.high, -self.difference.low)


def compare(
    correct: Mapping[str, NDArray[np.bool_]],
    *,
    groups: Sequence[str] = (),
    paths: Mapping[str, Sequence[str]] | None = None,
) -> list[Pair]:
    """Compare every two runs.

    The exact McNemar test (1947) looks only at the photos that one run got right and the other
    wrong; Holm's method (1979) corrects for the number of pairs. Where photos have groups, the
    photos of one are no independent witnesses, and groups are compared in their place.

    Args:
        correct: for each run, whether it got each photo right, (N,), the same photos in the same
            order.
        groups: the group of each photo, "" for none. Empty: no photo has one.
        paths: for each run, the photos it was scored on. None: they are known to be the same.

    Raises:
        EvaluationError: if the runs were scored on different photos, or in another order.
    """
    _check_paths(paths or {})
    sizes = {name: len(right) for name, right in correct.items()}
    if len(set(sizes.values())) > 1:
        raise EvaluationError(f"runs were scored on different photos: {sizes}.")
    units = Units.of(groups, next(iter(sizes.values()), 0))
    names = list(correct)
    pairs = [
        _pair(a, b, correct[a], correct[b], units)
        for i, a in enumerate(names)
        for b in names[i + 1 :]
    ]
    corrected = holm([pair.p_value for pair in pairs])
    pairs = [replace(pair, corrected_p=p) for pair, p in zip(pairs, corrected, strict=True)]
    alike = [pair for pair in pairs if not pair.differs]
    return [
        pair
        if pair.differs
        else replace(
            pair, more_photos=_more(correct[pair.first], correct[pair.second], units, len(alike))
        )
        for pair in pairs
    ]


def _check_paths(paths: Mapping[str, Sequence[str]]) -> None:
    names = list(paths)
    for name in names[1:]:
        pairs = itertools.zip_longest(paths[names[0]], paths[name], fillvalue="no photo")
        for number, (first, other) in enumerate(pairs, 1):
            if first != other:
                raise EvaluationError(
                    "runs were scored on different photos: expected the same in the same order; "
                    f"photo {number} of {names[0]} is {printable(first)}, of {name} "
                    f"{printable(other)}. Score both again on one split."
                )


def _pair(
    name: str, other: str, first: NDArray[np.bool_], second: NDArray[np.bool_], units: Units
) -> Pair:
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    p_value = (
        sign_flip(units.totals(_gains(first, second)))
        if units.grouped
        else mcnemar(only_first, only_second)
    )
    return Pair(
        name, other, paired_difference(first, second, units), only_first, only_second,
        p_value, p_value, groups=units.count if units.grouped else 0,
    )  # fmt: skip


def _more(
    first: NDArray[np.bool_], second: NDArray[np.bool_], units: Units, alike: int
) -> int | None:
    """Return the photos missing at Holm's first step among the pairs that are not told apart."""
    discordant = int((first ^ second).sum())
    design = 1.0
    if units.grouped:
        _, design = effective_pairs(units.totals(_gains(first, second)), units.sizes, discordant)
    return more_photos(
        int((first & ~second).sum()), int((second & ~first).sum()), len(first),
        level=SIGNIFICANT / alike, design=design,
    )  # fmt: skip


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the two-sided p-value of the exact McNemar test.

    Args:
        only_first: photos that only the first got right.
        only_second: photos that only the second got right.
    """
    tail = bdtr(min(only_first, only_second), only_first + only_second, 0.5)
    return min(1.0, 2 * float(tail))


def sign_flip(gains: NDArray[np.float64]) -> float:
    """Return the two-sided p-value of the exact sign-flip test over groups (Fisher, 1935).

    If two runs are equal, the gain of the one over the other in a group might as well have had the
    other sign. All 2^groups ways to give signs are counted, none is drawn: sums of whole numbers
    have few values. It is McNemar's test where each group is one photo, and what Durkalski et al.
    (2003) approximate for large numbers.

    Args:
        gains: (groups,) whole numbers: photos that only the first got right, minus those that only
            the second did.
    """
    sizes = np.abs(gains[gains != 0]).astype(np.int64)
    chances = np.zeros(int(sizes.sum()) + 1)  # of each sum of the groups with a plus
    chances[0] = 1.0
    for size in sizes:
        chances[size:] += chances[:-size].copy()
        chances /= 2
    distance = np.abs(2 * np.arange(len(chances)) - sizes.sum())
    return min(1.0, float(chances[distance >= abs(gains.sum())].sum()))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values corrected for their number, in the same order."""
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def paired_difference(
    first: NDArray[np.bool_], second: NDArray[np.bool_], units: Units | None = None
) -> Figure:
    """Return the difference of two accuracies with its 95 % interval.

    It is Tango's score interval (1998); over groups, that of as many photos as the groups are
    worth. The percentile bootstrap, in use before, held too few of the true differences where two
    runs seldom disagree: see docs/decisions/0014-intervals.md.
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    count = photos = float(len(first))
    if units is not None and units.grouped:
        gains = units.totals(_gains(first, second))
        photos, _ = effective_pairs(gains, units.sizes, only_first + only_second)
    share = photos / count
    low, high = paired_interval(share * only_first, share * only_second, photos)
    return Figure((only_first - only_second) / count, low, high)


def _gains(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> NDArray[np.int64]:
    """1, 0 or −1 for each photo."""
    return first.astype(np.int64) - second.astype(np.int64)
