"""Codes that differ in few bits, found without comparing every two of them.

Multi-index hashing (Norouzi, Punjani and Fleet, 2012): 128 bits are cut into eight bands of 16. Two
codes that differ in at most 27 bits differ in at most 3 in one of the first four bands, or in at
most 2 in one of the others; so only codes whose bands are that close are compared in full.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

BITS = 128
_BANDS = 8
_WIDTH = BITS // _BANDS

FEW = 4096
"""Up to so many codes every two are compared: faster than the bands."""

AT_ONCE = 1 << 21
"""Pairs that are compared at once: bounds the memory, to about 200 MB."""

PAIRS_EACH = 3
"""Pairs for each code, on average, above which the radius shrinks."""

FEW_PAIRS = 5000
"""Up to so many pairs it never does."""

Codes = NDArray[np.uint64]
Pairs = NDArray[np.int64]


def neighbours(codes: Codes, radius: int) -> tuple[Pairs, int]:
    """Return the pairs of different rows that differ in at most `radius` bits.

    Where more are that close than `PAIRS_EACH` pairs a code and `FEW_PAIRS` in all, only the
    closest are returned: the radius shrinks to the largest at which they are that few.

    Args:
        codes: (N, 2) uint64, no row twice.
        radius: in bits, below 32.

    Returns:
        (M, 2) rows, the smaller one first, in ascending order; and the radius in the end.
    """
    low, high = np.ascontiguousarray(codes.T)
    most = max(PAIRS_EACH * len(codes), FEW_PAIRS)
    found, distances = np.empty((0, 2), np.int64), np.empty(0, np.uint8)
    comparisons = _all_pairs(len(codes)) if len(codes) <= FEW else _close_pairs(codes, radius)
    for first, second in comparisons:
        bits = np.bitwise_count(low[first] ^ low[second])
        bits += np.bitwise_count(high[first] ^ high[second])
        near = np.flatnonzero(bits <= radius)
        if not len(near):
            continue
        some = np.sort(np.stack([first[near], second[near]], axis=1), axis=1)
        found, rows = np.unique(np.concatenate([found, some]), axis=0, return_index=True)
        distances = np.concatenate([distances, bits[near]])[rows]
        while len(found) > most and radius > 0:
            radius -= 1
            kept = distances <= radius
            found, distances = found[kept], distances[kept]
    return found, radius


def _all_pairs(count: int) -> Iterator[tuple[Pairs, Pairs]]:
    for row in range(count - 1):
        others = np.arange(row + 1, count)
        yield np.full_like(others, row), others


def _close_pairs(codes: Codes, radius: int) -> Iterator[tuple[Pairs, Pairs]]:
    """Yield pairs of rows, some of them several times, that are close in one band."""
    for band, keys in enumerate(_bands(codes)):
        order = np.argsort(keys, kind="stable")
        there = keys[order]
        counts = np.bincount(keys, minlength=1 << _WIDTH)
        starts = np.cumsum(counts) - counts
        # One more than the bits allowed, over all bands, has to exceed the radius.
        allowed = (radius + 1 + _BANDS - 1 - band) // _BANDS - 1
        for mask in _masks(allowed):
            partners = there ^ mask
            # Each pair of keys once: from the key that lacks the highest bit of the mask.
            highest = 1 << mask.bit_length() >> 1
            sources = np.flatnonzero((there & highest == 0) & (counts[partners] > 0))
            yield from _joined(order, sources, starts, counts, partners, within=mask == 0)


def _joined(
    order: Pairs, sources: Pairs, starts: Pairs, counts: Pairs, partners: Pairs, *, within: bool
) -> Iterator[tuple[Pairs, Pairs]]:
    """Yield each source with every row of its partner key, in pieces of bounded size."""
    begins = sources + 1 if within else starts[partners[sources]]  # within a key: what comes after
    numbers = starts[partners[sources]] + counts[partners[sources]] - begins
    ends = np.cumsum(numbers)
    piece = 0
    while piece < len(sources):
        before = ends[piece - 1] if piece else 0
        last = max(piece + 1, int(np.searchsorted(ends, before + AT_ONCE, "right")))
        some = numbers[piece:last]
        offsets = np.arange(some.sum()) - np.repeat(np.cumsum(some) - some, some)
        seconds = np.repeat(begins[piece:last], some) + offsets
        yield order[np.repeat(sources[piece:last], some)], order[seconds]
        piece = last


def _bands(codes: Codes) -> NDArray[np.int64]:
    """Return (bands, N) keys of 16 bits, each with bits from all over the code.

    Neighbouring bits are alike in many photos, a white border say; shuffled, no band is all border.
    """
    bits = np.unpackbits(codes.view(np.uint8), axis=1)
    shuffled = bits[:, np.random.default_rng(0).permutation(BITS)]
    packed = np.ascontiguousarray(np.packbits(shuffled, axis=1)).view(np.uint16)  # (N, bands)
    return packed.T.astype(np.int64)


def _masks(most: int) -> Iterator[int]:
    """Yield every key with at most so many bits set."""
    for number in range(most + 1):
        for places in itertools.combinations(range(_WIDTH), number):
            yield sum(1 << place for place in places)
