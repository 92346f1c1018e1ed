"""Photos that may be near-duplicates: those whose perceptual hashes differ in few bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from classeur.data.neighbours import BITS, Pairs, neighbours, shrunk

RADIUS = 24
"""Bits of 128 in which the hashes of near-duplicates differ at most."""

SLACK = 3
"""Bits more at the first look, whose hash may be of a picture decoded at another scale."""

PAIRS_EACH = 3
"""Pairs of close hashes for each hash, on average, above which they are many."""

FEW_PAIRS = 5000
"""Up to so many pairs are all looked at, however few the hashes are."""

_MOST_EACH = 30  # pairs for each hash that are kept at all: bounds the memory


@dataclass(frozen=True, eq=False)
class Candidates:
    """Photos of equal hashes, and which of these hashes are close."""

    buckets: list[list[int]]
    """The photos of each hash, by index, ascending."""
    close: Pairs
    """(M, 2) buckets whose hashes are close, the closest pairs first."""
    distances: NDArray[np.uint8]
    """(M,) bits in which they differ, ascending."""
    radius: int
    """Bits within which all pairs are here."""

    @property
    def few(self) -> int:
        """Pairs up to which each is worth a look at the photos."""
        return max(PAIRS_EACH * len(self.buckets), FEW_PAIRS)

    @property
    def many(self) -> bool:
        """Whether there are so many pairs that a close hash may be no evidence."""
        return self.radius < RADIUS + SLACK or len(self.close) > PAIRS_EACH * len(self.buckets)

    def closest(self) -> Candidates:
        """Return the same with the closest pairs only, at most `few`."""
        radius = shrunk(self.distances, self.radius, self.few)
        kept = int(np.searchsorted(self.distances, radius, "right"))
        return replace(
            self, close=self.close[:kept], distances=self.distances[:kept], radius=radius
        )

    def sample(self, number: int) -> list[tuple[int, int]]:
        """Return the first photos of so many pairs, drawn at random from those within `RADIUS`."""
        within = int(np.searchsorted(self.distances, RADIUS, "right"))
        drawn = np.random.default_rng(0).permutation(within)[:number]
        return [(self.buckets[one][0], self.buckets[other][0]) for one, other in self.close[drawn]]


def candidates(hashes: Sequence[str]) -> Candidates:
    """Return what hashes are equal, or differ in at most `RADIUS + SLACK` bits.

    Where that is more than 30 pairs for each hash, on average, only the closest are there.
    """
    digits = bytes.fromhex("".join(hashes))
    codes = np.frombuffer(digits, np.uint64).reshape(-1, BITS // 64)
    distinct, places = np.unique(codes, axis=0, return_inverse=True)
    buckets: list[list[int]] = [[] for _ in distinct]
    for index, place in enumerate(places.reshape(-1)):
        buckets[place].append(index)
    most = max(_MOST_EACH * len(distinct), FEW_PAIRS)
    close, distances, radius = neighbours(distinct, RADIUS + SLACK, most)
    order = np.argsort(distances, kind="stable")
    return Candidates(buckets, close[order], distances[order], radius)
