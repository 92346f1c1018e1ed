"""Which labels may be wrong, told from out-of-sample probabilities.

Confident learning (Northcutt, Jiang and Chuang, 2021, "Confident learning: estimating uncertainty
in dataset labels"), by cleanlab.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classeur.data.rows import RowWriter
from classeur.run_folder import replacing

COLUMNS = (
    "path", "label", "suggested", "score", "probability_label", "probability_suggested", "decision",
)  # fmt: skip
"""Of the list. `decision` is empty, for the reviewer; `classeur.data.review` says what to write."""


@dataclass(frozen=True)
class Suspect:
    """A photo whose label may be wrong."""

    path: str
    label: str
    suggested: str
    """The most probable label."""
    score: float
    """cleanlab's normalised margin, 0 to 1: a half, and half of what the label's probability is
    above that of the most probable other label. The lower, the more suspicious."""
    probability_label: float
    probability_suggested: float


def find_suspects(
    paths: Sequence[str], labels: NDArray[np.int64], probabilities: NDArray[np.float64],
    class_names: Sequence[str],
) -> list[Suspect]:  # fmt: skip
    """Return the photos whose labels cleanlab doubts, the most suspicious first.

    Args:
        paths: of the photos, (N,).
        labels: (N,) indices of the class names.
        probabilities: (N, num_classes), by what has not learned from the photo.
        class_names: in the order of the probabilities.
    """
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    scores = get_label_quality_scores(labels, probabilities, method="normalized_margin")
    doubted = find_label_issues(
        labels, probabilities, return_indices_ranked_by="normalized_margin", n_jobs=1
    )
    best = probabilities.argmax(axis=1)
    return [
        Suspect(
            paths[i], class_names[labels[i]], class_names[best[i]], float(scores[i]),
            float(probabilities[i, labels[i]]), float(probabilities[i, best[i]]),
        )
        for i in doubted
        if best[i] != labels[i]
    ]  # fmt: skip


def write_suspects(suspects: Iterable[Suspect], path: Path) -> None:
    """Write the list as CSV, in one piece."""
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = RowWriter(file, COLUMNS)
        for item in suspects:
            numbers = (item.score, item.probability_label, item.probability_suggested)
            rounded = (f"{number:.4f}" for number in numbers)
            writer.write((item.path, item.label, item.suggested, *rounded, ""))
