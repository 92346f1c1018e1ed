"""Figures of merit, each with a 95 % interval by bootstrap over the photos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from classeur.errors import EvaluationError

RESAMPLES = 2000
"""Bootstrap resamples behind every interval."""

SMALLEST = 1e-7
"""Probabilities are clipped here for the log-loss, so that one photo costs 16.1 at most."""


@dataclass(frozen=True)
class Figure:
    """A figure of merit and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ClassFigures:
    """How one class fared."""

    label: str
    precision: float
    """Of the photos predicted as this class, the share that is. 0 if none was predicted."""
    recall: float
    """Of the photos of this class, the share that was predicted as such."""
    f1: float
    """Harmonic mean of the two."""
    support: int
    """Photos of this class."""

    @property
    def recall_interval(self) -> Figure:
        """Recall and its exact 95 % interval (Clopper and Pearson, 1934)."""
        return share_of(round(self.recall * self.support), self.support)


@dataclass(frozen=True)
class Metrics:
    """All figures of one run on one split."""

    photos: int
    accuracy: Figure
    balanced_accuracy: Figure
    """Mean recall over the classes."""
    macro_f1: Figure
    """Mean F1 over the classes."""
    log_loss: Figure
    """Mean of minus the natural log of the label's probability."""
    top_k: Figure | None
    """Share of photos whose label is among the k most probable; None below five classes."""
    k: int
    """5 from ten classes up, 3 from five; 0 below."""
    per_class: list[ClassFigures]
    confusion: list[list[int]]
    """Rows: given labels; columns: predictions; in the order of the class names."""

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Metrics:
        """Build from what `to_dict` returned."""
        rest = dict(values)
        for name in ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "top_k"):
            rest[name] = Figure(**rest[name]) if rest[name] is not None else None
        rest["per_class"] = [ClassFigures(**row) for row in rest["per_class"]]
        return cls(**rest)


def measure(
    labels: NDArray[np.int64],
    probabilities: NDArray[np.floating[Any]],
    class_names: list[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Metrics:
    """Compute every figure and its interval.

    Intervals are percentile bootstrap over photos (Efron and Tibshirani, 1993): they say how far
    the figure would move with other photos of the same kind, not with another training. Where every
    photo is right, or none, all resamples agree and would claim certainty; then the interval is
    the exact one for that many photos (Clopper and Pearson, 1934).

    Args:
        labels: (N,) indices.
        probabilities: (N, num_classes).
        class_names: in the order of the probabilities.
        resamples: bootstrap resamples.
        seed: of the bootstrap.

    Raises:
        EvaluationError: if there are no photos.
    """
    count, classes = len(labels), len(class_names)
    if count == 0:
        raise EvaluationError("there are no photos to score.")
    predicted = probabilities.argmax(axis=1)
    k = _k_for(classes)
    of_label = probabilities[np.arange(count), labels]
    losses = -np.log(np.clip(of_label.astype(np.float64), SMALLEST, 1))
    hits = _rank(probabilities, labels) < k
    cells = labels * classes + predicted
    draws = _resample(
        cells, losses, hits, classes, resamples=resamples, random=np.random.default_rng(seed)
    )
    confusion = np.bincount(cells, minlength=classes**2).reshape(classes, classes)
    return Metrics(
        photos=count,
        accuracy=_share(_accuracy(confusion), draws["accuracy"], count),
        balanced_accuracy=_share(_balanced(confusion), draws["balanced_accuracy"], count),
        macro_f1=_share(_macro_f1(confusion), draws["macro_f1"], count),
        log_loss=_figure(float(losses.mean()), draws["log_loss"]),
        top_k=_share(float(hits.mean()), draws["top_k"], count) if k else None,
        k=k,
        per_class=_per_class(confusion, class_names),
        confusion=confusion.tolist(),
    )


def _resample(
    cells: NDArray[np.int64], losses: NDArray[np.float64], hits: NDArray[np.bool_],
    classes: int, *, resamples: int, random: np.random.Generator,
) -> dict[str, NDArray[np.float64]]:  # fmt: skip
    names = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "top_k")
    draws = {name: np.empty(resamples) for name in names}
    for i in range(resamples):
        rows = random.integers(0, len(cells), len(cells))
        confusion = np.bincount(cells[rows], minlength=classes**2).reshape(classes, classes)
        draws["accuracy"][i] = _accuracy(confusion)
        draws["balanced_accuracy"][i] = _balanced(confusion)
        draws["macro_f1"][i] = _macro_f1(confusion)
        draws["log_loss"][i] = losses[rows].mean()
        draws["top_k"][i] = hits[rows].mean()
    return draws


def _accuracy(confusion: NDArray[np.int64]) -> float:
    return float(np.trace(confusion) / confusion.sum())


def _balanced(confusion: NDArray[np.int64]) -> float:
    """Mean recall over the classes that occur."""
    support = confusion.sum(axis=1)
    there = support > 0
    return float((np.diag(confusion)[there] / support[there]).mean())


def _macro_f1(confusion: NDArray[np.int64]) -> float:
    """Mean F1 over the classes that occur as a label or as a prediction."""
    either = confusion.sum(axis=0) + confusion.sum(axis=1)
    there = either > 0
    return float((2 * np.diag(confusion)[there] / either[there]).mean())


def _per_class(confusion: NDArray[np.int64], class_names: list[str]) -> list[ClassFigures]:
    right, support, guessed = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return [
        ClassFigures(
            name,
            float(right[i] / guessed[i]) if guessed[i] else 0.0,
            float(right[i] / support[i]) if support[i] else 0.0,
            float(2 * right[i] / (support[i] + guessed[i])) if support[i] + guessed[i] else 0.0,
            int(support[i]),
        )
        for i, name in enumerate(class_names)
    ]


def _k_for(classes: int) -> int:
    if classes >= 10:
        return 5
    return 3 if classes >= 5 else 0


def _rank(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many classes come before the label, (N,); of equals the first, as with argmax."""
    of_label = probabilities[np.arange(len(labels)), labels][:, None]
    earlier = np.arange(probabilities.shape[1]) < labels[:, None]
    before = (probabilities > of_label) | ((probabilities == of_label) & earlier)
    return np.asarray(before.sum(axis=1))


def _share(value: float, draws: NDArray[np.float64], photos: int) -> Figure:
    """Return a figure from 0 to 1 with its interval, which at either end is the exact one."""
    if value not in (0.0, 1.0):
        return _figure(value, draws)
    return share_of(round(value * photos), photos)


def share_of(right: int, photos: int) -> Figure:
    """Return a share with its exact 95 % interval (Clopper and Pearson, 1934).

    Raises:
        ValueError: if there are no photos.
    """
    exact = binomtest(right, photos).proportion_ci(method="exact")
    return Figure(right / photos, float(exact.low), float(exact.high))


def _figure(value: float, draws: NDArray[np.float64]) -> Figure:
    low, high = np.percentile(draws, [2.5, 97.5])
    return Figure(value, float(low), float(high))
