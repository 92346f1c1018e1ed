"""Figures of merit against scikit-learn, and intervals against what they promise."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom
from sklearn import metrics as sklearn_metrics

from classeur.errors import EvaluationError
from classeur.evaluation.intervals import exact_interval
from classeur.evaluation.metrics import ClassFigures, Figure, Metrics, measure


def drawn(
    photos: int, classes: int, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Labels, and probabilities that have something to do with them."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, photos)
    logits = random.normal(size=(photos, classes)) + 1.5 * np.eye(classes)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return labels, probabilities.astype(np.float32)


def names(classes: int) -> list[str]:
    return [f"class {i:02}" for i in range(classes)]


def measured(photos: int, classes: int, seed: int = 0, resamples: int = 200) -> Metrics:
    return measure(*drawn(photos, classes, seed), names(classes), resamples=resamples)


@pytest.mark.parametrize("classes", [2, 3, 5, 12])
def test_figures_agree_with_scikit_learn(classes: int) -> None:
    labels, probabilities = drawn(400, classes)
    predicted = probabilities.argmax(axis=1)
    found = measure(labels, probabilities, names(classes), resamples=50)
    assert found.photos == 400
    assert found.accuracy.value == pytest.approx(
        sklearn_metrics.accuracy_score(labels, predicted), abs=1e-12
    )
    assert found.balanced_accuracy.value == pytest.approx(
        sklearn_metrics.balanced_accuracy_score(labels, predicted), abs=1e-12
    )
    assert found.macro_f1.value == pytest.approx(
        sklearn_metrics.f1_score(labels, predicted, average="macro"), abs=1e-12
    )
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    assert found.log_loss.value == pytest.approx(sklearn_metrics.log_loss(labels, exact), abs=1e-6)
    assert found.confusion == sklearn_metrics.confusion_matrix(labels, predicted).tolist()


@pytest.mark.parametrize(("classes", "k"), [(5, 3), (9, 3), (10, 5), (12, 5)])
def test_top_k_agrees_with_scikit_learn(classes: int, k: int) -> None:
    labels, probabilities = drawn(400, classes)
    found = measure(labels, probabilities, names(classes), resamples=50)
    assert found.k == k
    assert found.top_k is not None
    assert found.top_k.value == pytest.approx(
        sklearn_metrics.top_k_accuracy_score(labels, probabilities, k=k)
    )


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_no_top_k_for_few_classes(classes: int) -> None:
    found = measured(100, classes)
    assert (found.k, found.top_k) == (0, None)


def test_figures_of_each_class_agree_with_scikit_learn() -> None:
    labels, probabilities = drawn(300, 4)
    report = sklearn_metrics.classification_report(
        labels, probabilities.argmax(axis=1), target_names=names(4), output_dict=True
    )
    found = measure(labels, probabilities, names(4), resamples=50)
    assert [row.label for row in found.per_class] == names(4)
    for row in found.per_class:
        theirs = report[row.label]
        assert row.precision == pytest.approx(theirs["precision"], abs=1e-12)
        assert row.recall == pytest.approx(theirs["recall"], abs=1e-12)
        assert row.f1 == pytest.approx(theirs["f1-score"], abs=1e-12)
        assert row.support == theirs["support"]


def test_a_class_that_is_never_predicted() -> None:
    labels = np.array([0, 0, 1, 2])
    probabilities = np.array([[0.8, 0.1, 0.1], [0.2, 0.1, 0.7], [0.6, 0.2, 0.2], [0.1, 0.2, 0.7]])
    found = measure(labels, probabilities, names(3), resamples=200)
    never = found.per_class[1]
    assert (never.precision, never.recall, never.f1, never.support) == (0.0, 0.0, 0.0, 1)
    assert found.macro_f1.value == pytest.approx((0.5 + 0 + 2 / 3) / 3)
    assert found.confusion == [[1, 0, 1], [1, 0, 0], [0, 0, 1]]


def test_a_class_without_photos_counts_in_no_mean_recall() -> None:
    labels = np.array([0, 0, 2, 2])
    probabilities = np.eye(3)[[0, 2, 2, 2]]
    found = measure(labels, probabilities, names(3), resamples=200)
    absent = found.per_class[1]
    assert (absent.precision, absent.recall, absent.f1, absent.support) == (0.0, 0.0, 0.0, 0)
    assert found.balanced_accuracy.value == pytest.approx((0.5 + 1) / 2)
    assert found.macro_f1.value == pytest.approx((2 / 3 + 0.8) / 2)


def test_a_sure_mistake_costs_a_bounded_log_loss() -> None:
    found = measure(np.array([0]), np.array([[0.0, 1.0]]), names(2), resamples=10)
    assert found.log_loss.value == pytest.approx(16.118, abs=1e-3)


def test_equal_losses_have_no_interval_but_the_loss_itself() -> None:
    """Their mean is rounded, and so a trace of spread is left."""
    rows = np.full((401, 3), 1 / 3, np.float32)
    loss = measure(np.arange(401) % 3, rows, ["a", "b", "c"]).log_loss
    assert loss.low == pytest.approx(np.log(3), abs=1e-6)
    assert loss.high == pytest.approx(np.log(3), abs=1e-6)


def test_no_photos() -> None:
    with pytest.raises(EvaluationError, match=r"^there are no photos to score\.$"):
        measure(np.zeros(0, np.int64), np.zeros((0, 2)), names(2))


def figures(found: Metrics) -> list[Figure]:
    every = [found.accuracy, found.balanced_accuracy, found.macro_f1, found.log_loss]
    return every if found.top_k is None else [*every, found.top_k]


@pytest.mark.parametrize("classes", [2, 6])
def test_intervals_hold_the_value_and_shrink_with_more_photos(classes: int) -> None:
    few, many = figures(measured(60, classes)), figures(measured(3000, classes))
    for small, large in zip(few, many, strict=True):
        assert small.low <= small.value <= small.high
        assert large.low <= large.value <= large.high
        assert 0 < large.high - large.low < 0.3 * (small.high - small.low)


def test_intervals_depend_on_the_seed_alone() -> None:
    labels, probabilities = drawn(80, 3)
    first, again, other = (
        measure(labels, probabilities, names(3), resamples=100, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.accuracy.value == other.accuracy.value
    assert first.log_loss != other.log_loss


@pytest.mark.parametrize("photos", [4, 16])
def test_a_perfect_run_claims_no_certainty(photos: int) -> None:
    """Clopper and Pearson: at n of n the lower end is the n-th root of 0.025."""
    labels = np.arange(photos) % 2
    right = measure(labels, np.eye(2)[labels], names(2), resamples=50)
    wrong = measure(labels, np.eye(2)[1 - labels], names(2), resamples=50)
    low = 0.025 ** (1 / photos)
    for name in ("accuracy", "balanced_accuracy", "macro_f1"):
        figure, opposite = getattr(right, name), getattr(wrong, name)
        assert (figure.value, figure.high) == (1.0, 1.0)
        assert figure.low == pytest.approx(low)
        assert (opposite.value, opposite.low) == (0.0, 0.0)
        assert opposite.high == pytest.approx(1 - low)


def test_nineteen_in_twenty_intervals_cover_the_truth() -> None:
    truth, covered, studies = 0.8, 0, 120
    random = np.random.default_rng(0)
    for _ in range(studies):
        labels = random.integers(0, 2, 120)
        right = random.random(120) < truth
        probabilities = np.eye(2)[np.where(right, labels, 1 - labels)]
        found = measure(labels, probabilities, names(2), resamples=100).accuracy
        covered += found.low <= truth <= found.high
    assert 0.88 <= covered / studies <= 0.99


def test_round_trip_through_json() -> None:
    for classes in (3, 6):
        found = measured(50, classes)
        assert Metrics.from_dict(json.loads(json.dumps(found.to_dict()))) == found
        assert set(found.to_dict()) == {f.name for f in dataclasses.fields(Metrics)}


def test_equal_probabilities_give_no_label_a_better_rank_than_argmax_does():
    labels = np.arange(10).repeat(3)
    metrics = measure(labels, np.full((30, 10), 0.1), [str(i) for i in range(10)], resamples=10)
    assert metrics.accuracy.value == pytest.approx(0.1)
    assert metrics.top_k is not None
    assert metrics.top_k.value == pytest.approx(0.5)


@pytest.mark.parametrize(("right", "support"), [(0, 3), (5, 8), (33, 34), (6, 6)])
def test_the_interval_of_a_recall_is_exact(right: int, support: int) -> None:
    """Clopper and Pearson: each limit is where the other tail has 2.5 %."""
    figure = ClassFigures("c", 0.5, right / support, 0.5, support).recall_interval
    assert figure.value == right / support
    if right:
        assert binom.sf(right - 1, support, figure.low) == pytest.approx(0.025)
    if right < support:
        assert binom.cdf(right, support, figure.high) == pytest.approx(0.025)
    assert (figure.low == 0, figure.high == 1) == (right == 0, right == support)


def test_precision_and_f1_of_a_class_have_their_intervals() -> None:
    labels = np.repeat([0, 1], 40)
    probabilities = np.eye(3)[labels]
    probabilities[:4] = [0, 1, 0]
    first, second, never = measure(labels, probabilities, list("abc"), resamples=10).per_class
    assert first.precision_interval == Figure(1.0, *exact_interval(1.0, 36))
    assert second.precision_interval == Figure(40 / 44, *exact_interval(40 / 44, 44))
    assert (never.precision_interval, never.f1_interval) == (None, None)
    assert first.f1_interval is not None
    assert 0.85 < first.f1_interval.low < first.f1 < first.f1_interval.high < 0.99


def test_files_of_earlier_versions_have_no_interval_of_precision() -> None:
    old = measured(50, 3).to_dict()
    for row in old["per_class"]:
        del row["worth_precision"], row["worth_f1"]
    assert Metrics.from_dict(old).per_class[0].precision_interval is None
