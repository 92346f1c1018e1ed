"""How often each training photo is seen in an epoch."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from classeur.config import RunConfig
from classeur.section import override
from classeur.training.inputs import TrainingData
from classeur.training.sampling import MOST_TIMES, Sampling, turns_of, views_of_each
from classeur.training.seeding import epoch_order

BALANCED = {"sampling": "balanced"}
EXTRA = {"extra_augment_rare": True, "flip": 0.5}


def data_of(*sizes: int) -> TrainingData:
    """Training photos of each class in turn, and one more of each for validation."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    train = np.arange(len(labels))
    labels = np.concatenate([labels, np.arange(len(sizes))])
    val = np.arange(len(train), len(labels))
    return TrainingData(np.zeros((len(labels), 1, 1, 1), np.uint8), labels, train, val)


def sampling(data: TrainingData, **options: object) -> Sampling:
    return Sampling(data, override(RunConfig(), options))


def shares(data: TrainingData, rows: np.ndarray) -> list[int]:
    return np.bincount(data.labels[rows], minlength=int(data.labels.max()) + 1).tolist()


def test_shuffled_shows_each_photo_once() -> None:
    data = data_of(7, 3)
    plain = sampling(data, seed=5)
    assert plain.size == 10
    for epoch in (1, 2, 9):
        assert np.array_equal(plain.rows(epoch), epoch_order(data.train, 5, epoch))


@pytest.mark.parametrize(("options", "size"), [(BALANCED, 30), (EXTRA, 20 + 20 + 20)])
def test_an_epoch_depends_on_seed_and_number_alone(options: dict[str, object], size: int) -> None:
    data = data_of(20, 7, 3)
    first = [sampling(data, **options).rows(epoch).tolist() for epoch in range(1, 6)]
    again = [sampling(data, **options).rows(epoch).tolist() for epoch in range(5, 0, -1)]
    other = sampling(data, **options, seed=1)
    assert first == again[::-1]
    assert first[0] != first[1]
    assert other.rows(1).tolist() != first[0]
    assert {len(rows) for rows in first} == {size} == {other.size}
    assert not set(np.concatenate(first)) & set(data.val)


@pytest.mark.parametrize("sizes", [(90, 9, 1), (5, 5, 1), (2, 1, 1, 1), (40, 3)])
def test_balanced_shows_each_class_as_often_in_as_many_draws(sizes: tuple[int, ...]) -> None:
    data = data_of(*sizes)
    balanced = sampling(data, **BALANCED)
    epochs = [balanced.rows(epoch) for epoch in range(1, 8)]
    for rows in epochs:
        assert len(rows) == balanced.size == sum(sizes)
        assert max(shares(data, rows)) - min(shares(data, rows)) <= 1
    whole = shares(data, np.concatenate(epochs))
    assert max(whole) - min(whole) <= 1, "the photo that is left over goes round"


def test_no_photo_comes_again_before_the_others_of_its_class_have() -> None:
    """In an epoch and across epochs: the large class goes on where the epoch before stopped."""
    data = data_of(30, 8, 3)
    balanced = sampling(data, **BALANCED)
    seen: Counter[int] = Counter()
    for epoch in range(1, 12):
        seen.update(balanced.rows(epoch).tolist())
        for label in range(3):
            times = [seen[row] for row in data.train if data.labels[row] == label]
            assert max(times) - min(times) <= 1


def test_the_classes_of_an_epoch_are_mixed() -> None:
    data = data_of(300, 20)
    labels = data.labels[sampling(data, **BALANCED).rows(1)]
    assert 130 < np.count_nonzero(np.diff(labels)) < 190


def test_a_class_without_training_photos_is_not_drawn() -> None:
    data = data_of(6, 0, 2)
    rows = sampling(data, **BALANCED).rows(1)
    assert shares(data, rows) == [4, 0, 4]


def test_rare_classes_are_seen_as_often_as_the_largest_up_to_a_limit() -> None:
    data = data_of(100, 50, 40, 2)
    extra = sampling(data, **EXTRA)
    assert extra.shares.tolist() == [100, 100, 100, 2 * MOST_TIMES]
    times = Counter(extra.rows(1).tolist())
    assert {times[row] for row in data.train[:100]} == {1}
    assert {times[row] for row in data.train[100:150]} == {2}
    assert {times[row] for row in data.train[150:190]} == {2, 3}
    assert {times[row] for row in data.train[190:]} == {MOST_TIMES}


def test_rare_classes_have_more_views_among_frozen_features() -> None:
    data = data_of(100, 50, 40, 2)
    views = views_of_each(data, 2, extra=True)
    assert [int(views[at]) for at in (0, 100, 150, 190)] == [2, 4, 6, 2 * MOST_TIMES]
    assert set(views_of_each(data, 2, extra=False)) == {2}
    assert not views_of_each(data, 0, extra=True).any()


def test_turns_count_how_often_a_row_came_before() -> None:
    assert turns_of(np.array([7, 3, 7, 7, 0, 3])).tolist() == [0, 0, 1, 2, 0, 1]
    assert turns_of(np.array([4, 2, 9])).tolist() == [0, 0, 0]
