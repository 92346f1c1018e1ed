"""Do probabilities mean what they say? Temperature scaling, and how far they are off."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from classeur.evaluation.abstention import find_thresholds
from classeur.evaluation.intervals import NORMAL
from classeur.evaluation.metrics import Figure, exact_share, measure, share_over, worth_of
from classeur.evaluation.predictions import Predictions
from classeur.evaluation.resampling import Units
from classeur.models.classifier import Classifier

COLDEST, HOTTEST = 0.1, 10.0
"""A fitted temperature is not outside these."""

BINS = 10
"""Bins of the calibration error, all of the same number of photos; fewer where a bin would have
less than ten."""


@dataclass(frozen=True)
class Bin:
    """Photos of about the same confidence."""

    confidence: float
    """Mean probability of the most probable class."""
    accuracy: float
    """Share of them that is right."""
    photos: int
    effective: float = 0.0
    """Independent photos that the accuracy is worth: fewer than `photos` where those of one group
    fare alike. 0 in files of earlier versions, which knew no groups."""

    @property
    def independent(self) -> float:
        """Independent photos in the bin."""
        return self.effective or self.photos

    @property
    def interval(self) -> Figure:
        """Accuracy and its exact 95 % interval (Clopper and Pearson, 1934)."""
        return exact_share(self.accuracy, self.independent)


@dataclass(frozen=True)
class Reliability:
    """How probabilities compare with what is right, on some photos."""

    log_loss: Figure
    error: Figure
    """Expected calibration error: the mean distance of confidence from accuracy over the bins."""
    bins: list[Bin]
    """From the least confident to the most."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Reliability:
        """Build from plain values."""
        return cls(
            Figure(**values["log_loss"]),
            Figure(**values["error"]),
            [Bin(**some) for some in values["bins"]],
        )


@dataclass(frozen=True)
class Calibration:
    """What temperature scaling did, on the test photos."""

    temperature: float
    fitted_on: int
    """Validation photos."""
    mistakes: int
    """Wrong ones among them; without any, nothing is fitted."""
    before: Reliability
    """With temperature 1."""
    after: Reliability

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """Build from plain values."""
        rest = {name: Reliability.from_dict(values[name]) for name in ("before", "after")}
        return cls(**{**values, **rest})


def calibrate(classifier: Classifier, logits: torch.Tensor, unscaled: Predictions) -> None:
    """Give a classifier the temperature and the thresholds that its validation photos tell.

    Args:
        classifier: the two are set.
        logits: (N, num_classes) or (N, 1), never scaled.
        unscaled: the same photos with temperature 1; those of other splits are passed over.
    """
    rows = np.array([split == "val" for split in unscaled.splits])
    own, labels = logits[torch.from_numpy(rows)], unscaled.labels[rows]
    classifier.temperature = fit_temperature(own.numpy(), labels)
    groups = unscaled.of_split("val").groups
    classifier.abstention = find_thresholds(classifier.probabilities(own), labels, groups)


def describe_calibration(
    temperature: float, unscaled: Predictions, scaled: Predictions, log_loss: Figure
) -> Calibration:
    """Return what the temperature did for the test photos among the predictions.

    Args:
        temperature: that was fitted.
        unscaled: with temperature 1.
        scaled: the same photos with that temperature.
        log_loss: of the latter on the test photos.
    """
    val, test = scaled.of_split("val"), scaled.of_split("test")
    raw = unscaled.of_split("test")
    raw_loss = measure(raw.labels, raw.probabilities, raw.class_names, groups=raw.groups).log_loss
    return Calibration(
        temperature,
        len(val.labels),
        int((~val.correct).sum()),
        _reliability(raw, raw_loss),
        _reliability(test, log_loss),
    )


def without_temperature(scaled: Predictions, temperature: float) -> Predictions:
    """Return predictions as they were before the temperature divided their logits."""
    if temperature == 1:
        return scaled
    powers = scaled.probabilities.astype(np.float64) ** temperature
    raw = powers / powers.sum(axis=1, keepdims=True)
    return replace(scaled, probabilities=raw.astype(np.float32))


def _reliability(predictions: Predictions, log_loss: Figure) -> Reliability:
    return Reliability(
        log_loss,
        calibration_error_of(predictions),
        reliability_bins(predictions.confidence, predictions.correct, groups=predictions.groups),
    )


def calibration_error_of(predictions: Predictions) -> Figure:
    """Return the expected calibration error of predictions, over groups if there are any."""
    return calibration_error(predictions.confidence, predictions.correct, groups=predictions.groups)


def fit_temperature(logits: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> float:
    """Return the temperature that minimises the log-loss (Guo et al., 2017).

    The log-loss is convex in one over the temperature, so its minimum is found wherever it lies,
    within COLDEST and HOTTEST. It has none where every photo is right: the temperature would go to
    zero, and every probability to one. It stays at 1 then, and where all photos have the same
    logits, which say nothing about any of them.

    Args:
        logits: (N, num_classes), or (N, 1) of two classes; never scaled before.
        labels: (N,) indices.

    Returns:
        The temperature, to four digits.
    """
    from scipy.optimize import minimize_scalar

    scores = two_sided(np.asarray(logits, np.float64))
    same = not np.ptp(scores, axis=0).any()
    if same or not np.isfinite(scores).all() or (scores.argmax(axis=1) == labels).all():
        return 1.0
    # The label's logit less the others': the same loss, and no large numbers cancel.
    behind = scores - scores[np.arange(len(labels)), labels][:, None]

    def log_loss(inverse: float) -> float:
        return float(np.logaddexp.reduce(inverse * behind, axis=1).mean())

    found = minimize_scalar(
        log_loss, bounds=(1 / HOTTEST, 1 / COLDEST), method="bounded", options={"xatol": 1e-7}
    )
    return float(f"{min(HOTTEST, max(COLDEST, 1 / found.x)):.4g}")


def two_sided(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return logits (N, 1) of two classes as (N, 2) with the same probabilities."""
    if logits.shape[1] > 1:
        return logits
    return np.concatenate([np.zeros_like(logits), logits], axis=1)


def reliability_bins(
    confidence: NDArray[Any], correct: NDArray[np.bool_], *, groups: Sequence[str] = ()
) -> list[Bin]:
    """Return the photos in bins of equal number, sorted by confidence (N,).

    Args:
        confidence: (N,) probability of the most probable class.
        correct: (N,) whether it is the label.
        groups: the group of each photo, "" for none. Empty: no photo has one.
    """
    units = Units.of(groups, len(confidence))
    return [
        Bin(
            float(confidence[rows].mean()),
            float(correct[rows].mean()),
            len(rows),
            worth_of(correct[rows], units.among(rows)),
        )
        for rows in _equal_parts(confidence)
    ]


def calibration_error(
    confidence: NDArray[Any], correct: NDArray[np.bool_], *, groups: Sequence[str] = ()
) -> Figure:
    """Return the expected calibration error of the most probable class, with its 95 % interval.

    The mean distance of confidence from accuracy over bins (Naeini et al., 2015; Guo et al., 2017),
    here of equal number. Chance moves every bin away from its place, so the figure is above zero
    for the best of networks (Roelofs et al., 2022), and a bootstrap of it is higher still.

    The interval takes that back and holds however the true error lies in the bins. It ends above
    the figure by what chance does to the accuracy: the error is at least the sum of the gaps with
    their true signs, which is off by no more. It begins at what neither chance in every bin nor
    chance in the accuracy explains, at 0 for a network that may be well calibrated. Simulations
    are in docs/decisions/0014-intervals.md.

    Args:
        confidence: (N,) probability of the most probable class.
        correct: (N,) whether it is the label.
        groups: the group of each photo, "" for none; their photos fare alike. Empty: no photo has
            one.
    """
    units = Units.of(groups, len(confidence))
    parts = _equal_parts(confidence)
    far: NDArray[np.float64] = correct - confidence.astype(np.float64)
    gaps = np.array([far[rows].sum() for rows in parts]) / len(far)
    value = float(np.abs(gaps).sum())
    if units.count == 1:
        return Figure(value, 0.0, 1.0)
    accuracy = share_over(correct, units)
    off = max(accuracy.value - accuracy.low, accuracy.high - accuracy.value)
    by_chance = _MEAN_DISTANCE * _errors(correct, units, parts).sum()
    low = max(abs(far.mean()) - _TWO * off, value - by_chance - _SPREAD_OF_DISTANCE * _TWO * off)
    return Figure(value, float(max(0.0, low)), min(1.0, value + off))


_MEAN_DISTANCE = (2 / math.pi) ** 0.5
"""Mean of a normal variable's distance from its mean, in its standard deviations, …"""

_SPREAD_OF_DISTANCE = (1 - 2 / math.pi) ** 0.5
"""… and the standard deviation of that distance."""

_TWO = 2.2414 / NORMAL
"""By how much farther a limit is where two share one risk (Bonferroni)."""


def _errors(
    correct: NDArray[np.bool_], units: Units, parts: Sequence[NDArray[np.int64]]
) -> NDArray[np.float64]:
    """Return the standard error of each bin's share of all photos.

    One photo more is counted right and one wrong: a bin that is all right does not spread, yet it
    says little.
    """
    errors = []
    for rows in parts:
        worth = worth_of(correct[rows], units.among(rows))
        share = (worth * correct[rows].mean() + 1) / (worth + 2)
        errors.append(len(rows) / len(correct) * (share * (1 - share) / worth) ** 0.5)
    return np.array(errors)


def _equal_parts(confidence: NDArray[Any]) -> list[NDArray[np.int64]]:
    """Return the rows of each bin. Equals are shuffled: files come sorted by label."""
    shuffled = np.random.default_rng(0).permutation(len(confidence))
    order = np.lexsort((shuffled, confidence))
    return np.array_split(order, max(1, min(BINS, len(order) // 10)))
