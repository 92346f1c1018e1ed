"""When a network is unsure: the rule, the levels that are kept, and what is refused."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from classeur.errors import ConfigError, InferenceError
from classeur.models.abstention import Abstention, Level, Rule, least_photos

ROWS = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]], np.float32)


def thresholds(photos: int = 400) -> Abstention:
    return Abstention(
        photos,
        (
            Level(0.002, None, 0.0, 0, 0, 1497),
            Level(0.01, None, 0.0, 299, 1, 635),
            Level(0.02, 0.9, 0.3, 300, 1, 0),
            Level(0.05, 0.7, 0.0, 390, 9, 0),
        ),
    )


def test_a_photo_is_unsure_below_the_threshold() -> None:
    assert Rule(0.8).unsure(ROWS.astype(np.float64)).tolist() == [True, False]
    assert Rule(0.5).unsure(ROWS).tolist() == [False, False]
    assert Rule(0.9).unsure(ROWS).tolist() == [True, True]


def test_the_most_probable_class_is_always_possible() -> None:
    assert Rule(0.9, 0.25).possible(ROWS).tolist() == [[True, True, False], [False, False, True]]
    assert Rule(0.9, 0.95).possible(ROWS).tolist() == [[True, False, False], [False, False, True]]
    assert Rule(0.9, 0.0).possible(ROWS).all()


def test_without_a_promise_the_possible_classes_have_the_threshold_together() -> None:
    rows = np.array([[0.2, 0.5, 0.3], [0.45, 0.1, 0.45], [0.0, 0.0, 1.0]])
    assert Rule(0.5).possible(rows).tolist() == [
        [False, True, False], [True, False, True], [False, False, True],
    ]  # fmt: skip
    assert Rule(0.51).possible(rows)[0].tolist() == [False, True, True]
    assert Rule(0.95).possible(rows)[0].all()


@pytest.mark.parametrize(
    ("asked", "below"), [(0.02, 0.9), (0.049, 0.9), (0.05, 0.7), (0.1 * 0.5, 0.7), (0.9, 0.7)]
)
def test_between_two_levels_the_stricter_counts(asked: float, below: float) -> None:
    assert thresholds().rule(asked).below == below


@pytest.mark.parametrize("share", [0, 1, -0.1, 5, float("nan")])
def test_a_share_that_is_none(share: float) -> None:
    with pytest.raises(ConfigError) as raised:
        thresholds().rule(share)
    assert str(raised.value) == (
        f"max_error must be above 0 and below 1 (1 % is 0.01), received {share!r}."
    )


def test_a_share_below_every_level() -> None:
    with pytest.raises(ConfigError) as raised:
        thresholds().rule(0.0004)
    assert str(raised.value) == "max_error must be at least 0.1 %, received 0.0004."


def test_too_few_photos_for_a_promise() -> None:
    with pytest.raises(InferenceError) as raised:
        thresholds().rule(0.003)
    assert str(raised.value) == (
        "a promise of at most 0.2 % wrong answers needs at least 1,497 validation photos; this run "
        "has 400. The strictest it can promise is 2 %."
    )


def test_too_many_mistakes_for_a_promise() -> None:
    with pytest.raises(InferenceError) as raised:
        thresholds().rule(0.01)
    assert str(raised.value) == (
        "a promise of at most 1 % wrong answers is more than its validation photos allow: of the "
        "299 it is surest of, 1 is wrong. At that rate it takes about 635 validation photos, not "
        "400. The strictest it can promise is 2 %."
    )


def test_too_few_groups_for_a_promise() -> None:
    with pytest.raises(InferenceError) as raised:
        dataclasses.replace(thresholds(6000), groups=400).rule(0.003)
    assert str(raised.value) == (
        "a promise of at most 0.2 % wrong answers needs at least 1,497 groups of validation "
        "photos; this run has 400. The strictest it can promise is 2 %."
    )


def test_too_many_mistakes_in_groups_for_a_promise() -> None:
    with pytest.raises(InferenceError) as raised:
        dataclasses.replace(thresholds(6000), groups=400).rule(0.01)
    assert str(raised.value) == (
        "a promise of at most 1 % wrong answers is more than its validation photos allow: of the "
        "299 it is surest of, one photo of each group, 1 is wrong. At that rate it takes "
        "about 635 groups of validation photos, not 400. The strictest it can promise is 2 %."
    )


def test_a_network_that_can_promise_nothing() -> None:
    hopeless = Abstention(400, (Level(0.05, None, 0.0, 80, 30, 0),))
    with pytest.raises(InferenceError) as raised:
        hopeless.rule(0.3)
    assert str(raised.value) == (
        "a promise of at most 5 % wrong answers is more than its validation photos allow: of the "
        "80 it is surest of, 30 are wrong. At that rate no number of photos is enough. It can "
        "promise nothing; give a threshold of your own (abstain_below)."
    )


def test_so_many_answers_without_a_mistake() -> None:
    assert [least_photos(share) for share in (0.01, 0.02, 0.05, 0.1)] == [299, 149, 59, 29]


def test_thresholds_survive_the_disk() -> None:
    text = json.dumps(thresholds().to_dict())
    assert Abstention.from_dict(json.loads(text)) == thresholds()
    grouped = dataclasses.replace(thresholds(), groups=40).to_dict()
    assert Abstention.from_dict(grouped).groups == 40
    del grouped["groups"]  # an older run
    assert Abstention.from_dict(grouped) == thresholds()


@pytest.mark.parametrize(
    "values",
    [
        {"photos": 3, "delta": 0.05},
        {"photos": 3, "delta": 0.05, "levels": [{"below": 3}]},
        {"photos": 3, "delta": 0.05, "levels": [
            {"max_error": 0.1, "below": 1.5, "possible_from": 0.0, "answered": 1, "wrong": 0,
             "needed": 0},
        ]},
    ],
)  # fmt: skip
def test_thresholds_that_are_broken(values: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Abstention.from_dict(values)
