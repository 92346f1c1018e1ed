"""Risk against coverage, and how far the area under it can be trusted."""

from __future__ import annotations

import numpy as np
import pytest

from classeur.evaluation.intervals import exact_interval
from classeur.evaluation.resampling import Units
from classeur.evaluation.risk import RESAMPLES, _areas, risk_curve


def test_the_curve_by_hand() -> None:
    confidence = np.array([0.5, 0.9, 0.7, 0.7])
    correct = np.array([False, True, True, False])
    curve = risk_curve(confidence, correct)
    np.testing.assert_allclose(curve.coverage, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(curve.risk, [0, 0.25, 1 / 3, 0.5])
    assert curve.area.value == pytest.approx((0 + 0.25 + 1 / 3 + 0.5) / 4)


def test_the_same_confidence_for_all_gives_a_flat_curve() -> None:
    curve = risk_curve(np.full(8, 0.4), np.arange(8) < 6)
    np.testing.assert_allclose(curve.risk, 0.25)


def test_the_same_confidence_for_all_is_worth_as_many_photos_as_there_are() -> None:
    curve = risk_curve(np.full(1000, 0.4), np.arange(1000) < 750)
    assert curve.worth == pytest.approx(1000, rel=0.2)


def test_without_a_mistake_the_photos_are_counted() -> None:
    area = risk_curve(np.linspace(0.5, 1, 60), np.full(60, fill_value=True)).area
    assert (area.value, area.low, area.high) == (0, *exact_interval(0, 60))


def drawn(photos: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    confidence = random.uniform(0.5, 1, photos)
    return confidence, random.random(photos) < confidence


def test_the_interval_holds_the_area_of_all_photos() -> None:
    truth = risk_curve(*drawn(100_000, seed=99), resamples=1).area.value
    found = [risk_curve(*drawn(200, seed=seed)).area for seed in range(60)]
    assert sum(area.low <= truth <= area.high for area in found) >= 54


def test_photos_of_one_group_count_as_fewer() -> None:
    confidence, correct = drawn(100, seed=3)
    alone = risk_curve(confidence, correct).area
    copies = risk_curve(
        np.repeat(confidence, 8), np.repeat(correct, 8), [f"g{i // 8}" for i in range(800)]
    ).area
    naive = risk_curve(np.repeat(confidence, 8), np.repeat(correct, 8)).area
    assert copies.high - copies.low == pytest.approx(alone.high - alone.low, rel=0.15)
    assert naive.high - naive.low < 0.5 * (alone.high - alone.low)


def test_a_resample_has_the_area_of_the_curve_of_its_photos() -> None:
    confidence, correct = np.array([0.9, 0.7, 0.7, 0.5, 0.4]), np.array([1, 0, 1, 1, 0], np.bool_)
    units = Units.of([], 5)
    rank = np.unique(-confidence, return_inverse=True)[1]
    (areas,) = _areas(units, rank, ~correct, RESAMPLES)
    (weights,) = units.resample(RESAMPLES, np.random.default_rng(0))
    for area, times in zip(areas[:20], weights[:20].astype(int), strict=True):
        drawn = risk_curve(np.repeat(confidence, times), np.repeat(correct, times))
        assert area == pytest.approx(drawn.area.value)
