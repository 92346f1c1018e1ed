"""Temperature scaling, and how far probabilities are from what they say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import log_loss as sklearn_log_loss

from classeur.data.manifest import Manifest
from classeur.evaluation.calibration import (
    COLDEST,
    HOTTEST,
    Bin,
    calibration_error,
    fit_temperature,
    reliability_bins,
)
from classeur.evaluation.evaluate import evaluate_run, read_metrics
from classeur.evaluation.predictions import read_predictions
from classeur.models.classifier import Classifier
from classeur.run_folder import RunFolder, read_json, write_json

Logits = NDArray[np.float64]


def drawn(
    photos: int, classes: int, seed: int = 0, spread: float = 2.0
) -> tuple[Logits, NDArray[np.int64]]:
    """Logits, and labels drawn from the very probabilities that they stand for."""
    random = np.random.default_rng(seed)
    logits = spread * random.normal(size=(photos, classes))
    labels = (logits + random.gumbel(size=logits.shape)).argmax(axis=1)
    return logits, labels


def softmax(logits: Logits, temperature: float = 1.0) -> Logits:
    powers = np.exp((logits - logits.max(axis=1, keepdims=True)) / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("scale", [0.25, 1.0, 3.0])
def test_the_temperature_takes_back_what_made_logits_too_large(scale: float) -> None:
    logits, labels = drawn(20_000, 5)
    assert fit_temperature(scale * logits, labels) == pytest.approx(scale, rel=0.04)


def test_no_other_temperature_has_a_lower_log_loss() -> None:
    logits, labels = drawn(300, 4, seed=2)
    found = fit_temperature(3 * logits, labels)
    least = sklearn_log_loss(labels, softmax(3 * logits, found))
    for other in np.geomspace(COLDEST, HOTTEST, 60):
        assert sklearn_log_loss(labels, softmax(3 * logits, float(other))) >= least - 1e-7


def test_one_logit_stands_for_two_classes() -> None:
    logits, labels = drawn(500, 2)
    one = 2.5 * (logits[:, 1:] - logits[:, :1])
    assert fit_temperature(one, labels) == fit_temperature(2.5 * logits, labels)


def test_the_temperature_stays_within_its_bounds() -> None:
    logits, labels = drawn(400, 3)
    assert fit_temperature(1e4 * logits, labels) == pytest.approx(HOTTEST, rel=1e-3)
    assert fit_temperature(1e-4 * logits, labels) == pytest.approx(COLDEST, rel=1e-3)


def test_without_a_mistake_nothing_is_fitted() -> None:
    logits, _ = drawn(50, 3)
    assert fit_temperature(logits, logits.argmax(axis=1)) == 1.0
    assert fit_temperature(np.array([[3.0], [-2.0]]), np.array([1, 0])) == 1.0


def test_logits_that_say_nothing_of_any_photo_stay_as_they_are() -> None:
    labels = np.array([0, 1, 2, 2])
    assert fit_temperature(np.tile([0.1, 0.3, 0.9], (4, 1)), labels) == 1.0
    assert fit_temperature(np.full((4, 1), 0.7), labels[:4] % 2) == 1.0


def test_logits_that_are_no_numbers_stay_as_they_are() -> None:
    logits = np.array([[1.0, 2.0], [np.inf, 0.0], [0.0, 1.0]])
    assert fit_temperature(logits, np.array([0, 1, 0])) == 1.0


def test_bins_are_of_equal_number_and_sorted() -> None:
    random = np.random.default_rng(0)
    confidence = random.uniform(0.5, 1, 205)
    bins = reliability_bins(confidence, random.random(205) < confidence)
    assert [some.photos for some in bins] == [21] * 5 + [20] * 5
    assert [some.confidence for some in bins] == sorted(some.confidence for some in bins)
    assert sum(some.confidence * some.photos for some in bins) == pytest.approx(confidence.sum())
    assert len(reliability_bins(confidence[:35], np.ones(35, np.bool_))) == 3
    assert len(reliability_bins(confidence[:4], np.ones(4, np.bool_))) == 1


def test_the_calibration_error_by_hand() -> None:
    confidence = np.repeat([0.6, 0.9], 10)
    correct = np.array([True] * 6 + [False] * 4 + [True] * 5 + [False] * 5)
    found = calibration_error(confidence, correct)
    assert found.value == pytest.approx((0.0 + 0.4) / 2)
    assert found.low < found.value < found.high
    bins = reliability_bins(confidence, correct)
    assert [(some.confidence, some.accuracy) for some in bins] == [
        (pytest.approx(0.6), 0.6), (pytest.approx(0.9), 0.5),
    ]  # fmt: skip


def test_a_calibrated_network_may_have_no_error_and_an_overconfident_one_has() -> None:
    logits, labels = drawn(2000, 3)
    for scale, has in ((1.0, False), (3.0, True)):
        rows = softmax(scale * logits)
        found = calibration_error(rows.max(axis=1), rows.argmax(axis=1) == labels)
        assert 0 <= found.low <= found.value <= found.high
        assert (found.low > 0.02) is has


def test_chance_alone_makes_no_calibration_error() -> None:
    """Of calibrated networks the figure is above zero, and nearly no interval says so."""
    alarms = 0
    for seed in range(60):
        logits, labels = drawn(200, 3, seed)
        rows = softmax(logits)
        found = calibration_error(rows.max(axis=1), rows.argmax(axis=1) == labels)
        assert found.value > 0.02
        alarms += found.low > 0
    assert alarms <= 3


def test_photos_of_equal_confidence_are_in_no_order() -> None:
    """`majority` says 50 % of every photo and is right: of the first half always, as files come."""
    found = calibration_error(np.full(200, 0.5), np.arange(200) < 100)
    assert found.value < 0.2
    assert found.low == 0


def test_a_test_set_without_a_mistake_does_not_show_that_there_are_none() -> None:
    found = calibration_error(np.full(200, 1 - 1e-6), np.ones(200, np.bool_))
    assert (found.low, found.value) == (0.0, pytest.approx(1e-6))
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 200), rel=0.001)


def test_where_photos_have_groups_the_groups_count() -> None:
    """Ten copies of each photo say no more than one, and one group says nothing."""
    logits, labels = drawn(400, 3, seed=5)
    rows = softmax(2 * logits)
    confidence, correct = rows.max(axis=1), rows.argmax(axis=1) == labels
    groups = [str(i) for i in range(400) for _ in range(10)]
    tens, right = confidence.repeat(10), correct.repeat(10)
    once = calibration_error(confidence, correct)
    copies = calibration_error(tens, right, groups=groups)
    naive = calibration_error(tens, right)
    assert [copies.value, naive.value] == pytest.approx([once.value] * 2)
    assert copies.high - copies.low == pytest.approx(once.high - once.low, rel=0.1)
    assert naive.high - naive.low < 0.5 * (copies.high - copies.low)
    alone = calibration_error(confidence, correct, groups=["patient"] * 400)
    assert (alone.value, alone.low, alone.high) == (once.value, 0.0, 1.0)


def test_few_groups_make_the_interval_longer() -> None:
    confidence = np.full(80, 0.9)
    of_groups = np.repeat([0.2, 0.5, 0.9, 1.0], 20)
    correct = np.random.default_rng(0).random(80) < of_groups
    few = calibration_error(confidence, correct, groups=[str(i // 20) for i in range(80)])
    assert few.low == 0.0
    assert few.high > 0.6


def test_bins_count_the_independent_photos_among_those_in_groups() -> None:
    confidence = np.repeat(np.linspace(0.5, 1, 40), 10)
    correct = np.random.default_rng(0).random(40).repeat(10) < 0.7
    bins = reliability_bins(confidence, correct, groups=[str(i // 10) for i in range(400)])
    assert [some.photos for some in bins] == [40] * 10
    assert all(some.independent <= 4 for some in bins)
    naive = reliability_bins(confidence, correct)
    assert [some.independent for some in naive] == [40] * 10
    for some, without in zip(bins, naive, strict=True):
        assert some.interval.high - some.interval.low > without.interval.high - without.interval.low
    assert Bin(0.7, 0.5, 40).independent == 40  # of a file from before groups were known


def test_the_figures_of_a_run_are_over_the_groups_of_its_manifest(
    run: RunFolder, photos: np.ndarray, manifest: Manifest
) -> None:
    rows = [dataclasses.replace(row, group=f"day {i // 9}") for i, row in enumerate(manifest.rows)]
    evaluate_run(run, photos, Manifest(rows), reason="a test")
    test = read_predictions(run.predictions).of_split("test")
    found = read_metrics(run)
    assert found.calibration is not None
    after = found.calibration.after
    confidence, correct = test.confidence, test.correct
    assert after.error == calibration_error(confidence, correct, groups=test.groups)
    assert after.error != calibration_error(confidence, correct)
    assert after.bins == reliability_bins(confidence, correct, groups=test.groups)


def rigged(run: RunFolder, scale: float = 50.0) -> None:
    """Make the network of the run much too sure of itself."""
    classifier = Classifier.load(run)
    with torch.no_grad():
        for parameter in classifier.network[-1].parameters():
            parameter.mul_(scale)
    classifier.save_weights(run)


def test_scoring_a_run_fits_its_temperature_on_validation(
    run: RunFolder, photos: np.ndarray, manifest: Manifest
) -> None:
    rigged(run)
    classifier = Classifier.load(run)
    rows = manifest.indices("val")
    raw = classifier.logits(photos[rows]).numpy()
    labels = np.array([classifier.class_names.index(manifest.rows[i].label) for i in rows])
    found = evaluate_run(run, photos, manifest, reason="a test").calibration
    assert found is not None
    assert found.temperature == fit_temperature(raw, labels) > 2
    assert (found.fitted_on, found.mistakes) == (20, int((raw.argmax(axis=1) != labels).sum()))
    assert read_json(run.model)["temperature"] == found.temperature
    assert Classifier.load(run).temperature == found.temperature


def test_predictions_and_figures_are_those_after_scaling(
    run: RunFolder, photos: np.ndarray, manifest: Manifest
) -> None:
    rigged(run)
    metrics = evaluate_run(run, photos, manifest, reason="a test")
    found, test = metrics.calibration, read_predictions(run.predictions).of_split("test")
    assert found is not None
    assert metrics.splits["test"].log_loss == found.after.log_loss
    assert found.after.log_loss.value < found.before.log_loss.value
    assert found.after.error == calibration_error(test.confidence, test.correct)
    assert found.after.error.value < found.before.error.value
    assert read_metrics(run) == metrics


def test_no_temperature_changes_an_answer(
    run: RunFolder, photos: np.ndarray, manifest: Manifest
) -> None:
    rigged(run)
    classifier = Classifier.load(run)
    logits = classifier.logits(photos)
    evaluate_run(run, photos, manifest, reason="a test")
    scaled = Classifier.load(run)
    assert scaled.temperature != 1
    before, after = (c.probabilities(logits) for c in (classifier, scaled))
    assert (before.max(axis=1) != after.max(axis=1)).any()
    np.testing.assert_array_equal(before.argmax(axis=1), after.argmax(axis=1))


def test_scoring_again_fits_nothing_on_top(
    run: RunFolder, photos: np.ndarray, manifest: Manifest
) -> None:
    rigged(run)
    first = evaluate_run(run, photos, manifest, reason="one")
    facts = read_json(run.model)
    second = evaluate_run(run, photos, manifest, reason="two")
    assert first.calibration == second.calibration
    assert read_json(run.model) == facts


def test_metrics_from_before_there_was_calibration(
    run: RunFolder, photos: np.ndarray, manifest: Manifest
) -> None:
    evaluate_run(run, photos, manifest, reason="a test")
    values = read_json(run.metrics)
    del values["calibration"], values["abstention"]
    write_json(run.metrics, values)
    facts = read_json(run.model)
    del facts["abstention"]
    write_json(run.model, facts)
    metrics = read_metrics(run)
    assert (metrics.calibration, metrics.abstention) == (None, [])
    assert Classifier.load(run).abstention is None
