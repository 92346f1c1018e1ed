"""Figures of merit, each with a 95 % interval over the photos, or over groups of photos."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from classeur.errors import EvaluationError
from classeur.evaluation.bootstrap import (
    Draws,
    balanced_accuracy,
    macro_f1,
    resample,
    standard_error,
)
from classeur.evaluation.intervals import effective_photos, exact_interval, few_groups
from classeur.evaluation.resampling import Units

RESAMPLES = 2000
"""Bootstrap resamples behind every interval that has no formula."""

SMALLEST = 1e-7
"""Probabilities are clipped here for the log-loss, so that one photo costs 16.1 at most."""


FEW_MISTAKES = 5
"""With fewer mistakes the interval of the log-loss is too short: nothing can know of mistakes that
a test set does not hold (docs/decisions/0014-intervals.md)."""


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
    effective: float = 0.0
    """Independent photos that the recall is worth: fewer than `support` where photos of one group
    fare alike. 0 in files of earlier versions, which knew no groups."""
    worth_precision: float = 0.0
    """Independent photos that the precision is worth; 0: none, or in files of earlier versions."""
    worth_f1: float = 0.0
    """The same of F1."""

    @property
    def independent(self) -> float:
        """Independent photos of this class."""
        return self.effective or self.support

    @property
    def recall_interval(self) -> Figure:
        """Recall and its exact 95 % interval (Clopper and Pearson, 1934)."""
        return exact_share(self.recall, self.independent)

    @property
    def precision_interval(self) -> Figure | None:
        """The same of precision; None where it is of no photo."""
        return exact_share(self.precision, self.worth_precision) if self.worth_precision else None

    @property
    def f1_interval(self) -> Figure | None:
        """The same of F1; None where it is of no photo."""
        return exact_share(self.f1, self.worth_f1) if self.worth_f1 else None


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
    groups: int = 0
    """Groups of photos that all intervals are over. 0: they are over the photos."""

    @property
    def mistakes(self) -> int:
        """Photos whose most probable class is not their label."""
        return self.photos - sum(row[i] for i, row in enumerate(self.confusion))

    @property
    def over(self) -> str:
        """What the intervals are over: `photos` or `groups`."""
        return "groups" if self.groups else "photos"

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
    groups: Sequence[str] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Metrics:
    """Compute every figure and its interval.

    Intervals say how far a figure would move with other photos of the same kind, not with another
    training. Where photos have groups they are over the groups: photos of one group are alike.

    - Accuracy, top-k, and the precision and recall of a class are shares, and have the exact
      interval (Clopper and Pearson, 1934), over groups that of as many independent photos as they
      are worth (Korn and Graubard, 1998). So has the F1 of a class, with or without groups.
    - Balanced accuracy and macro-F1 have the same, for as many photos as would make a share spread
      as they do in a bootstrap, and no more than what the rarest classes allow.
    - Log-loss has the studentised bootstrap interval (Efron and Tibshirani, 1993, chapter 12): its
      distribution is skewed, and the percentile one is too short. With fewer than `FEW_MISTAKES`
      this one is too short as well.

    docs/decisions/0014-intervals.md shows how often each holds the truth.

    Args:
        labels: (N,) indices.
        probabilities: (N, num_classes).
        class_names: in the order of the probabilities.
        groups: the group of each photo, "" for none. Empty: no photo has one.
        resamples: bootstrap resamples.
        seed: of the bootstrap.

    Raises:
        EvaluationError: if there are no photos.
    """
    count, classes = len(labels), len(class_names)
    if count == 0:
        raise EvaluationError("there are no photos to score.")
    units = Units.of(groups, count)
    predicted = probabilities.argmax(axis=1)
    right = predicted == labels
    losses = _losses(labels, probabilities)
    draws = resample(units, labels, predicted, losses, classes, resamples=resamples, seed=seed)
    confusion = np.bincount(labels * classes + predicted, minlength=classes**2)
    confusion = confusion.reshape(classes, classes)
    k = _k_for(classes)
    worth = _worth(units, labels, predicted, classes)
    return Metrics(
        photos=count,
        accuracy=share_over(right, units),
        **_means_of_classes(confusion, draws, units, labels),
        log_loss=_log_loss(losses, draws, units),
        top_k=share_over(_rank(probabilities, labels) < k, units) if k else None,
        k=k,
        per_class=_per_class(confusion, class_names, worth),
        confusion=confusion.tolist(),
        groups=units.count if units.grouped else 0,
    )


def share_of(right: int, photos: int) -> Figure:
    """Return the share of right photos with its exact 95 % interval (Clopper and Pearson, 1934)."""
    return exact_share(right / photos, photos)


def exact_share(share: float, photos: float) -> Figure:
    """Return a share of independent photos with its exact 95 % interval.

    Clopper and Pearson, 1934. Of a fraction of a photo, see `exact_interval`.
    """
    return Figure(share, *exact_interval(share, photos))


def share_over(right: NDArray[np.bool_], units: Units) -> Figure:
    """Return the share of right photos with its exact 95 % interval, over groups if there are any.

    Clopper and Pearson, 1934; over groups that of as many independent photos as they are worth
    (Korn and Graubard, 1998).
    """
    return exact_share(float(right.mean()), worth_of(right, units))


def worth_of(right: NDArray[np.bool_], units: Units) -> float:
    """Return how many independent photos the share of right ones is worth."""
    if not units.grouped:
        return float(len(right))
    return effective_photos(units.totals(right), units.sizes)


def _means_of_classes(
    confusion: NDArray[np.int64], draws: Draws, units: Units, labels: NDArray[np.int64]
) -> dict[str, Figure]:
    """Return balanced accuracy and macro-F1."""
    right = np.diag(confusion).astype(np.float64)
    support, guessed = confusion.sum(axis=1), confusion.sum(axis=0)
    of_class = (units.table(labels, len(support)) > 0).sum(axis=0)  # units that hold the class
    figures = {
        "balanced_accuracy": (balanced_accuracy(right, support), draws.balanced_accuracy),
        "macro_f1": (macro_f1(right, support, guessed), draws.macro_f1),
    }
    return {
        name: _mean_of_classes(float(value), drawn, support, of_class, units)
        for name, (value, drawn) in figures.items()
    }


def _mean_of_classes(
    value: float, drawn: NDArray[np.float64], support: NDArray[np.int64],
    of_class: NDArray[np.int64], units: Units,
) -> Figure:  # fmt: skip
    """Return a mean over classes; its interval is that of a share that spreads as much."""
    if value in (0.0, 1.0) or units.count == 1:
        return exact_share(value, _evenly(of_class))
    variance = drawn.var() * units.count / (units.count - 1)
    worth = value * (1 - value) / variance if variance > 0 else math.inf
    rarer = few_groups(units.count) if units.grouped else 1.0
    return exact_share(value, min(worth, _evenly(support)) * rarer)


def _evenly(counts: NDArray[np.int64]) -> float:
    """Return how many photos, evenly over the classes, would say as much (Kish, 1965).

    A class of three photos that are all right does not spread, yet it says little.
    """
    there = counts[counts > 0]
    return float(len(there) ** 2 / (1 / there).sum())


_ROUNDING = 1e-9
"""A smaller standard error, in nats, is that of equal losses whose mean was rounded."""


def _log_loss(losses: NDArray[np.float64], draws: Draws, units: Units) -> Figure:
    value, most = float(losses.mean()), -math.log(SMALLEST)
    if units.count == 1:
        return Figure(value, 0.0, most)
    rest = units.totals(losses - value)
    error = float(standard_error(rest @ rest, units.sizes.sum(), units.count))
    if error < _ROUNDING:
        return Figure(value, value, value)
    nearest = np.quantile(draws.log_loss, [0.025], method="lower")
    farthest = np.quantile(draws.log_loss, [0.975], method="higher")
    low = max(0.0, value - float(farthest[0]) * error)
    return Figure(value, min(low, value), max(value, min(most, value - float(nearest[0]) * error)))


def _losses(labels: NDArray[np.int64], probabilities: NDArray[Any]) -> NDArray[np.float64]:
    of_label = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return np.asarray(-np.log(np.clip(of_label, SMALLEST, 1)))


@dataclass(frozen=True)
class _Worth:
    """How many independent photos the figures of each class are worth; 0: there are none."""

    recall: list[float]
    precision: list[float]
    f1: list[float]


def _worth(
    units: Units, labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int
) -> _Worth:
    hits = units.table(labels, classes, only=labels == predicted)
    support, guessed = units.table(labels, classes), units.table(predicted, classes)
    f1 = _worth_of_columns(2 * hits, support + guessed)
    if units.grouped:
        return _Worth(_worth_of_columns(hits, support), _worth_of_columns(hits, guessed), f1)
    recall, precision = (np.bincount(of, minlength=classes).tolist() for of in (labels, predicted))
    return _Worth(recall, precision, f1)


def _worth_of_columns(parts: csr_array, wholes: csr_array) -> list[float]:
    """Return what the share of each column is worth, both (units, num_classes)."""
    some, all_photos = parts.tocsc(), wholes.tocsc()
    worth = []
    for column in range(wholes.shape[1]):
        part, photos = (of[:, [column]].toarray()[:, 0] for of in (some, all_photos))
        worth.append(effective_photos(part, photos) if photos.any() else 0.0)
    return worth


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


def _per_class(
    confusion: NDArray[np.int64], class_names: list[str], worth: _Worth
) -> list[ClassFigures]:
    right, support, guessed = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return [
        ClassFigures(
            name,
            float(right[i] / guessed[i]) if guessed[i] else 0.0,
            float(right[i] / support[i]) if support[i] else 0.0,
            float(2 * right[i] / (support[i] + guessed[i])) if support[i] + guessed[i] else 0.0,
            int(support[i]),
            float(worth.recall[i]),
            float(worth.precision[i]),
            float(worth.f1[i]),
        )
        for i, name in enumerate(class_names)
    ]
