"""Codes that differ in few bits. Every two are compared, in tiles that stay in the cache.

An index of the codes (multi-index hashing, say) compares fewer pairs and takes longer for each: on
100,000 random codes it is no faster, and where codes are alike it compares most pairs many times.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BITS = 128

_TILE = (32, 2048)  # rows and columns compared at once: 1 MB

Codes = NDArray[np.uint64]
Pairs = NDArray[np.int64]


def neighbours(codes: Codes, radius: int, most: int) -> tuple[Pairs, NDArray[np.uint8], int]:
    """Return the pairs of different rows that differ in at most `radius` bits.

    Where there are more than `most`, only the closest are returned: the radius shrinks to the
    largest at which they are that few.

    Args:
        codes: (N, 2) uint64, no row twice.
        radius: in bits.
        most: pairs.

    Returns:
        (M, 2) rows, the smaller one first, in ascending order; (M,) the bits in which they differ;
        and the radius in the end.
    """
    low, high = np.ascontiguousarray(codes.T)
    closest = _Closest(radius, most)
    rows, columns = _TILE
    for top in range(0, len(codes), rows):
        for left in range(top, len(codes), columns):
            bits = np.bitwise_count(low[top : top + rows, None] ^ low[left : left + columns])
            bits += np.bitwise_count(high[top : top + rows, None] ^ high[left : left + columns])
            closest.add(bits, top, left)
    return closest.settled()


def shrunk(distances: NDArray[np.uint8], radius: int, most: int) -> int:
    """Return the largest radius up to this one within which there are at most so many pairs."""
    within = np.cumsum(np.bincount(distances, minlength=radius + 1)[: radius + 1])
    return max(0, int(np.searchsorted(within, most, "right")) - 1)


class _Closest:
    """The pairs within a radius that shrinks whenever they are too many: bounds the memory."""

    def __init__(self, radius: int, most: int) -> None:
        self.radius, self._most = radius, most
        self._pairs, self._distances = [np.empty((0, 2), np.int64)], [np.empty(0, np.uint8)]
        self._waiting = 0

    def add(self, bits: NDArray[np.uint8], top: int, left: int) -> None:
        """Add the pairs of a tile whose rows begin at `top` and whose columns begin at `left`."""
        near = bits <= self.radius
        if not near.any():
            return
        pairs = np.argwhere(near)
        distances = bits[near]
        pairs += (top, left)
        apart = pairs[:, 0] < pairs[:, 1]
        self._pairs.append(pairs[apart])
        self._distances.append(distances[apart])
        self._waiting += int(apart.sum())
        if self._waiting > self._most:
            self._shrink()

    def settled(self) -> tuple[Pairs, NDArray[np.uint8], int]:
        """Return what `neighbours` does."""
        self._shrink()
        pairs, distances = self._pairs[0], self._distances[0]
        order = np.lexsort((pairs[:, 1], pairs[:, 0]))
        return pairs[order], distances[order], self.radius

    def _shrink(self) -> None:
        pairs, distances = np.concatenate(self._pairs), np.concatenate(self._distances)
        self.radius = shrunk(distances, self.radius, self._most)
        kept = distances <= self.radius
        self._pairs, self._distances = [pairs[kept]], [distances[kept]]
        self._waiting = 0
