"""The two classes that are taken for each other most often, with photos of both mistakes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from classeur.evaluation.predictions import Predictions
from classeur.report.photos import PhotoCard

PAIRS = 3
"""Pairs of classes shown."""

OF_EACH = 3
"""Photos shown of each: mistakes in one direction, in the other, and right ones of each class."""


@dataclass(frozen=True)
class Mistakes:
    """Photos of one class that were taken for another."""

    label: str
    prediction: str
    photos: int
    cards: list[PhotoCard]
    """The worst of them."""


@dataclass(frozen=True)
class ConfusedPair:
    """Two classes and how often each is taken for the other."""

    more: Mistakes
    """The direction that is more frequent."""
    fewer: Mistakes
    right: list[list[PhotoCard]]
    """Photos of the two classes that were recognised, to compare with: the surest."""

    @property
    def photos(self) -> int:
        """Mistakes in both directions."""
        return self.more.photos + self.fewer.photos

    def __str__(self) -> str:
        """Return `husky taken for malamute: 7 times; the reverse: 3`."""
        times = "once" if self.more.photos == 1 else f"{self.more.photos} times"
        reverse = self.fewer.photos or "never"
        return (
            f"{self.more.label} taken for {self.more.prediction}: {times}; the reverse: {reverse}"
        )


def confused_pairs(
    test: Predictions, card: Callable[[Predictions, int], PhotoCard], at_most: int = PAIRS
) -> list[ConfusedPair]:
    """Return the pairs of classes with the most mistakes between them, the most frequent first.

    None for two classes: there is only one pair, and all mistakes are in it.
    """
    classes = len(test.class_names)
    if classes <= 2:
        return []
    cells = np.bincount(test.labels * classes + test.predicted, minlength=classes**2)
    both = cells.reshape(classes, classes) + cells.reshape(classes, classes).T
    pairs = [(i, j) for i in range(classes) for j in range(i + 1, classes) if both[i, j]]
    worst = sorted(pairs, key=lambda pair: -both[pair])[:at_most]
    return [_pair(test, card, *pair) for pair in worst]


def _pair(
    test: Predictions, card: Callable[[Predictions, int], PhotoCard], one: int, other: int
) -> ConfusedPair:
    there, back = _rows(test, one, other), _rows(test, other, one)
    if len(back) > len(there):
        one, other, there, back = other, one, back, there
    names = test.class_names
    return ConfusedPair(
        Mistakes(names[one], names[other], len(there), [card(test, i) for i in there[:OF_EACH]]),
        Mistakes(names[other], names[one], len(back), [card(test, i) for i in back[:OF_EACH]]),
        [[card(test, i) for i in _rows(test, kind, kind)[:OF_EACH]] for kind in (one, other)],
    )


def _rows(test: Predictions, label: int, prediction: int) -> list[int]:
    """Return the rows of a cell of the confusion matrix, the surest answers first."""
    found = np.flatnonzero((test.labels == label) & (test.predicted == prediction))
    rows: list[int] = found[np.argsort(-test.confidence[found], kind="stable")].tolist()
    return rows
