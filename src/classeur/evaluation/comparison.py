"""Are two runs really different? Both saw the same test photos, so they are compared pairwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classeur.errors import EvaluationError
from classeur.evaluation.metrics import RESAMPLES, Figure

SIGNIFICANT = 0.05
"""Two runs differ if their corrected p-value is below this."""


@dataclass(frozen=True)
class Pair:
    """Two runs on the same photos."""

    first: str
    second: str
    difference: Figure
    """Accuracy of the first minus that of the second, with its paired bootstrap interval."""
    only_first: int
    """Photos that only the first got right."""
    only_second: int
    """Photos that only the second got right."""
    p_value: float
    """Exact McNemar test, two-sided."""
    corrected_p: float
    """The same after Holm's correction for all pairs of the study."""

    @property
    def differs(self) -> bool:
        """Whether the test photos tell the two apart."""
        return self.corrected_p < SIGNIFICANT

    def seen_from(self, name: str) -> Figure:
        """Return the accuracy of the named run minus that of the other."""
        if name == self.first:
            return self.difference
        return Figure(-self.difference.value, -self.difference.high, -self.difference.low)


def compare(correct: Mapping[str, NDArray[np.bool_]], *, seed: int = 0) -> list[Pair]:
    """Compare every two runs.

    The exact McNemar test (1947) looks only at the photos that one run got right and the other
    wrong; Holm's method (1979) corrects for the number of pairs.

    Args:
        correct: for each run, whether it got each photo right, (N,), the same photos in the same
            order.
        seed: of the bootstrap.

    Raises:
        EvaluationError: if the runs were scored on different numbers of photos.
    """
    sizes = {name: len(right) for name, right in correct.items()}
    if len(set(sizes.values())) > 1:
        raise EvaluationError(f"runs were scored on different photos: {sizes}.")
    names = list(correct)
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    p_values = [mcnemar(correct[a], correct[b]) for a, b in pairs]
    return [
        Pair(
            a, b, paired_difference(correct[a], correct[b], seed=seed),
            int((correct[a] & ~correct[b]).sum()), int((correct[b] & ~correct[a]).sum()),
            p_value, corrected,
        )
        for (a, b), p_value, corrected in zip(pairs, p_values, holm(p_values), strict=True)
    ]  # fmt: skip


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return the two-sided p-value of the exact McNemar test."""
    from scipy.stats import binomtest  # slow to import, and few commands compare

    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values corrected for their number, in the same order."""
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def paired_difference(
    first: NDArray[np.bool_], second: NDArray[np.bool_], *, seed: int = 0
) -> Figure:
    """Return the difference of two accuracies with a 95 % paired bootstrap interval."""
    gains = first.astype(np.int64) - second.astype(np.int64)  # 1, 0 or -1 for each photo
    count = len(gains)
    shares = np.array([(gains == 1).sum(), (gains == 0).sum(), (gains == -1).sum()]) / count
    # Resampling photos is drawing the three counts from a multinomial: the same, and faster.
    draws = np.random.default_rng(seed).multinomial(count, shares, RESAMPLES)
    low, high = np.percentile((draws[:, 0] - draws[:, 2]) / count, [2.5, 97.5])
    return Figure(float(gains.mean()), float(low), float(high))
