"""Codes that differ in few bits: the same as comparing every two."""

from __future__ import annotations

import time

import numpy as np
import pytest

from classeur.data import neighbours as module
from classeur.data.neighbours import BITS, neighbours


def close_codes(count: int = 600, seed: int = 0) -> np.ndarray:
    """Random codes, and for each of a third another one 0 to 39 bits away."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, 2**63, (count, 2), np.uint64)
    for i in range(count // 3):
        bits = np.zeros(BITS, np.uint8)
        bits[random.choice(BITS, random.integers(1, 40), replace=False)] = 1
        codes[count - 1 - i] = codes[i] ^ np.packbits(bits).view(np.uint64)
    return np.unique(codes, axis=0)


@pytest.mark.parametrize("radius", [0, 3, 10, 24, 27, 31])
def test_the_pairs_are_those_of_comparing_every_two(monkeypatch, radius):
    monkeypatch.setattr(module, "_TILE", (7, 50))
    codes = close_codes()
    every = np.bitwise_count(codes[:, None] ^ codes[None]).sum(axis=2)
    expected = np.argwhere(np.triu(every <= radius, 1))
    pairs, distances, used = neighbours(codes, radius, 10_000)
    np.testing.assert_array_equal(pairs, expected)
    np.testing.assert_array_equal(distances, every[tuple(expected.T)])
    assert used == radius
    assert radius < 10 or len(expected) > 20


def test_the_radius_shrinks_where_all_are_close(monkeypatch):
    monkeypatch.setattr(module, "_TILE", (7, 50))
    codes = np.zeros((200, 2), np.uint64)
    codes[:, 0] = np.arange(200)  # 8 bits: all within a radius of 8
    pairs, distances, radius = neighbours(codes, 24, 1000)
    assert 0 < len(pairs) <= 1000
    every = np.bitwise_count(codes[:, None, 0] ^ codes[None, :, 0])[np.triu_indices(200, 1)]
    assert radius == distances.max() < 8
    assert len(pairs) == (every <= radius).sum()  # all of the closest, none left out
    assert (every <= radius + 1).sum() > 1000


def test_clustered_codes_take_no_longer_than_every_two():
    """Radius, comparisons and memory were those of the bands, several times all pairs."""
    bits = np.random.default_rng(0).random((6000, BITS)) < 0.05
    codes = np.unique(np.packbits(bits, axis=1).view(np.uint64), axis=0)
    started = time.process_time()
    pairs, _, radius = neighbours(codes, 27, 30 * len(codes))
    assert 0 < len(pairs) <= 30 * len(codes)
    assert radius < 10
    assert time.process_time() - started < 5


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_codes(count):
    codes = np.arange(2 * count, dtype=np.uint64).reshape(-1, 2)
    assert len(neighbours(codes, 24, 100)[0]) == count // 2
