"""What is drawn anew in a bootstrap: photos, or groups of photos that are alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

_CELLS = 2_000_000
"""Weights held in memory at a time, 8 bytes each."""


@dataclass(frozen=True, eq=False)
class Units:
    """Photos, or groups of photos. They are independent of one another; the photos in one are not.

    A photo without a group is a group of its own.
    """

    of_photo: NDArray[np.int64]
    """(N,) the unit that each photo belongs to, from 0."""
    count: int

    @classmethod
    def of(cls, groups: Sequence[str], photos: int) -> Units:
        """Return the units of some photos.

        Args:
            groups: the group of each photo, "" for none; empty: no photo has one.
            photos: how many there are.
        """
        if not any(groups):
            return cls(np.arange(photos), photos)
        keys = [name or index for index, name in enumerate(groups)]
        number = {key: i for i, key in enumerate(dict.fromkeys(keys))}
        return cls(np.array([number[key] for key in keys], np.int64), len(number))

    def among(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Units:
        """Return the units of some of the photos, by their indices or by a mask (N,)."""
        there, of_photo = np.unique(self.of_photo[rows], return_inverse=True)
        return Units(of_photo.astype(np.int64), len(there))

    @property
    def grouped(self) -> bool:
        """Whether a unit holds more than one photo."""
        return self.count < len(self.of_photo)

    @cached_property
    def sizes(self) -> NDArray[np.float64]:
        """(count,) photos in each."""
        return self.totals(np.ones(len(self.of_photo)))

    def one_of_each(self) -> NDArray[np.int64]:
        """Return a photo of each unit, (count,), drawn at random but the same on every call."""
        order = np.random.default_rng(0).permutation(len(self.of_photo))
        _, first = np.unique(self.of_photo[order], return_index=True)
        return np.sort(order[first])

    def totals(self, values: NDArray[np.generic]) -> NDArray[np.float64]:
        """Return the sum over each unit's photos, (count,)."""
        sums = np.bincount(self.of_photo, values.astype(np.float64), self.count)
        return sums.astype(np.float64)

    def table(
        self, columns: NDArray[np.int64], width: int, *, only: NDArray[np.bool_] | None = None
    ) -> csr_array:
        """Count photos by unit and column, (count, width); each photo is in one column."""
        chosen = np.ones(len(columns)) if only is None else only.astype(np.float64)
        return csr_array((chosen, (self.of_photo, columns)), shape=(self.count, width))

    def resample(
        self, resamples: int, random: np.random.Generator
    ) -> Iterator[NDArray[np.float64]]:
        """Yield how often each unit is drawn, (some, count), until there are so many resamples."""
        step = max(1, _CELLS // self.count)
        for start in range(0, resamples, step):
            rows = min(step, resamples - start)
            drawn = random.integers(0, self.count, (rows, self.count))
            drawn += self.count * np.arange(rows)[:, None]
            weights = np.bincount(drawn.ravel(), minlength=rows * self.count)
            yield weights.reshape(rows, self.count).astype(np.float64)
