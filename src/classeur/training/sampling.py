"""How often each training photo is seen in an epoch.

A class is an endless pass over its photos, shuffled anew each time they are used up, and an epoch
takes the next piece of it. The piece depends on seed and epoch alone, so that a resumed run sees
what the uninterrupted one would have seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from classeur.config import RunConfig
from classeur.training.inputs import TrainingData
from classeur.training.seeding import derived, epoch_order

MOST_TIMES = 10
"""`extra_augment_rare` shows no photo more often in an epoch: a handful of photos stays one."""


@dataclass(frozen=True)
class Sampling:
    """Which training photos each epoch shows, in which order."""

    data: TrainingData
    config: RunConfig

    @property
    def size(self) -> int:
        """Photos that an epoch shows, those seen again included."""
        return int(self.shares.sum())

    def rows(self, epoch: int) -> NDArray[np.int64]:
        """Return the rows of an epoch, counted from 1, in its order: the same for every network."""
        seed = self.config.seed
        if not self._is_uneven:
            return epoch_order(self.data.train, seed, epoch)
        pieces = zip(self._seen_after(epoch - 1), self._seen_after(epoch), strict=True)
        shown = [self._piece(label, *piece) for label, piece in enumerate(pieces)]
        return epoch_order(np.concatenate(shown), seed, epoch)

    @cached_property
    def shares(self) -> NDArray[np.int64]:
        """How many photos of each class an epoch shows, (num_classes,).

        With balanced sampling that is true to one photo, which goes round.
        """
        return self._seen_after(1)

    @property
    def _is_uneven(self) -> bool:
        config = self.config
        return config.augmentation.extra_augment_rare or config.training.sampling == "balanced"

    @cached_property
    def _photos(self) -> list[NDArray[np.int64]]:
        """Training photos of each class."""
        order = np.argsort(self.data.labels[self.data.train], kind="stable")
        return np.split(self.data.train[order], np.cumsum(class_sizes(self.data))[:-1])

    def _seen_after(self, epochs: int) -> NDArray[np.int64]:
        """Return how many photos of each class so many epochs show, (num_classes,)."""
        sizes = class_sizes(self.data)
        if self.config.training.sampling == "balanced":
            there = np.flatnonzero(sizes)
            dealt = np.zeros_like(sizes)  # one after the other, as cards are
            draws = epochs * len(self.data.train) - np.arange(len(there))
            dealt[there] = -(-draws // len(there))
            return dealt
        if self.config.augmentation.extra_augment_rare:
            sizes = np.minimum(sizes.max(), MOST_TIMES * sizes)
        return epochs * sizes

    def _piece(self, label: int, start: int, stop: int) -> NDArray[np.int64]:
        """Return the photos of a class from one place of its endless pass to another."""
        photos = self._photos[label]
        if start == stop:
            return photos[:0]
        first, last = start // len(photos), (stop - 1) // len(photos)
        passes = [
            np.random.default_rng(derived(self.config.seed, "pass", label, number)).permutation(
                photos
            )
            for number in range(first, last + 1)
        ]
        offset = first * len(photos)
        return np.concatenate(passes)[start - offset : stop - offset]


def class_sizes(data: TrainingData) -> NDArray[np.int64]:
    """Return the training photos of each class, (num_classes,)."""
    return np.bincount(data.labels[data.train], minlength=int(data.labels.max()) + 1)


def views_of_each(data: TrainingData, views: int, *, extra: bool) -> NDArray[np.int64]:
    """Return how many augmented views each training photo has among frozen features, (n,).

    With `extra`, those of a rare class have as many more as they are seen more often in an epoch.
    """
    sizes = class_sizes(data)
    times = np.minimum(-(-sizes.max() // sizes.clip(min=1)), MOST_TIMES if extra else 1)
    return np.asarray(views * times[data.labels[data.train]])


def turns_of(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each row how often it came before, (n,): 0 where it comes for the first time."""
    order = np.argsort(rows, kind="stable")
    ranks = np.arange(len(rows))
    is_first = np.diff(rows[order], prepend=-1) != 0
    turns = np.empty(len(rows), np.int64)
    turns[order] = ranks - np.maximum.accumulate(np.where(is_first, ranks, 0))
    return turns
