"""Thresholds with a promise: that they hold, and what they cost."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray

from classeur.config import ModelConfig
from classeur.data.geometry import Geometry
from classeur.evaluation.abstention import (
    Reached,
    find_thresholds,
    reached,
    reached_levels,
)
from classeur.evaluation.calibration import calibrate
from classeur.evaluation.predictions import Predictions
from classeur.models.abstention import LEVELS, Abstention, Level, Rule, least_photos
from classeur.models.classifier import Classifier
from classeur.models.preprocessing import Preprocessing

Rows = NDArray[np.float32]


def drawn(photos: int, classes: int = 4, seed: int = 0) -> tuple[Rows, NDArray[np.int64]]:
    """Probabilities that are too high, of a network that is right nine times in ten or so."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, photos)
    logits = random.normal(size=(photos, classes))
    logits[np.arange(photos), labels] += random.gamma(4, 1.0, photos)
    powers = np.exp(2 * (logits - logits.max(axis=1, keepdims=True)))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32), labels


def predictions(rows: Rows, labels: NDArray[np.int64]) -> Predictions:
    count, classes = rows.shape
    names = [f"c{i}" for i in range(classes)]
    return Predictions([""] * count, ["test"] * count, labels, rows, names)


def test_a_perfect_network_needs_so_many_photos_for_a_promise() -> None:
    """0.99 to the 299th is the first power below 0.05; 0.95 to the 59th."""
    for photos, strictest in ((58, 0.1), (59, 0.05), (298, 0.02), (299, 0.01), (2994, 0.002)):
        labels = np.arange(photos) % 2
        found = find_thresholds(np.eye(2, dtype=np.float32)[labels], labels)
        kept = [level.max_error for level in found.levels if level.below is not None]
        assert kept[0] == strictest
        assert all(level.below == 0 for level in found.levels if level.max_error in kept)


def test_thresholds_fall_as_more_mistakes_are_allowed() -> None:
    rows, labels = drawn(1500)
    levels = find_thresholds(rows, labels).levels
    assert [level.max_error for level in levels] == list(LEVELS)
    kept = [level for level in levels if level.below is not None]
    below = [level.below for level in kept]
    assert below == sorted(below, reverse=True)
    assert below[-1] == 0
    for level in kept:
        answered = rows.max(axis=1) >= level.below
        assert level.answered == answered.sum()
        assert level.wrong == (rows.argmax(axis=1) != labels)[answered].sum()
        assert level.wrong / level.answered < level.max_error


def test_the_same_photos_and_a_lone_mistake_among_the_surest() -> None:
    labels = np.zeros(400, np.int64)
    confidence = np.linspace(0.999, 0.6, 400, dtype=np.float32)
    rows = np.stack([confidence, 1 - confidence], axis=1)
    rows[0] = rows[0, ::-1]
    (level,) = (some for some in find_thresholds(rows, labels).levels if some.max_error == 0.01)
    assert (level.below, level.answered, level.wrong) == (None, 299, 1)
    assert level.needed == 1200  # three mistakes among 897 answers, of which 299 are of 400
    rows[0] = rows[0, ::-1]
    rows[350] = rows[350, ::-1]
    (level,) = (some for some in find_thresholds(rows, labels).levels if some.max_error == 0.01)
    assert (level.answered, level.wrong) == (346, 0)
    assert level.below is not None
    assert rows[346, 0] < level.below <= rows[345, 0]


def test_two_mistakes_among_two_thousand_photos_kill_no_promise() -> None:
    """The whole set has p = 4e-7 for 1 %, though one mistake is among the surest fifth."""
    confidence = np.linspace(0.9999, 0.6, 2000, dtype=np.float32)
    wrong = np.isin(np.arange(2000), [150, 1800])
    found = find_thresholds(np.stack([confidence, 1 - confidence], axis=1), wrong.astype(np.int64))
    levels = {level.max_error: level for level in found.levels}
    assert (levels[0.01].below, levels[0.01].answered, levels[0.01].wrong) == (0.0, 2000, 2)
    assert levels[0.005].below == 0
    refused = levels[0.002]
    assert (refused.below, refused.wrong, refused.needed) == (None, 1, 6000)
    assert levels[0.001] == Level(0.001, None, 0.0, 0, 0, least_photos(0.001))


def test_no_start_is_bought_where_it_cannot_help() -> None:
    """Of 400 photos 299 without a mistake are still enough for 1 %; of 1,200 it takes 309."""
    for photos, surest in ((400, 299), (1200, 309)):
        confidence = np.linspace(0.99, 0.6, photos, dtype=np.float32)
        wrong = np.arange(photos) > 1.05 * surest
        rows = np.stack([confidence, 1 - confidence], axis=1)
        (level,) = (
            some
            for some in find_thresholds(rows, wrong.astype(np.int64)).levels
            if some.max_error == 0.01
        )
        assert level.below is not None
        assert surest <= level.answered <= 1.1 * surest


def test_photos_of_equal_confidence_are_answered_together() -> None:
    labels = np.zeros(400, np.int64)
    rows = np.tile(np.array([0.9, 0.1], np.float32), (400, 1))
    levels = {level.max_error: level for level in find_thresholds(rows, labels).levels}
    assert (levels[0.01].below, levels[0.01].answered) == (0.0, 400)
    labels[:40] = 1
    levels = {level.max_error: level for level in find_thresholds(rows, labels).levels}
    assert levels[0.05].below is None
    assert (levels[0.05].answered, levels[0.05].needed) == (400, 0)


def test_a_promise_holds_in_nineteen_draws_of_twenty() -> None:
    """The guarantee itself, by simulation: the true error may exceed a level in 5 % of draws."""
    rows, labels = drawn(10_000, seed=1)
    every, random = predictions(rows, labels), np.random.default_rng(0)
    broken = dict.fromkeys(LEVELS, 0)
    promised = dict.fromkeys(LEVELS, 0)
    held: dict[float, list[float]] = {level: [] for level in LEVELS}
    for _ in range(120):
        some = random.integers(0, len(labels), 400)
        found = find_thresholds(rows[some], labels[some])
        for truth in reached_levels(every, found):
            promised[truth.max_error] += 1
            broken[truth.max_error] += truth.wrong > truth.max_error * truth.answered
            if truth.unsure:
                held[truth.max_error].append(truth.held / truth.unsure)
    assert promised[0.02] > 60
    assert promised[0.05] == 120
    for level in LEVELS:
        assert broken[level] <= 11  # 6 expected at most, and two standard deviations
        if len(held[level]) > 60:
            assert np.mean(held[level]) >= 1 - level - 0.005


def test_the_simulation_can_tell_a_promise_that_does_not_hold() -> None:
    """Choosing the lowest threshold whose validation error is low enough breaks it in far more."""
    rows, labels = drawn(40_000, seed=1)
    wrong, confidence = rows.argmax(axis=1) != labels, rows.max(axis=1)
    random, broken = np.random.default_rng(0), 0
    for _ in range(100):
        some = random.integers(0, len(labels), 400)
        order = some[np.argsort(-confidence[some])]
        fine = np.cumsum(wrong[order]) / np.arange(1, 401) <= 0.02
        below = confidence[order[np.flatnonzero(fine)[-1]]]
        broken += wrong[confidence >= below].mean() > 0.02
    assert broken > 30


def test_one_photo_of_each_group_counts() -> None:
    labels = np.arange(600) % 2
    rows = np.eye(2, dtype=np.float32)[labels]
    by_ten = [f"g{i // 10}" for i in range(590)] + [""] * 10
    found = find_thresholds(rows, labels, by_ten)
    assert (found.photos, found.groups) == (600, 69)
    kept = [level for level in found.levels if level.below is not None]
    assert (kept[0].max_error, kept[0].answered) == (0.05, 69)
    assert found == find_thresholds(rows, labels, by_ten)
    assert find_thresholds(rows, labels, [""] * 600).groups == 0
    assert find_thresholds(rows, labels, [str(i) for i in range(600)]).groups == 0


def test_a_run_promises_for_groups_of_its_validation_photos() -> None:
    classifier = Classifier.create(
        ModelConfig("majority"), ["a", "b"], Preprocessing(Geometry(8), (0.5,) * 3, (0.5,) * 3)
    )
    logits = torch.tensor([[2.0, 0.0]] * 300)
    rows = classifier.probabilities(logits)
    groups = ["t"] * 100 + [f"v{i // 10}" for i in range(200)]
    splits = ["test"] * 100 + ["val"] * 200
    unscaled = Predictions(
        [""] * 300, splits, np.zeros(300, np.int64), rows, ["a", "b"], groups=groups
    )
    calibrate(classifier, logits, unscaled)
    assert classifier.abstention is not None
    assert (classifier.abstention.photos, classifier.abstention.groups) == (200, 20)


def test_possible_labels_hold_the_right_one_and_are_few() -> None:
    rows, labels = drawn(2000, classes=10, seed=2)
    level = next(some for some in find_thresholds(rows, labels).levels if some.max_error == 0.05)
    assert level.below is not None
    assert level.possible_from > 0
    fresh = predictions(*drawn(20_000, classes=10, seed=3))
    truth = reached(fresh, Rule(level.below, level.possible_from), 0.05)
    assert truth.unsure > 1000
    assert 0.93 < truth.held / truth.unsure < 0.99
    assert 1 < truth.size < 9


def test_what_a_rule_brings_by_hand() -> None:
    rows = np.array([[0.9, 0.1, 0.0], [0.6, 0.3, 0.1], [0.5, 0.2, 0.3], [0.95, 0.05, 0.0]])
    some = predictions(rows.astype(np.float32), np.array([0, 1, 1, 2]))
    found = reached(some, Rule(0.7, 0.25), 0.1)
    assert found == Reached(0.1, 0.7, 4, 2, 1, held=1, size=2.0, worth=4, worth_answered=2)
    assert (found.coverage.value, found.unsure) == (0.5, 2)
    assert found.error is not None
    assert found.error.value == 0.5
    assert Reached.from_dict(found.to_dict()) == found
    nothing = reached(some, Rule(0.99))
    assert (nothing.answered, nothing.error, nothing.size) == (0, None, 2.5)
    assert Reached.from_dict(nothing.to_dict()) == nothing


def test_what_a_rule_brings_is_known_no_better_than_the_groups_tell() -> None:
    rows = np.repeat(np.array([[0.9, 0.1], [0.6, 0.4]], np.float32), 30, axis=0)
    some = predictions(rows, np.repeat([0, 1, 0], 20))
    alone = reached(some, Rule(0.7))
    together = reached(
        dataclasses.replace(some, groups=[str(i // 10) for i in range(60)]), Rule(0.7)
    )
    assert (together.coverage.value, together.wrong) == (alone.coverage.value, alone.wrong)
    assert alone.error is not None
    assert together.error is not None
    for wide, narrow in ((together.coverage, alone.coverage), (together.error, alone.error)):
        assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_no_thresholds_reach_no_levels() -> None:
    some = predictions(*drawn(10))
    assert reached_levels(some, None) == []
    assert reached_levels(some, Abstention(10, ())) == []
